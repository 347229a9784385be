"""Silent sensors and low batteries: when they are told, and when not."""

from dataclasses import replace

import pytest

from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.formats.derived import battery_low
from ruuvi_host.formats.df5 import HEADER, Format5
from ruuvi_host.formats.df5 import encode as encode5
from ruuvi_host.formats.dff0 import FormatF0
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.heard import Heard, heard
from ruuvi_host.intake.readings import Readings
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.intake.watched import SensorWatch
from ruuvi_host.monitoring.health import Level
from ruuvi_host.monitoring.sensor_log import PAUSE, SensorLog
from ruuvi_host.monitoring.sensor_status import (
    MOST_NAMED,
    Change,
    News,
    SensorStatus,
    findings,
)

ADDRESS = bytes.fromhex("CBB8334C884F")
SAUNA = SensorSettings(ADDRESS, "Sauna", silent_after=60.0)


class World:
    """A table, and a watch that looks at it."""

    def __init__(self, *sensors: SensorSettings, max_sensors: int = 100) -> None:
        self.table = AdvertisementTable(max_sensors)
        self.readings = Readings(sensors)
        self.watch = SensorWatch(0.0)
        self.sequence = 0

    def report(
        self,
        now: float,
        volts: float | None = 3.0,
        temperature: float | None = 20.0,
        address: bytes = ADDRESS,
    ) -> None:
        self.sequence += 1
        measured = Format5(
            temperature=temperature, battery_voltage=volts, measurement_sequence=self.sequence
        )
        self.put(now, HEADER + encode5(measured)[1:], address)

    def put(self, now: float, data: bytes, address: bytes = ADDRESS) -> None:
        self.table.put([(address, data, -60, 1, 15, 37, None, now, 1)])

    def look(self, now: float, *, listening: bool = True) -> tuple[SensorStatus, list[Change]]:
        statuses, news = self.watch.look(self.readings, self.table, now, listening=listening)
        assert [n.sensor for n in news] == [statuses[0]] * len(news)
        return statuses[0], [n.change for n in news]


def test_silence_is_told_once_and_its_end() -> None:
    world = World(SAUNA)
    world.report(10.0)
    assert world.look(12.0)[1] == []
    status, changes = world.look(69.9)
    assert (status.silent, status.heard, changes) == (False, 10.0, [])
    status, changes = world.look(70.0)
    assert (status.silent, changes) == (True, [Change.SILENT])
    assert world.look(500.0) == (replace(status), [])
    world.report(600.0)
    status, changes = world.look(603.0)
    assert (status.silent, status.heard, changes) == (False, 600.0, [Change.HEARD_AGAIN])


def test_how_long_it_was_silent() -> None:
    world = World(SAUNA)
    world.report(10.0)
    world.look(10.0)
    _, [news] = world.watch.look(world.readings, world.table, 75.0, listening=True)
    assert str(news) == "sensor Sauna (CB:B8:33:4C:88:4F): not heard for 65 s"
    world.report(610.0)
    _, [news] = world.watch.look(world.readings, world.table, 612.0, listening=True)
    assert str(news) == "sensor Sauna (CB:B8:33:4C:88:4F): heard again, after 10 min"


def test_one_that_was_never_heard_is_silent_after_its_limit() -> None:
    world = World(SAUNA)
    assert world.look(59.0)[1] == []
    status, changes = world.look(60.0)
    assert (status.heard, status.silent, changes) == (None, True, [Change.SILENT])


def test_one_that_left_the_table_is_silent_after_its_limit() -> None:
    world = World(SAUNA, max_sensors=1)
    world.report(10.0)
    world.look(11.0)
    world.report(12.0, address=bytes(6))
    assert world.table.look_up(ADDRESS) is None
    status, _changes = world.look(40.0)
    assert (status.heard, status.silent) == (10.0, False)
    assert world.look(70.0)[1] == [Change.SILENT]


def test_an_emptied_table_is_not_a_report() -> None:
    world = World(SAUNA)
    world.report(10.0)
    world.look(11.0)
    world.table.clear()
    assert world.look(70.0)[1] == [Change.SILENT]


@pytest.mark.parametrize("limit", [0.0, 61.0])
def test_another_limit_counts_at_once_and_is_no_news_of_a_report(limit: float) -> None:
    world = World(SAUNA)
    assert world.look(60.0)[1] == [Change.SILENT]
    world.readings = Readings([replace(SAUNA, silent_after=limit)])
    status, changes = world.look(60.5)
    assert (status.silent, changes) == (False, [])
    world.readings = Readings([SAUNA])
    assert world.look(61.0)[0].silent


def test_one_that_gets_a_table_later_was_heard_before() -> None:
    world = World()
    world.report(100.0)
    world.readings = Readings([SAUNA])
    status, changes = world.look(130.0)
    assert (status.heard, status.silent, changes) == (100.0, False, [])
    assert world.look(160.0)[0].silent


def test_nobody_falls_silent_while_nothing_can_be_heard() -> None:
    world = World(SAUNA)
    world.report(0.0)
    world.look(0.0)
    for now in range(5, 3605, 5):
        assert not world.look(now, listening=False)[0].silent
    assert not world.look(3655.0)[0].silent
    assert world.look(3661.0)[0].silent
    # It stays so when the port is lost now.
    assert world.look(3700.0, listening=False) == (world.look(3700.0)[0], [])
    assert world.look(3700.0)[0].silent


def test_the_same_data_again_is_heard() -> None:
    world = World(SAUNA)
    data = HEADER + encode5(Format5(temperature=1.0))[1:]
    for now in range(0, 600, 30):
        world.put(float(now), data)
        status, _changes = world.look(now + 1.0)
        assert not status.silent
    # That the statistics take the number of reports is no report.
    assert status.heard is not None
    world.table.take_samples()
    assert world.look(status.heard + 30)[0].heard == status.heard
    assert world.look(status.heard + 60)[1] == [Change.SILENT]


def test_samples_that_begin_anew() -> None:
    advertisement = Advertisement(ADDRESS, b"x", 0, 1, 15, 37, None, 5.0, 0)
    before = Heard(5.0, 7, 6.0)
    assert heard(before, advertisement, 7, 10.0) == before
    assert heard(before, advertisement, 8, 10.0).at == 10.0
    assert heard(before, advertisement, 0, 10.0) == Heard(5.0, 0, 6.0)
    assert heard(before, advertisement, 3, 10.0).at == 10.0
    assert heard(None, advertisement, 3, 10.0).at == 5.0


# -- batteries ------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [None, 25.0, 0.0, -0.5, -20.0, -20.5])
@pytest.mark.parametrize("volts", [2.6, 2.5, 2.499, 2.3, 2.299, 2.0, 1.999, 1.7])
def test_the_default_limit_is_ruuvis_own(temperature: float | None, volts: float) -> None:
    world = World(SAUNA)
    world.report(0.0, volts, temperature)
    assert world.look(1.0)[0].low_battery is battery_low(volts, temperature)


def test_a_low_battery_is_told_once_and_until_it_is_good() -> None:
    world = World(SAUNA)
    told = []
    steps = (2.51, 2.49, 2.51, 2.54, 2.49, 2.55, 2.51, None, 2.4, None)
    for now, volts in enumerate(steps):
        world.report(float(now), volts)
        status, changes = world.look(now + 0.5)
        told.append((status.low_battery, changes))
    expected = [False, True, True, True, True, False, False, False, True, True]
    assert [low for low, _ in told] == expected
    changed = [(n, changes[0]) for n, (_, changes) in enumerate(told) if changes]
    low, good = Change.LOW_BATTERY, Change.GOOD_BATTERY
    assert changed == [(1, low), (5, good), (8, low)]
    assert status.battery_voltage == 2.4


def test_a_battery_in_a_thaw_does_not_flap() -> None:
    world = World(SAUNA)
    changes = []
    for now, temperature in enumerate((-5.0, 1.0, -1.0, 1.0, -1.0)):
        world.report(float(now), 2.4, temperature)
        changes += world.look(now + 0.5)[1]
    assert changes == [Change.LOW_BATTERY]


def test_a_limit_of_ones_own_and_none() -> None:
    world = World(replace(SAUNA, battery_volts=2.9))
    world.report(0.0, 2.8)
    assert world.look(1.0)[1] == [Change.LOW_BATTERY]
    world.readings = Readings([replace(SAUNA, battery_volts=0.0)])
    status, changes = world.look(2.0)
    assert (status.low_battery, status.battery_voltage, changes) == (False, 2.8, [])


def test_a_sensor_that_says_so_itself() -> None:
    from ruuvi_host.simulator.kinds import advert

    world = World(SAUNA)
    values = fields_of(FormatF0(low_battery=True))
    world.put(0.0, advert(0xF0, values).data)
    status, changes = world.look(1.0)
    assert (status.low_battery, changes) == (True, [Change.LOW_BATTERY])
    world.put(2.0, advert(0xF0, values | {"low_battery": False, "temperature": 3.0}).data)
    assert world.look(3.0)[1] == [Change.GOOD_BATTERY]


def fields_of(measurement: FormatF0) -> dict[str, object]:
    return measurement._asdict() | {"measurement_sequence": 0}


# -- what is said ---------------------------------------------------------------------------------


def statuses(count: int, *, silent: bool) -> list[SensorStatus]:
    return [
        SensorStatus(f"a{n}", f"s{n}" * (n % 2), 10.0 * n or None, silent, 2.4, not silent)
        for n in range(count)
    ]


def test_health_tells_of_a_few_and_how_many_more() -> None:
    [finding] = findings(statuses(3, silent=True), 200.0)
    assert finding.level is Level.DEGRADED
    assert finding.sentence == "silent sensors: a0 since start, s1 for 3 min, a2 for 3 min"
    [finding] = findings(statuses(2, silent=False), 200.0)
    assert finding.level is Level.DEGRADED
    assert finding.sentence == "low battery: a0 2.40 V, s1 2.40 V"
    [finding] = findings(statuses(300, silent=True), 200.0)
    assert finding.sentence.count(",") == MOST_NAMED - 1
    assert finding.sentence.endswith(" and 295 more")
    assert list(findings([SensorStatus("a", "", None)], 0.0)) == []


def test_the_log_has_a_few_lines_of_many_sensors() -> None:
    log = SensorLog()
    many = statuses(8, silent=True)
    lines = log.lines(many, [News(Change.SILENT, status, 60.0) for status in many], 0.0)
    assert lines[:2] == [
        (True, "sensor a0: not heard for 60 s"),
        (True, "sensor s1 (a1): not heard for 60 s"),
    ]
    assert lines[MOST_NAMED:] == [(True, "the same of 3 more sensors")]
    assert log.lines(many, [], 5.0) == []
    assert log.lines([], [], 10.0) == []
    assert log._told == {}


def test_what_begins_again_and_again_is_told_after_a_pause() -> None:
    log = SensorLog()
    silent = SensorStatus("a", "", 10.0, silent=True)
    heard = replace(silent, silent=False)
    begins, ends = News(Change.SILENT, silent, 60.0), News(Change.HEARD_AGAIN, heard, 90.0)
    assert log.lines([silent], [begins], 0.0) == [(True, "sensor a: not heard for 60 s")]
    assert log.lines([heard], [ends], 1.0) == [(False, "sensor a: heard again, after 90 s")]
    assert log.lines([silent], [begins], 2.0) == []
    assert log.lines([heard], [ends], 3.0) == [], "that it had begun again was not told"
    assert log.lines([silent], [begins], 4.0) == []
    assert log.lines([silent], [], PAUSE - 1.0) == []
    assert log.lines([silent], [], PAUSE) == [(True, "sensor a: not heard for 10 min")]
    assert log.lines([silent], [], 3 * PAUSE) == []
    assert log.lines([heard], [ends], 3 * PAUSE + 1) == [(False, str(ends))]


def test_another_limit_is_no_end_in_the_log() -> None:
    log = SensorLog()
    silent = SensorStatus("a", "", 10.0, silent=True)
    begins = News(Change.SILENT, silent, 60.0)
    assert len(log.lines([silent], [begins], 0.0)) == 1
    assert log.lines([replace(silent, silent=False)], [], 1.0) == []
    assert len(log.lines([silent], [begins], PAUSE)) == 1


def test_a_battery_and_silence_are_two_things() -> None:
    log = SensorLog()
    both = SensorStatus("a", "Sauna", 10.0, True, 2.4, True)
    news = [News(Change.SILENT, both, 60.0), News(Change.LOW_BATTERY, both, 0.0)]
    assert [line for _, line in log.lines([both], news, 0.0)] == [str(one) for one in news]
    good = replace(both, low_battery=False, battery_voltage=3.0)
    end = News(Change.GOOD_BATTERY, good, 0.0)
    assert log.lines([good], [end], 5.0) == [
        (False, "sensor Sauna (a): the battery is good: 3.00 V")
    ]


def test_a_battery_that_says_so_without_a_voltage() -> None:
    news = News(Change.LOW_BATTERY, SensorStatus("a", "", 1.0), 0.0)
    assert str(news) == "sensor a: the battery is low: it says so itself"
