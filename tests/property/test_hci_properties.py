"""What always holds for a session, whatever a controller sends and however it is cut."""

from itertools import pairwise
from math import inf

import hci_events
from hci_model import ControllerModel
from hypothesis import assume, example, given
from hypothesis import strategies as st

from firmware_protocol.messages import AdvRprt2, SetAll
from firmware_protocol.scan import company_id
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.events import is_report, parse
from ruuvi_host.hci.h4 import PacketSplitter
from ruuvi_host.hci.happenings import Climbed, Heard, Started
from ruuvi_host.hci.ladder import Ladder, Rung
from ruuvi_host.hci.plan import ScanChoice
from ruuvi_host.hci.reports import ReportReader, _company
from ruuvi_host.hci.session import ControllerSession, State

u8 = st.integers(0, 255)
i8 = st.integers(-128, 127)
payload = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([hci_events.FORMAT_5, hci_events.OTHER_COMPANY, b"\x02\x01\x06", b""]),
)
addresses = st.sampled_from([bytes(6), hci_events.ADDRESS, b"\x01" + bytes(5)])
address_types = st.sampled_from([0, 1, 1, 1, 0xFF])
legacy_reports = st.builds(
    hci_events.legacy_report,
    payload,
    kind=st.integers(0, 5),
    address_type=address_types,
    address=addresses,
    rssi=i8,
)
extended_reports = st.builds(
    hci_events.extended_report,
    payload,
    bits=st.sampled_from([0, 1, 4, 8, 0x10, 0x13, 0x1B]),
    status=st.integers(0, 3),
    address_type=address_types,
    address=addresses,
    primary=u8,
    secondary=u8,
    sid=st.integers(0, 1),
    tx_power=i8,
    rssi=i8,
)
report_events = st.one_of(
    st.lists(legacy_reports, max_size=4).map(lambda r: hci_events.legacy_event(*r)),
    st.lists(extended_reports, max_size=3).map(lambda r: hci_events.extended_event(*r)),
)
settings = st.builds(
    SetAll,
    fltr_id=st.sampled_from([0x0499, 0x004C, 0]),
    fltr_tags=st.booleans(),
    use_coded_phy=st.booleans(),
    use_1m_phy=st.booleans(),
    use_2m_phy=st.booleans(),
    max_adv_len=st.sampled_from([0, 10, 48, 255]),
)
packets = st.one_of(
    report_events.map(hci_events.h4),
    st.sampled_from(
        [
            hci_events.h4(hci_events.complete(0x0C03)),
            hci_events.h4(hci_events.status(0x2042, 0x0C)),
            hci_events.h4(hci_events.event(0x10, b"\x07")),
            hci_events.h4(hci_events.event(0xFF, b"\xaafile.c\0\x01\x00\x00\x00")),
            bytes.fromhex("02 40 20 05 00") + bytes(5),
            bytes.fromhex("03 40 00 03") + bytes(3),
            bytes.fromhex("05 40 00 02 00") + bytes(2),
        ]
    ),
    st.binary(max_size=20),
)


@st.composite
def cut_streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    stream = b"".join(draw(st.lists(packets, max_size=8)))
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    return stream, [stream[a:b] for a, b in pairwise([0, *cuts, len(stream)])]


@given(cut_streams())
@example((b"\x04\x3e", [b"\x04", b"\x3e"]))
def test_cuts_change_nothing_and_every_byte_is_somewhere(given: tuple[bytes, list[bytes]]) -> None:
    stream, reads = given
    whole, cut = ControllerCounters(), ControllerCounters()
    splitter = PacketSplitter(cut)
    expected = PacketSplitter(whole).feed(stream)
    found = []
    for read in reads:
        found += splitter.feed(read)
        assert len(splitter._rest) < 3 + 255
    assert found == expected
    assert cut == whole
    if not cut.packets_skipped:
        used = sum(1 + len(event) for event in found)
        assert used + cut.bytes_skipped + len(splitter._rest) == len(stream)


@given(u8, st.binary(max_size=255))
@example(0x3E, b"\x0d\xff")
@example(0x3E, b"\x02\x01")
def test_no_event_is_too_odd(code: int, parameters: bytes) -> None:
    event = hci_events.event(code, parameters)
    parse(event)
    if is_report(event):
        counters = ControllerCounters()
        reader = ReportReader(counters)
        reader.configure(SetAll(fltr_tags=False))
        for report in reader.read([event], 0.0):
            report.to_frame()
        assert counters.unaccounted == 0
        assert bool(counters.malformed_events) <= (counters.reports == 0)


@given(st.binary(max_size=40))
@example(bytes.fromhex("02ff060BFF4C00"))
@example(bytes.fromhex("02010600FF4C00"))
def test_the_quick_look_at_the_company_agrees_with_the_thorough_one(data: bytes) -> None:
    assert _company(data) == company_id(data)


# -- the mapping, once more and plainly -----------------------------------------------------------


def phy(value: int, *, nothing: int) -> int:
    if value == 0:
        return nothing
    return {3: 4}.get(value, min(value, 15))


@given(
    data=payload,
    bits=st.sampled_from([0, 1, 0x10, 0x13]),
    address_type=st.integers(0, 3),
    address=st.binary(min_size=6, max_size=6),
    primary=u8,
    secondary=u8,
    tx_power=i8,
    rssi=st.integers(-128, 126),
)
def test_every_field_of_an_extended_report(
    data: bytes,
    bits: int,
    address_type: int,
    address: bytes,
    primary: int,
    secondary: int,
    tx_power: int,
    rssi: int,
) -> None:
    event = hci_events.extended_event(
        hci_events.extended_report(
            data,
            bits=bits,
            address_type=address_type,
            address=address,
            primary=primary,
            secondary=secondary,
            tx_power=tx_power,
            rssi=rssi,
        )
    )
    reader = ReportReader(ControllerCounters())
    reader.configure(SetAll(fltr_tags=False))
    [report] = reader.read([event], 0.0)
    is_legacy = bits >= 0x10
    assert report == AdvRprt2(
        address=address,
        data=data,
        rssi=rssi,
        primary_phy=phy(primary, nothing=0),
        secondary_phy=15 if is_legacy else phy(secondary, nothing=15),
        channel=255,
        is_coded_phy=primary in (3, 4),
        tx_power=tx_power if -63 <= tx_power <= 63 else -64,
    )


# -- accounting -----------------------------------------------------------------------------------


@given(
    st.lists(
        st.one_of(
            st.lists(report_events, max_size=6),
            settings,
            st.none(),
            st.sampled_from(["host leaves", "host comes", "reset", "time"]),
        ),
        max_size=12,
    )
)
def test_each_report_is_sent_or_counted(steps: list[object]) -> None:
    counters = ControllerCounters()
    reader = ReportReader(counters)
    now = handed_on = reports = 0.0
    for step in steps:
        match step:
            case list():
                events = [event for event in step if isinstance(event, bytes)]
                reports += sum(event[3] for event in events)
                handed_on += len(reader.read(events, now))
            case SetAll() | None:
                reader.configure(step)
            case "reset":
                reader.clear()
            case "time":
                now += 1.1
            case _:
                reader.host_present = step == "host comes"
        assert counters.unaccounted == 0
        assert counters.waiting <= 16
    assert counters.reports == reports
    assert counters.sent == handed_on
    reader.clear()
    assert counters.waiting == counters.unaccounted == 0


# -- a session with a controller that does as it likes --------------------------------------------

ACTIONS = st.one_of(
    packets,
    settings,
    st.sampled_from(["answer"] * 6 + ["deaf", "hears", "no host", "unplug"]),
    st.integers(1, 600),
)
FAULTS = st.dictionaries(
    st.sampled_from([0x0C03, 0x1001, 0x1009, 0x0C01, 0x2005, 0x200B, 0x2041, 0x2042, 0x200C]),
    st.sampled_from([0x01, 0x0C, 0x11, 0x12, 0x3A]),
    max_size=2,
)


@given(st.sampled_from(ScanChoice), st.booleans(), FAULTS, st.lists(ACTIONS, max_size=40))
def test_a_session_never_fails_and_never_talks_out_of_turn(
    choice: ScanChoice, flush: bool, faults: dict[int, int], actions: list[object]
) -> None:
    counters, ladder = ControllerCounters(), Ladder()
    model = ControllerModel(refusals=faults)
    now = handed_on = 0.0

    def begin() -> ControllerSession:
        session = ControllerSession(choice, bytes(6), ladder=ladder, counters=counters, flush=flush)
        session.start(now)
        return session

    session = begin()
    asked = 0
    for action in actions:
        happenings = []
        match action:
            case "answer":
                if output := session.take_output():
                    command = output[258:] if output[0] == 0 else output
                    assert (output[0] == 0) <= flush
                    assert command[0] == 1
                    assert len(command) == 4 + command[3]
                    asked += 1
                    happenings = session.receive(model.receive(output), now)
            case "deaf":
                model.deaf = not model.deaf
            case "hears":
                happenings = session.receive(model.hears(hci_events.legacy_event()), now)
            case "no host":
                session.host_present = not session.host_present
            case "unplug":
                session.end(now)
            case SetAll():
                happenings = session.set_scan(action, now)
            case bytes():
                happenings = session.receive(action, now)
            case int():
                until = now + action / 10
                while session.deadline <= until:
                    now = max(now, session.deadline)
                    before = session.deadline
                    happenings += session.tick(now)
                    assert session.deadline > before or session.deadline == inf
                now = until
        assert counters.unaccounted == 0
        assert counters.commands >= asked
        handed_on += sum(len(each.reports) for each in happenings if isinstance(each, Heard))
        started = [each for each in happenings if isinstance(each, Started)]
        assert not started or session.facts == started[-1].facts
        spent = [e for e in happenings if isinstance(e, Climbed) and e.rung >= Rung.REOPEN]
        assert bool(spent) <= session.is_spent
        if session.is_spent:
            assert session.deadline == inf
            session.end(now)
            assert counters.waiting == 0
            session = begin()
    assert counters.sent == handed_on


@given(FAULTS, st.sampled_from(ScanChoice))
def test_a_controller_that_answers_is_always_started_or_given_up(
    faults: dict[int, int], choice: ScanChoice
) -> None:
    """Whatever it refuses, there is no endless talk."""
    assume(faults)
    counters = ControllerCounters()
    model = ControllerModel(refusals=faults)
    session = ControllerSession(choice, bytes(6), ladder=Ladder(), counters=counters)
    session.start(0.0)
    while output := session.take_output():
        for each in session.receive(model.receive(output), 0.0):
            if isinstance(each, Started):
                session.set_scan(SetAll(), 0.0)
        assert counters.commands < 60
    assert session.state is not State.STARTING
    assert (session.state is State.SCANNING) == model.scanning
