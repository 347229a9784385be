"""What a real radio hears, now or in a recording: it must make sense, more is not known of it."""

import time
from collections import Counter
from itertools import pairwise
from typing import TypeGuard

import pytest

from firmware_protocol.messages import AdvRprt, AdvRprt2, GetAll, Report, SetAll
from firmware_protocol.scan import company_id

from .figures import Figures
from .identity import UNKNOWN
from .marks import generation, needs
from .plugin import Board
from .rig import Ability
from .wire import NoAnswerError, Wire

pytestmark = needs("radio")
TIMEOUT = 25.0
"""One round of all channels, and a bit."""
SECONDS = 5.0
DF5 = bytes.fromhex("1BFF990405")
"""How the structure begins that holds data format 5."""
UNKNOWN_CHANNEL = 255
MOMENT = 0.5
"""What is on its way may still come in so long."""
ROUND = 22.0
"""Three channels of 7 s, and a bit."""
ENOUGH = 5
"""Reports in SECONDS; of so many some come in each part of a round."""
AT_ONCE = 0.01
"""Seconds. Nobody advertises as often: Bluetooth's shortest interval is 20 ms."""
NAMES: dict[type[Report], str] = {
    AdvRprt: "ADV_RPRT (0x10)",
    AdvRprt2: "ADV_RPRT2 (0x12)",
}
NOBODY = 0x7A5B
"""Not a company that anybody is of."""
PRIMARY = {37, 38, 39}
LINE = 11520
"""Bytes per second."""

_silent: set[str] = set()
"""Ports on which nothing was received: one wait is enough."""


def listen(board: Board, wire: Wire, seconds: float = SECONDS) -> list[Report]:
    """What comes from the air, unfiltered. Nothing at all is no fault of the board."""
    if Ability.ANSWER in board.rig.abilities:
        everything = SetAll(fltr_tags=False, max_adv_len=0)
        wire.command(everything)
    silent = f"rig {board.rig.name}: no report at all in {TIMEOUT:g} s"
    if board.rig.path in _silent:
        pytest.skip(silent)
    try:
        wire.wait_for_report(TIMEOUT)
    except NoAnswerError:
        _silent.add(board.rig.path)
        pytest.skip(silent)
    wire.listen(seconds)
    return wire.reports()


def test_advertisements_are_received(board: Board, wire: Wire, figures: Figures) -> None:
    """Some, in a number that a line can carry, from more than no address."""
    reports = listen(board, wire)
    received = [h for h in wire.received if isinstance(h.message, AdvRprt | AdvRprt2)]
    times = [h.at for h in received]
    span = max(times[-1] - times[0], 1.0)
    raw = sum(len(report.to_frame()) for report in reports)
    figures.rates("from the air", times, None)
    figures.measure("reports per second", len(reports) / span, "/s", low=0)
    figures.measure("bytes per second", raw / span, "/s", high=1.5 * LINE)
    twice = sum(
        one.message == next_one.message and next_one.at - one.at < AT_ONCE
        for one, next_one in pairwise(
            h for h in wire.received if isinstance(h.message, AdvRprt | AdvRprt2)
        )
    )
    figures.measure("the same twice at once", twice, high=max(len(reports) // 4, 1))
    figures.measure("addresses", len({report.address for report in reports}), low=1)


def test_rssi_is_plausible(board: Board, wire: Wire, figures: Figures) -> None:
    """What a receiver can hear: from -110 dBm to less than 0."""
    values = [report.rssi for report in listen(board, wire)]
    figures.measure("weakest", min(values), "dBm", low=-110)
    figures.measure("strongest", max(values), "dBm", high=-1)


def test_fields_are_plausible(board: Board, wire: Wire) -> None:
    """Channels, PHYs and lengths that there are, and that go together."""
    for report in listen(board, wire):
        assert len(report.data) <= 192
        if not isinstance(report, AdvRprt2):
            continue
        told = (
            f"primary PHY {report.primary_phy}, secondary PHY {report.secondary_phy}, "
            f"channel {report.channel}"
        )
        assert report.primary_phy in (0, 1, 4), f"no such primary PHY: {told}"
        assert report.secondary_phy in (0, 1, 2, 4, 15), f"no such secondary PHY: {told}"
        # What has a secondary PHY was received there at last, on a channel for data.
        if report.channel == UNKNOWN_CHANNEL and Ability.CHANNELS not in board.rig.abilities:
            continue
        primary = report.channel in PRIMARY
        assert report.channel <= 39, f"no such channel: {told}"
        assert report.secondary_phy in (1, 2, 4) or primary, f"not on a primary channel: {told}"


@needs("answer")
def test_generation_of_reports(board: Board, wire: Wire) -> None:
    """ADV_RPRT (0x10) before firmware 2.0.0, ADV_RPRT2 (0x12) since, and nothing else."""
    if board.identity.generation == UNKNOWN:
        pytest.skip("this board does not tell its generation")
    right, wrong = (AdvRprt, AdvRprt2) if board.is_v1 else (AdvRprt2, AdvRprt)
    others = sum(isinstance(report, wrong) for report in listen(board, wire, 1.0))
    assert not others, (
        f"{others} {NAMES[wrong]}: a board that answers like firmware "
        f"{board.identity.generation} reports with {NAMES[right]} only"
    )


@needs("answer")
def test_reports_go_on(board: Board, wire: Wire, figures: Figures) -> None:
    """The scan has gone through all channels and begins anew: there are still reports. (It stays
    on each of them for 7 s.)"""
    begin = time.monotonic()
    if len(listen(board, wire)) < ENOUGH:
        pytest.skip(f"rig {board.rig.name}: too few reports to tell")
    wire.listen(max(begin + ROUND - time.monotonic(), 0))
    reboots = sum(isinstance(h.message, GetAll) for h in wire.received)
    assert not reboots, (
        f"{reboots} times GET_ALL in {ROUND:g} s, though there are reports: a reboot?"
    )
    on = {report.channel for report in wire.reports() if _is_legacy(report)} & PRIMARY
    wire.forget()
    try:
        wire.wait_for_report(ROUND / 2)
    except NoAnswerError as error:
        raise NoAnswerError(f"{ROUND:g} s after SET_ALL: {error}") from None
    if on:  # a program in the place of a board may have but one
        official = Ability.RECEIVER in board.rig.abilities
        figures.measure("primary channels", len(on), low=2 if official else None)


def _is_legacy(report: Report) -> TypeGuard[AdvRprt2]:
    """Has it been received on a primary channel?"""
    return isinstance(report, AdvRprt2) and report.secondary_phy == 15


@needs("answer", "channels")
@generation("2.0.0")
@pytest.mark.parametrize("channel", sorted(PRIMARY))
def test_one_channel(channel: int, board: Board, wire: Wire, figures: Figures) -> None:
    """Two of the three switched off: what comes has been received on the third."""
    listen(board, wire, 0.0)
    flags = {f"ch_{number}": number == channel for number in PRIMARY}
    wire.command(SetAll(fltr_tags=False, max_adv_len=0, **flags))
    wire.listen(MOMENT)
    wire.forget()
    wire.listen(SECONDS / 2)
    found = [report.channel for report in wire.reports() if _is_legacy(report)]
    figures.measure("reports", len(found))
    figures.measure("on another channel", sum(on != channel for on in found), high=0)


@needs("answer")
@generation("2.0.0")
def test_without_a_phy(board: Board, wire: Wire, figures: Figures) -> None:
    """All PHYs switched off: the scan stops, and nothing is reported."""
    listen(board, wire, 0.0)
    found = _changed(
        wire, SetAll(fltr_tags=False, use_1m_phy=False, use_2m_phy=False, max_adv_len=0), 2.0
    )
    figures.measure("reports without a PHY", len(found), high=0)


def test_addresses_are_the_right_way_round(board: Board, wire: Wire, figures: Figures) -> None:
    """Ruuvi tags say in their data who they are, too: not from back to front."""
    pairs = [
        (report.address, report.data[at + 22 : at + 28])
        for report in listen(board, wire)
        if (at := report.data.find(DF5)) >= 0
    ]
    if not pairs:
        pytest.skip(f"rig {board.rig.name}: no Ruuvi tag is received")
    backwards = sum(told == address[::-1] != address for address, told in pairs)
    figures.measure("reports of Ruuvi tags", len(pairs))
    figures.measure("with the address from back to front", backwards, high=0)


@needs("answer")
@generation("2.0.0")
def test_longer_data_is_dropped(board: Board, wire: Wire, figures: Figures) -> None:
    """max_adv_len below the longest that is received: that one does not come any more."""
    longest = max(len(report.data) for report in listen(board, wire))
    if longest < 2:
        pytest.skip(f"rig {board.rig.name}: no data is received that could be too long")
    found = _changed(wire, SetAll(fltr_tags=False, max_adv_len=longest - 1))
    figures.measure("longest without a limit", longest, "bytes")
    figures.measure("with it", max(map(len, found), default=0), "bytes", high=longest - 1)


@needs("answer")
def test_filter(board: Board, wire: Wire, figures: Figures) -> None:
    """Filter on, for the company that is received most: it still comes, the others do not."""
    counts = Counter(company_id(report.data) for report in listen(board, wire))
    # That of id 0, which is none, would tell nothing of the order of the bytes.
    (wanted, before), *others = sorted(counts.items(), key=lambda one: (one[0] != 0, one[1]))[::-1]
    if not others:
        wanted, before = NOBODY, 0
    found = Counter(map(company_id, _changed(wire, SetAll(fltr_id=wanted, max_adv_len=0))))
    figures.measure("companies without a filter", len(counts))
    figures.measure("reports of other companies", found.total() - found[wanted], high=0)
    low = 1 if before >= ENOUGH else None
    figures.measure(f"reports of company 0x{wanted:04X}", found[wanted], low=low)


def _changed(wire: Wire, settings: SetAll, seconds: float = SECONDS) -> list[bytes]:
    """Advertising data under these settings; what is on its way still is not meant."""
    wire.command(settings)
    wire.listen(MOMENT)
    wire.forget()
    wire.listen(seconds)
    return [report.data for report in wire.reports()]


def test_no_errors_at_rest(board: Board, wire: Wire, figures: Figures) -> None:
    """Nothing happens but reports: no byte is in no frame."""
    listen(board, wire)
    live = Ability.ANSWER in board.rig.abilities  # a capture may be one of a bad line
    figures.measure("CRC errors", wire.crc_errors, high=0 if live else None)
    figures.measure("bytes in no frame", wire.skipped, high=SECONDS if live else None)
