"""Reports in the air that we choose: every one is accounted for, and says what it should."""

import pytest

from firmware_protocol.messages import Ack, AdvRprt, AdvRprt2, GetAll, Report, SetAll
from firmware_protocol.scan import company_id

from .air import TAGS, Air, Pattern, counters, loss
from .figures import Figures
from .marks import generation, needs, with_setup
from .plugin import Board
from .rig import Ability
from .wire import Wire

pytestmark = needs("answer", "generate")
SECONDS = 2.0


def listen(wire: Wire, air: Air, seconds: float = SECONDS) -> list[Report]:
    """What is received of this air, from its first report on."""
    wire.command(air.settings())
    wire.forget()
    wire.wait_for_report()
    wire.listen(seconds)
    return [report for report in wire.reports() if counters(report)]


def account(wire: Wire, reports: list[Report], air: Air, figures: Figures, label: str) -> None:
    """Nothing may be missing between the board's line and us; draw the rate."""
    assert reports, "no reports"
    found = loss(reports)
    times = [h.at for h in wire.received if isinstance(h.message, AdvRprt | AdvRprt2)]
    figures.rates(f"{label}, {air.size} bytes", times, float(air.rate) if air.rate else None)
    figures.measure("reports", found.received, low=1)
    figures.exactly("bytes in no frame", wire.skipped, 0)
    figures.exactly("lost between board and host", found.on_the_way, 0)
    figures.exactly("out of order", found.disordered, 0)
    figures.exactly("CRC errors", wire.crc_errors, 0)


@pytest.mark.parametrize("rate", [1, 50, 226])
def test_rate(rate: int, board: Board, wire: Wire, figures: Figures) -> None:
    """Reports at a steady rate that the line can carry: none is lost."""
    air = Air(rate)
    reports = listen(wire, air)
    account(wire, reports, air, figures, f"{rate}/s")
    if "setup" in board.rig.abilities and rate < board.line_rate - 1:
        figures.exactly("lost on the board", loss(reports).before, 0)
    else:
        figures.measure("lost on the board", loss(reports).before)


@pytest.mark.parametrize("size", [13, 31, 192])
def test_saturation(size: int, board: Board, wire: Wire, figures: Figures) -> None:
    """As many as the line carries, without a gap."""
    if board.is_v1 and size > 31:
        pytest.skip("firmware 1.0.0 reports at most 31 bytes")
    air = Air(None, size)
    reports = listen(wire, air)
    account(wire, reports, air, figures, "saturated")
    raw = sum(len(report.to_frame()) for report in reports)
    span = wire.received[-1].at - wire.received[0].at
    figures.measure("bytes per second", raw / span, "/s", low=0.3 * board.rig.baud / 10)


def test_overload(board: Board, wire: Wire, figures: Figures) -> None:
    """More than the line carries: the loss is on the board, counted to the last one."""
    air = Air(500)
    reports = listen(wire, air)
    account(wire, reports, air, figures, "500/s")
    found = loss(reports)
    total = found.received + found.before + found.on_the_way
    low = 1.0 if "setup" in board.rig.abilities else 0.0
    figures.measure("lost on the board", 100 * found.before / total, "%", low=low)


@with_setup(transmit="faithful")
@generation("2.0.0")
def test_collisions(wire: Wire, figures: Figures) -> None:
    """The official transmitter, random arrivals: at 50/s of 31 bytes about 30 % are lost, though
    the line is idle most of the time. Replies can vanish in the same way."""
    air = Air(50, pattern=Pattern.RANDOM)
    wire.command(air.settings())
    wire.forget()
    wire.wait_for_report()
    wire.listen(2 * SECONDS)
    reports = [report for report in wire.reports() if counters(report)]
    found = loss(reports)
    total = found.received + found.before + found.on_the_way
    figures.measure("reports", found.received, low=1)
    share = 100 * (found.before + found.on_the_way) / total
    figures.measure("lost to collisions", share, "%", low=10, high=60)


@needs("line_speed", "setup")
@with_setup(baud=57600)
def test_half_the_speed(board: Board, wire: Wire, figures: Figures) -> None:
    """At 57,600 baud the line carries half as much, and nothing else changes."""
    air = Air(None)
    reports = listen(wire, air)
    account(wire, reports, air, figures, "57,600 baud")
    span = wire.received[-1].at - wire.received[0].at
    rate = (len(reports) - 1) / span
    figures.measure("reports per second", rate, "/s", high=1.2 * board.line_rate)


def test_frames_in_the_data(board: Board, wire: Wire, figures: Figures) -> None:
    """Advertising data full of whole frames and delimiters: it is data, and nothing else."""
    air = Air(50, 31 if board.is_v1 else 192, Pattern.FRAMES)
    reports = listen(wire, air)
    account(wire, reports, air, figures, "frames in it, 50/s")
    assert not any(isinstance(received.message, GetAll) for received in wire.received)


@pytest.mark.parametrize("size", [0, 1, 12, 31, 32, 48, 49, 191, 192])
def test_sizes(size: int, board: Board, wire: Wire) -> None:
    """Every length is reported whole, up to what the firmware has room for."""
    room = 31 if board.is_v1 else 192
    wire.command(Air(50, size).settings())
    wire.forget()
    if size <= room:
        wire.wait_for_report()
    else:
        wire.listen(0.5)
    assert {len(report.data) for report in wire.reports()} == ({size} if size <= room else set())


@generation("2.0.0")
@pytest.mark.parametrize("limit", [1, 30, 31, 48, 192])
def test_max_adv_len(limit: int, wire: Wire) -> None:
    """Longer data is dropped whole, never cut."""
    for size in (limit - 1, limit, limit + 1):
        if size > 192:
            continue
        wire.command(Air(100, size).settings(max_adv_len=limit))
        wire.forget()
        if size <= limit:
            assert len(_next(wire).data) == size
        else:
            wire.listen(0.3)
            assert wire.reports() == []


def _next(wire: Wire) -> Report:
    message = wire.wait_for_report().message
    assert isinstance(message, AdvRprt | AdvRprt2)
    return message


@pytest.mark.parametrize("company", [0x0499, 0x004C, 0x0000])
def test_filter(company: int, wire: Wire, figures: Figures) -> None:
    """Of three kinds in turn exactly one passes: of a company, of another, of none (id 0)."""
    wire.command(Air(100, pattern=Pattern.MIXED).settings())
    wire.command(SetAll(fltr_id=company, fltr_tags=True, max_adv_len=0))
    wire.forget()
    wire.wait_for_report()
    wire.listen(1.0)
    reports = wire.reports()
    assert {company_id(report.data) for report in reports} == {company}
    events = [found.event for report in reports if (found := counters(report))]
    kind = (0x0499, 0x004C, 0x0000).index(company)
    assert events == list(range(events[0], events[-1] + 1, 3)), "not every third"
    assert events[0] % 3 == kind
    figures.measure("passed", len(reports), low=1)


def test_without_filter(wire: Wire) -> None:
    """Filter off: all of them."""
    reports = listen(wire, Air(100, pattern=Pattern.MIXED), 0.5)
    assert {company_id(report.data) for report in reports} == {0x0499, 0x004C, 0x0000}


def test_filter_hears_nothing(wire: Wire) -> None:
    """A company that nobody is of: silence, and that is no fault."""
    wire.command(Air(100, pattern=Pattern.MIXED).settings())
    wire.command(SetAll(fltr_id=0x1234, fltr_tags=True, max_adv_len=0))
    wire.forget()
    wire.listen(0.5)
    assert wire.reports() == []


@needs("channels")
@generation("2.0.0")
@pytest.mark.parametrize("channel", [37, 38, 39])
def test_channel(channel: int, wire: Wire) -> None:
    """Scanning one channel: it says so in each report."""
    channels = {f"ch_{number}": number == channel for number in (37, 38, 39)}
    wire.command(Air(50).settings(**channels))
    wire.forget()
    wire.wait_for_report()
    wire.listen(0.3)
    found = {report.channel for report in wire.reports()}
    assert found == {channel}


@needs("channels")
@generation("2.0.0")
def test_channels_in_turn(wire: Wire, figures: Figures) -> None:
    """7 s on each channel, then the next."""
    wire.command(Air(10).settings(ch_38=False))
    wire.forget()
    wire.wait_for_report()
    wire.wait(lambda m: isinstance(m, AdvRprt2) and m.channel == 39, "report from channel 39")
    reports = [h for h in wire.received if isinstance(h.message, AdvRprt2)]
    assert isinstance(reports[0].message, AdvRprt2)
    assert reports[0].message.channel == 37
    figures.measure("on channel 37", reports[-1].at - reports[0].at, "s", low=5.0, high=15.0)


@generation("2.0.0")
def test_extended(board: Board, wire: Wire) -> None:
    """Extended advertising: secondary PHY 2M, its channel (255: unknown, where the radio tells
    none), and the advertised power."""
    tells_channels = Ability.CHANNELS in board.rig.abilities
    reports = listen(wire, Air(100, pattern=Pattern.EXTENDED), 1.5)
    for report in reports:
        assert isinstance(report, AdvRprt2)
        found = counters(report)
        assert found
        assert (report.primary_phy, report.secondary_phy, report.is_coded_phy) == (1, 2, False)
        assert report.channel == (found.event % 37 if tells_channels else 255)
        assert report.tx_power == found.event % 127 - 63
        assert report.rssi == -40 - found.event % 50


@generation("2.0.0")
def test_coded(wire: Wire) -> None:
    """Coded PHY: received when it is scanned, marked in each report; not received otherwise."""
    air = Air(100, pattern=Pattern.CODED)
    reply = wire.command(air.settings(use_coded_phy=True, use_1m_phy=False, use_2m_phy=False))
    assert isinstance(reply.message, Ack)
    if reply.message.state:
        pytest.skip("this chip has no Coded PHY")
    wire.forget()
    report = _next(wire)
    assert isinstance(report, AdvRprt2)
    assert (report.primary_phy, report.secondary_phy, report.is_coded_phy) == (4, 4, True)
    wire.command(air.settings())
    wire.forget()
    wire.listen(0.3)
    assert wire.reports() == []


@generation("2.0.0")
@pytest.mark.parametrize(
    ("pattern", "phy_1m", "phy_2m", "received"),
    [
        (Pattern.PLAIN, True, False, True),
        (Pattern.PLAIN, False, True, False),
        (Pattern.PLAIN, False, False, False),
        (Pattern.EXTENDED, True, False, False),
        (Pattern.EXTENDED, False, True, True),
    ],
)
def test_phy_flags(
    pattern: Pattern, phy_1m: bool, phy_2m: bool, received: bool, wire: Wire
) -> None:
    """1M alone hears legacy advertising, 2M alone extended, neither nothing."""
    wire.command(Air(100, pattern=pattern).settings(use_1m_phy=phy_1m, use_2m_phy=phy_2m))
    wire.forget()
    if received:
        wire.wait_for_report()
    else:
        wire.listen(0.3)
        assert wire.reports() == []


@needs("setup")
@generation("2.0.0")
def test_more_than_it_has_room_for(wire: Wire) -> None:
    """max_adv_len above 192: such data overwrites its memory, and it starts anew. A host must
    never ask for it, and ours refuses to."""
    wire.command(SetAll(fltr_id=0x8000 | 5 << 8 | 200, fltr_tags=False, max_adv_len=255))
    wire.wait_for_boot()


def test_generation_of_reports(board: Board, wire: Wire) -> None:
    """ADV_RPRT before 2.0.0, ADV_RPRT2 since, and nothing else."""
    wire.command(Air(50).settings())
    wire.forget()
    wire.wait_for_report()
    wire.listen(0.3)
    kind = AdvRprt if board.is_v1 else AdvRprt2
    assert {type(report) for report in wire.reports()} == {kind}


def test_tags(wire: Wire) -> None:
    """The tags that are in the air after a boot are the ones that are received."""
    wire.command(Air(100, pattern=Pattern.TAGS).settings())
    wire.forget()
    wire.wait_for_report()
    wire.listen(0.5)
    assert {report.address for report in wire.reports()} == set(TAGS)
