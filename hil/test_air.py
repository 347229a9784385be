"""What a real radio hears, now or in a recording: it must make sense, more is not known of it."""

from collections import Counter

import pytest

from firmware_protocol.messages import AdvRprt, AdvRprt2, Report, SetAll
from firmware_protocol.scan import company_id
from hil.figures import Figures
from hil.marks import generation, needs
from hil.plugin import Board
from hil.rig import Ability
from hil.wire import NoAnswerError, Wire

pytestmark = needs("radio")
PATIENCE = 25.0
"""One round of all channels, and a bit."""
SECONDS = 5.0
DF5 = bytes.fromhex("1BFF990405")
"""How the structure begins that holds data format 5."""
LINE = 11520
"""Octets per second."""

_silent: set[str] = set()
"""Ports on which nothing was to be heard: one wait is enough."""


def listen(board: Board, wire: Wire, seconds: float = SECONDS) -> list[Report]:
    """What comes from the air, unfiltered. Nothing at all is no fault of the board."""
    if Ability.ANSWER in board.rig.abilities:
        everything = SetAll(fltr_tags=False, max_adv_len=0)
        wire.command(everything)
    silent = f"rig {board.rig.name}: no report at all in {PATIENCE:g} s"
    if board.rig.path in _silent:
        pytest.skip(silent)
    try:
        wire.wait_for_report(PATIENCE)
    except NoAnswerError:
        _silent.add(board.rig.path)
        pytest.skip(silent)
    wire.listen(seconds)
    return wire.reports()


def test_advertisements_are_heard(board: Board, wire: Wire, figures: Figures) -> None:
    """Some, in a number that a line can carry, from more than no address."""
    reports = listen(board, wire)
    times = [h.at for h in wire.heard if isinstance(h.message, AdvRprt | AdvRprt2)]
    span = max(times[-1] - times[0], 1.0)
    octets = sum(len(report.to_frame()) for report in reports)
    figures.rates("from the air", times, None)
    figures.measure("reports per second", len(reports) / span, "/s", low=0)
    figures.measure("octets per second", octets / span, "/s", high=1.5 * LINE)
    figures.measure("addresses", len({report.address for report in reports}), low=1)


def test_rssi_is_plausible(board: Board, wire: Wire, figures: Figures) -> None:
    """What a receiver can hear: -110 to +10 dBm."""
    values = [report.rssi for report in listen(board, wire)]
    figures.measure("weakest", min(values), "dBm", low=-110)
    figures.measure("strongest", max(values), "dBm", high=10)


def test_fields_are_plausible(board: Board, wire: Wire) -> None:
    """Channels, PHYs and lengths that there are."""
    for report in listen(board, wire):
        assert len(report.data) <= 192
        if isinstance(report, AdvRprt2):
            assert report.channel <= 39
            assert report.primary_phy in (0, 1, 4)
            assert report.secondary_phy in (0, 1, 2, 4, 15)


def test_addresses_are_the_right_way_round(board: Board, wire: Wire, figures: Figures) -> None:
    """Ruuvi tags say in their data who they are, too: not from back to front."""
    pairs = [
        (report.address, report.data[at + 22 : at + 28])
        for report in listen(board, wire)
        if (at := report.data.find(DF5)) >= 0
    ]
    if not pairs:
        pytest.skip(f"rig {board.rig.name}: no Ruuvi tag is heard")
    backwards = sum(told == address[::-1] != address for address, told in pairs)
    figures.measure("reports of Ruuvi tags", len(pairs))
    figures.measure("with the address from back to front", backwards, high=0)


@needs("answer")
@generation("2.0.0")
def test_longer_data_is_dropped(board: Board, wire: Wire, figures: Figures) -> None:
    """max_adv_len below the longest that is heard: that one does not come any more."""
    longest = max(len(report.data) for report in listen(board, wire))
    if longest < 2:
        pytest.skip(f"rig {board.rig.name}: no data is heard that could be too long")
    found = _changed(wire, SetAll(fltr_tags=False, max_adv_len=longest - 1))
    figures.measure("longest without a limit", longest, "octets")
    figures.measure("with it", max(map(len, found), default=0), "octets", high=longest - 1)


@needs("answer")
def test_filter(board: Board, wire: Wire, figures: Figures) -> None:
    """Filter on, for the company that is heard least: the others do not come any more."""
    heard = Counter(company_id(report.data) for report in listen(board, wire))
    wanted = heard.most_common()[-1][0]
    found = _changed(wire, SetAll(fltr_id=wanted, fltr_tags=True, max_adv_len=0))
    figures.measure("companies without a filter", len(heard))
    others = sum(company_id(data) != wanted for data in found)
    figures.measure("reports of other companies", others, high=0)


def _changed(wire: Wire, settings: SetAll) -> list[bytes]:
    """Advertising data under these settings; what is on its way still is not meant."""
    wire.command(settings)
    wire.listen(0.5)
    wire.forget()
    wire.listen(SECONDS)
    return [report.data for report in wire.reports()]


def test_no_errors_at_rest(board: Board, wire: Wire, figures: Figures) -> None:
    """Nothing happens but reports: no octet is in no frame."""
    listen(board, wire)
    live = Ability.ANSWER in board.rig.abilities  # a capture may be one of a bad line
    figures.measure("CRC errors", wire.crc_errors, high=0 if live else None)
    figures.measure("octets in no frame", wire.skipped, high=SECONDS if live else None)
