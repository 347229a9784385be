"""Lines for people about controllers."""

import pytest

from firmware_protocol.messages import DeviceId
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.happenings import (
    Asserted,
    Climbed,
    Happening,
    Heard,
    OtherKind,
    Recovered,
    Refused,
    Scanning,
)
from ruuvi_host.hci.identity import Identity, Origin
from ruuvi_host.hci.ladder import Rung
from ruuvi_host.hci.plan import ScanKind, ScanPlan
from ruuvi_host.hci.texts import controller_line, disappointments, happening_line, summary

EVERYTHING = ControllerFacts(hci_version=12, company=0x0002, extended=True, coded=True)
ADDRESS = bytes.fromhex("DCA632010203")
PUBLIC = Identity(DeviceId(bytes(8), ADDRESS), Origin.PUBLIC)
DERIVED = Identity(DeviceId(bytes(8), ADDRESS), Origin.DERIVED)


def test_the_line_of_a_controller() -> None:
    assert controller_line("hci0", EVERYTHING, PUBLIC) == (
        "hci0: Bluetooth 5.3 of company 0x0002, DC:A6:32:01:02:03, hears legacy, extended, coded"
    )
    line = controller_line("/dev/ttyACM0", ControllerFacts(legacy=False), DERIVED)
    assert line == (
        "/dev/ttyACM0: Bluetooth of unknown version of an unknown company, "
        "DC:A6:32:01:02:03 (derived from this machine and --hci), hears nothing"
    )


@pytest.mark.parametrize(
    ("number", "version"),
    [(0, "1.0b"), (6, "4.0"), (9, "5.0"), (13, "5.4"), (16, "6.2"), (99, "of HCI version 99")],
)
def test_versions(number: int, version: str) -> None:
    assert ControllerFacts(hci_version=number).version == version


@pytest.mark.parametrize(
    ("happening", "parts"),
    [
        (Scanning(None), ["scan off"]),
        (Scanning(ScanPlan(ScanKind.EXTENDED, True, True)), ["1M and Coded", "extended"]),
        (Scanning(ScanPlan(ScanKind.LEGACY, True, False)), ["1M, legacy"]),
        (Refused(0x2042, 0x0C, ""), ["LE Set Extended Scan Enable (0x2042)", "0x0C", "again"]),
        (Refused(0x2042, 0x12, "a remedy"), ["invalid command parameters", "a remedy"]),
        (OtherKind(ScanKind.LEGACY, "it is refused"), ["it is refused", "legacy"]),
        (Asserted("ull.c", 12), ["ull.c line 12"]),
        (Climbed(Rung.SCAN_ANEW, "quiet", True), ["rung 1", "quiet"]),
        (Climbed(Rung.RESET, "dead", True), ["rung 2", "dead"]),
        (Climbed(Rung.POWER, "dead", True), ["rung 4", "power", "unplug"]),
        (Recovered(Rung.RESET, 90.4), ["90 s", "rung 2"]),
        (Recovered(Rung.RESET, 0.4), ["reports again; rung 2"]),
        (Climbed(Rung.SCAN_ANEW, "quiet", False), None),
        (Heard([]), None),
    ],
)
def test_lines_for_the_log(happening: Happening, parts: list[str] | None) -> None:
    line = happening_line(happening)
    if parts is None:
        assert line is None
    else:
        assert line
        assert all(part in line for part in parts)


def test_a_controller_that_can_everything_does_not_disappoint() -> None:
    counters = ControllerCounters(reports=100, no_rssi=1)
    assert disappointments(EVERYTHING, PUBLIC, ScanKind.EXTENDED, counters) == []


def test_there_is_a_line_for_each_thing_that_disappoints() -> None:
    lines = disappointments(ControllerFacts(), DERIVED, ScanKind.LEGACY)
    assert len(lines) == 3
    assert "E1" in lines[0]
    assert "Coded" in lines[1]
    assert "--address" in lines[2]
    [told] = disappointments(
        EVERYTHING, PUBLIC, ScanKind.EXTENDED, ControllerCounters(bytes_skipped=9)
    )
    assert "nothing at all was heard" in told
    lines = disappointments(
        EVERYTHING,
        PUBLIC,
        ScanKind.EXTENDED,
        ControllerCounters(reports=5, no_rssi=5, bytes_skipped=9, malformed_events=2),
    )
    assert len(lines) == 3
    assert any("E1" in line for line in disappointments(EVERYTHING, PUBLIC, ScanKind.LEGACY))


def test_the_summary_names_every_reason() -> None:
    counters = ControllerCounters(
        reports=20, sent=9, joined=1, scan_responses=2, orphaned=8, rungs=[1, 0, 2, 0]
    )
    assert counters.unaccounted == 0
    line = summary(counters)
    assert "HCI reports 20: sent 9, joined 1, dropped 10 (scan responses 2, orphaned 8)" in line
    assert "rungs 1 0 2 0" in line
