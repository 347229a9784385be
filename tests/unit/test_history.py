"""What sensors measured in the last day: which points there are, and how much memory they take."""

import tracemalloc

import pytest

from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.formats import fields
from ruuvi_host.formats.df5 import HEADER, Format5
from ruuvi_host.formats.df5 import encode as encode5
from ruuvi_host.formats.dfe0 import FormatE0
from ruuvi_host.formats.dfe1 import FormatE1
from ruuvi_host.formats.measurement import QUANTITIES as FIELDS
from ruuvi_host.intake.history import (
    HOLDS,
    MOST_SENSORS,
    POINTS,
    QUANTITIES,
    STEP,
    History,
    Points,
)
from ruuvi_host.intake.readings import Readings
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.simulator.kinds import advert

ADDRESS = bytes.fromhex("CBB8334C884F")
BOOTED = 1_700_000_040
"""UTC of the boot; a multiple of STEP."""


class World:
    """A table, and a history of it. Time begins with the boot."""

    def __init__(self, *sensors: SensorSettings) -> None:
        self.table = AdvertisementTable(1000)
        self.readings = Readings(sensors)
        self.history = History()
        self.now = 0.0
        self.asleep = 0.0
        self.sequence = 0

    def report(self, address: bytes = ADDRESS, rssi: int = -60, **values: float | None) -> None:
        self.sequence += 1
        measured = Format5(measurement_sequence=self.sequence)._replace(**values)  # type: ignore[arg-type]
        self.put(HEADER + encode5(measured)[1:], address, rssi)

    def put(self, data: bytes, address: bytes = ADDRESS, rssi: int = -60) -> None:
        self.table.put([(address, data, rssi, 1, 15, 37, None, self.now, 1)])

    def sample(self) -> None:
        self.history.sample(self.readings, self.table, self.now, self.now + self.asleep)

    def series(self, quantity: str = "temperature", since: float = 0.0) -> Points:
        uptime = self.now + self.asleep
        return self.history.series(ADDRESS, quantity, since, uptime, BOOTED + uptime)


def test_points_of_what_was_measured() -> None:
    world = World()
    for n in range(4):
        world.now = n * STEP + 5
        world.report(temperature=20.0 + n, humidity=50.123, pressure=100_044, battery_voltage=2.977)
        world.sample()
    assert world.series() == [(BOOTED + n * STEP, 20.0 + n) for n in range(4)]
    assert world.history.quantities(ADDRESS) == [
        *("temperature", "humidity", "pressure", "battery_voltage", "rssi")
    ]
    newest = {name: world.series(name)[-1][1] for name in world.history.quantities(ADDRESS)}
    assert newest == {
        "temperature": 23.0,
        "humidity": 50.12,
        "pressure": 100_044,
        "battery_voltage": 2.977,
        "rssi": -60,
    }
    assert world.series("co2") == [(BOOTED + n * STEP, None) for n in range(4)]
    assert world.series("nonsense") == []
    assert world.history.series(b"nobody", "rssi", 0.0, 1.0, 1.0) == []
    assert world.history.quantities(b"nobody") == []


def test_the_first_point_is_there_at_once_and_the_last_value_counts() -> None:
    world = World()
    for now in (0.0, 20.0, 40.0):
        world.now = now
        world.report(temperature=now)
        world.sample()
        assert world.series() == [(BOOTED, now)]


def test_since() -> None:
    world = World()
    for n in range(10):
        world.now = n * STEP
        world.report(temperature=float(n))
        world.sample()
    assert [v for _, v in world.series(since=BOOTED + 7 * STEP)] == [7, 8, 9]
    assert [v for _, v in world.series(since=BOOTED + 6.5 * STEP)] == [6, 7, 8, 9]
    assert world.series(since=BOOTED + 100 * STEP) == []


def test_offsets_count() -> None:
    world = World(SensorSettings(ADDRESS, temperature_offset=-0.5))
    world.report(temperature=20.0)
    world.sample()
    assert world.series() == [(BOOTED, 19.5)]


def test_silence_is_a_gap() -> None:
    world = World()
    world.report(temperature=1.0)
    for n in range(10):
        world.now = n * STEP
        if n == 7:
            world.report(temperature=2.0)
        world.sample()
    held = int(HOLDS // STEP) + 1
    expected = [1.0] * held + [None] * (7 - held) + [2.0] * 3
    assert [value for _, value in world.series()] == expected
    # Nothing was asked of the table for hours.
    world.now = 100 * STEP
    assert [value for _, value in world.series()][10:] == [None] * 91
    world.report(temperature=3.0)
    world.sample()
    assert [value for _, value in world.series()][10:] == [None] * 90 + [3.0]


def test_a_value_that_is_missing_for_once_is_a_gap() -> None:
    world = World()
    for n, temperature in enumerate((1.0, None, 3.0)):
        world.now = n * STEP
        world.report(temperature=temperature)
        world.sample()
    assert [value for _, value in world.series()] == [1.0, None, 3.0]


def test_a_day_and_no_more() -> None:
    world = World()
    for n in range(POINTS + 50):
        world.now = n * STEP
        world.report(temperature=n / 10)
        world.sample()
    points = world.series()
    assert len(points) == POINTS
    assert points[0][0] == BOOTED + 50 * STEP
    assert [value for _, value in points] == [n / 10 for n in range(50, POINTS + 50)]
    assert len(world.series(since=-1e300)) == POINTS


@pytest.mark.parametrize("missing", [1, 2, 5])
def test_a_gap_does_not_show_what_was_there_a_day_before(missing: int) -> None:
    world = World()
    for n in range(POINTS + 10):
        world.now = n * STEP
        world.report(temperature=None if n >= POINTS + 10 - missing else 1.0)
        world.sample()
    assert [value for _, value in world.series()][-missing - 1 :] == [1.0] + [None] * missing
    world.now += missing * STEP
    world.report(temperature=1.0)
    world.sample()
    values = [value for _, value in world.series()]
    assert values[-2 * missing - 1 :] == [1.0] + [None] * (2 * missing - 1) + [1.0]


def test_what_is_a_day_old_is_forgotten() -> None:
    world = World()
    world.report(temperature=1.0)
    world.sample()
    world.now = (POINTS - 1) * STEP
    world.sample()
    assert len(world.series()) == POINTS
    world.now = POINTS * STEP
    world.sample()
    assert len(world.history) == 0
    assert world.series() == []


def test_a_clock_that_jumps_moves_all_points_alike() -> None:
    world = World()
    for n in range(3):
        world.now = n * STEP
        world.report(temperature=float(n))
        world.sample()
    points = world.history.series(ADDRESS, "temperature", 0.0, world.now, 1_000.0)
    assert [value for _, value in points] == [0.0, 1.0, 2.0]
    assert [utc for utc, _ in points] == [1_000 - 2 * STEP, 1_000 - STEP, 1_000]


def test_a_machine_that_slept_has_a_gap() -> None:
    world = World()
    world.report(temperature=1.0)
    world.sample()
    world.asleep = 20 * STEP
    world.now = 10.0
    world.report(temperature=2.0)
    world.sample()
    assert [value for _, value in world.series()] == [1.0, *[None] * 19, 2.0]


def test_what_cannot_be_read_is_not_kept() -> None:
    world = World()
    world.put(b"\x02\x01\x06")
    world.sample()
    assert len(world.history) == 0


def test_an_rssi_that_is_not_available_is_a_gap() -> None:
    world = World()
    world.report(rssi=127)
    world.sample()
    assert world.series("rssi") == [(BOOTED, None)]


def crowd(world: World, first: int, count: int) -> None:
    for number in range(first, first + count):
        world.report(number.to_bytes(6, "big"), temperature=1.0)


def test_those_that_are_there_stay_and_a_named_one_comes_in() -> None:
    world = World(SensorSettings(ADDRESS, "Sauna"))
    crowd(world, 1, MOST_SENSORS)
    world.sample()
    crowd(world, 1000, 50)
    world.sample()
    assert len(world.history) == MOST_SENSORS
    assert not world.history.quantities((1001).to_bytes(6, "big"))
    world.report(temperature=5.0)
    world.sample()
    assert world.series() == [(BOOTED, 5.0)]
    assert len(world.history) == MOST_SENSORS


def test_one_that_is_gone_makes_room() -> None:
    world = World(SensorSettings(ADDRESS, "Sauna"))
    world.report(temperature=1.0)
    crowd(world, 1, MOST_SENSORS - 1)
    world.sample()
    world.now = HOLDS + 2 * STEP
    crowd(world, 2, MOST_SENSORS)  # number 1 is not among them
    world.sample()
    assert len(world.history) == MOST_SENSORS
    assert not world.history.quantities((1).to_bytes(6, "big"))
    assert world.history.quantities((MOST_SENSORS + 1).to_bytes(6, "big"))
    assert world.history.quantities(ADDRESS), "one that has a name stays"


@pytest.mark.parametrize("measured", [FormatE1(), FormatE0(), Format5()])
def test_what_is_kept_is_a_part_of_the_fields(measured: FormatE1 | FormatE0 | Format5) -> None:
    assert set(fields(measured)) & set(QUANTITIES)
    assert set(QUANTITIES) - {"rssi"} <= set(FIELDS)


def test_the_memory_that_is_promised() -> None:
    """A RuuviTag takes 9 KB, one that measures everything 18 KB; all of them 2 MB."""
    for number, limit in ((5, 9_000), (0xE0, 18_000)):
        world = World()
        names = set(QUANTITIES) - {"rssi"}
        values = dict.fromkeys(names, 60.0) | {"measurement_sequence": 1}
        for n in range(MOST_SENSORS):
            world.put(advert(number, values).data, n.to_bytes(6, "big"))
        tracemalloc.start()
        try:
            for n in range(3):
                world.now = n * STEP
                world.sample()
            taken = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert len(world.history) == MOST_SENSORS
        assert taken / MOST_SENSORS < limit
    assert taken < 2_000_000


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("temperature", (-163.835, -0.005, 163.835, 263.8)),
        ("humidity", (0.0, 53.49, 100.0, 163.8)),
        ("pressure", (0, 50_000, 101_325, 165_534)),
        ("co2", (0, 420, 40_000)),
        ("pm2_5", (0.0, 0.4, 1000.0)),
        ("luminosity", (0.0, 144_284.0)),
        ("sound_average", (0.0, 18.2, 127.0)),
        ("battery_voltage", (0.0, 2.977, 7.62)),
        ("rssi", (-127, -60, 20)),
    ],
)
def test_what_sensors_can_measure_is_in_range(name: str, values: tuple[float, ...]) -> None:
    scale = QUANTITIES[name]
    for value in values:
        assert abs(scale.value(scale.code(value)) - value) <= scale.step / 2 + 1e-9
    assert 0 <= scale.code(-1e9) < scale.code(1e9) < 0xFFFF, "the end of the range is no gap"
