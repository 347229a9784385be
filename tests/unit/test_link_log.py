"""The log lines of a link: few, and the last one is always right."""

import logging

import pytest
from conftest import ManualClock

from firmware_protocol.messages import DeviceId, SetAll
from ruuvi_host.device.link_log import LinkLog
from ruuvi_host.errors import PortError
from ruuvi_host.monitoring.link_status import LineDamage

LOST = PortError("/dev/x", "lost: unplugged")


class Reader:
    """A link's log, and the lines since the last look."""

    def __init__(self, log: pytest.LogCaptureFixture, name: str = "") -> None:
        log.set_level(logging.INFO, "ruuvi_host")
        self.clock = ManualClock()
        self.link = LinkLog(name, self.clock)
        self._log = log

    def lines(self) -> list[str]:
        lines = [record.getMessage() for record in self._log.records]
        self._log.clear()
        return lines

    def cycle(self, ready: float) -> None:
        """Opened, ready for a while, lost."""
        self.link.opened("/dev/x")
        self.link.configured(refused=False, again=False)
        self.clock.advance(ready)
        self.link.lost(LOST)
        self.clock.advance(0.5)


@pytest.fixture
def reader(caplog: pytest.LogCaptureFixture) -> Reader:
    return Reader(caplog)


def test_a_flapping_port_costs_two_lines_a_minute(reader: Reader) -> None:
    for _ in range(200):
        reader.cycle(ready=1.0)
    lines = reader.lines()
    assert 2 * 5 <= len(lines) <= 1 + 2 * 6  # in five minutes
    assert lines[:3] == [
        "/dev/x: opened",
        "coprocessor configured; listening",
        "/dev/x: lost: unplugged; trying again",
    ]
    assert "(40 failures since the last message)" in lines[4]


def test_a_loss_after_a_steady_minute_is_told(reader: Reader) -> None:
    for _ in range(3):
        reader.cycle(ready=61)
    assert reader.lines().count("/dev/x: lost: unplugged; trying again") == 3


def test_the_last_line_tells_how_it_is(reader: Reader) -> None:
    """Whatever was left out before it."""
    for _ in range(100):
        reader.cycle(ready=1.0)
        reader.link.lost(LOST)
    reader.link.opened("/dev/x")
    reader.link.configured(refused=False, again=False)
    assert reader.lines()[-1] == "coprocessor configured; listening"


def test_quiet_times_are_told_once_in_a_while(reader: Reader) -> None:
    for _ in range(5):
        reader.link.quiet(50, None, SetAll(fltr_id=0x4C))
        reader.link.reports_again()
    assert reader.lines() == [
        "no reports for 50 s, though the coprocessor answers: is a sensor in range, and does the "
        "filter let it through? Only company 0x004C passes (company_use_filtering).",
        "reports are coming in again",
    ]


def test_damage_is_told_before_the_sensors_are_suspected(reader: Reader) -> None:
    damage = LineDamage(100, 40, 5, 9.0, 0.0, True, "telnet", False, "40 % are damaged", "do this")
    reader.link.damaged(damage)
    reader.link.damaged(damage)
    reader.link.quiet(50, damage, SetAll(fltr_tags=False))
    assert reader.lines() == [
        "40 % are damaged; do this",
        "no reports for 50 s, though the coprocessor answers. 40 % are damaged; do this. If that "
        "is in order: is a sensor in range, and does the filter let it through?",
    ]


def test_reboots_for_want_of_reports_are_not_told(reader: Reader) -> None:
    reader.link.opened("/dev/x")
    reader.link.configured(refused=False, again=False)
    reader.lines()
    for _ in range(100):
        reader.link.rebooted(quiet=True)
        reader.link.configured(refused=False, again=False)
    assert reader.lines() == []
    reader.link.rebooted(quiet=False)
    reader.link.configured(refused=False, again=False)
    assert reader.lines() == ["coprocessor has rebooted", "coprocessor configured; listening"]


def test_one_of_several_says_which_one_it_is(caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader(caplog, "#2")
    reader.cycle(1)
    reader.link.not_reset(PortError("/dev/x", "no"))
    assert all(line.startswith("#2: ") for line in reader.lines())


def test_one_that_is_another_each_time_costs_a_line_a_minute(reader: Reader) -> None:
    """Nothing else is told of it: it answers at once, and is never configured."""
    for number in range(3000):
        reader.link.identified(DeviceId(bytes(8), number.to_bytes(6)))
        reader.clock.advance(0.1)
    lines = reader.lines()
    assert len(lines) == 5
    assert lines[0] == "coprocessor 00:00:00:00:00:00"
    assert lines[1] == "coprocessor 00:00:00:00:02:58 (600 times since the last message)"


def test_another_one_in_its_place_is_told_at_once(reader: Reader) -> None:
    reader.link.identified(DeviceId(bytes(8), bytes(6)))
    reader.cycle(ready=61)
    reader.link.identified(DeviceId(bytes(8), bytes([1] * 6)))
    reader.cycle(ready=61)
    reader.link.identified(DeviceId(bytes(8), bytes([2] * 6)))
    told = [line for line in reader.lines() if line.startswith("coprocessor 0")]
    assert [line[-2:] for line in told] == ["00", "01", "02"]


def test_a_port_that_moves_all_the_time_costs_a_line_a_minute(reader: Reader) -> None:
    for number in range(300):
        reader.link.moved(f"/dev/ttyACM{number % 2}")
        reader.clock.advance(0.5)
    assert len(reader.lines()) == 3


def test_a_refusal_that_comes_and_goes_is_told_once_in_a_while(reader: Reader) -> None:
    for number in range(100):
        reader.link.configured(refused=number % 2 == 0, again=False)
    assert sum("refused" in line for line in reader.lines()) == 1


def test_what_was_refused_is_not_called_accepted(reader: Reader) -> None:
    reader.link.configured(refused=True, again=True)
    reader.link.configured(refused=True, again=True)
    reader.link.configured(refused=False, again=True)
    refused, *lines = reader.lines()
    assert "refused part of its settings" in refused
    assert [line.rpartition("coprocessor ")[2] for line in lines] == [
        "has its new settings, but for what it refused",
        "has its new settings, but for what it refused",
        "has accepted its new settings",
    ]
