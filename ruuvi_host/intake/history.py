"""What sensors measured in the last hours, for plots: in memory only, and bounded.

A day of points, two minutes apart. A point has two bytes, so a RuuviTag takes some 9 KB, a sensor
that measures everything 18 KB, and all of them never more than 2 MB.

It is sampled from the table by a timer. Points are numbered by the time since boot, the sleep of
the machine included: a jump of the wall clock moves all of them alike, and makes neither a hole nor
an overlap.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from math import floor
from typing import NamedTuple

from ruuvi_host.formats import fields
from ruuvi_host.intake.advertisement import Advertisement, rssi_or_none
from ruuvi_host.intake.heard import Heard, heard
from ruuvi_host.intake.readings import Readings
from ruuvi_host.intake.table import AdvertisementTable

STEP = 120.0
"""Seconds between two points."""
POINTS = 720
"""Of each quantity: a day."""
MOST_SENSORS = 100
HOLDS = 300.0
"""Seconds after its last report for which a value counts: some sensors report every few minutes."""
MOST_NEW = 200
"""Sensors of the table that are looked at for new ones, at each sample."""

Points = list[tuple[int, float | None]]
"""(UTC seconds, value); None: a gap."""


class Scale(NamedTuple):
    """How a value becomes a number of two bytes: from `lowest` on in steps."""

    lowest: float
    step: float
    decimals: int

    def code(self, value: float) -> int:
        """What is out of range becomes the end of the range."""
        return min(max(round((value - self.lowest) / self.step), 0), _GAP - 1)

    def value(self, code: int) -> float:
        return round(self.lowest + code * self.step, self.decimals)


QUANTITIES: Mapping[str, Scale] = {
    "temperature": Scale(-200.0, 0.01, 2),
    "humidity": Scale(0.0, 0.01, 2),
    "pressure": Scale(0.0, 3.0, 0),
    "co2": Scale(0.0, 1.0, 0),
    "pm2_5": Scale(0.0, 0.1, 1),
    "voc_index": Scale(0.0, 1.0, 0),
    "nox_index": Scale(0.0, 1.0, 0),
    "luminosity": Scale(0.0, 3.0, 0),
    "sound_average": Scale(0.0, 0.1, 1),
    "battery_voltage": Scale(0.0, 0.001, 3),
    "rssi": Scale(-128.0, 1.0, 0),
}
"""What is kept, by the names of a measurement; and the strength of the signal, in dBm."""

_GAP = 0xFFFF
_NOTHING = array("H", [_GAP]) * POINTS


class _Track:
    """The points of one sensor."""

    __slots__ = ("first", "heard", "last", "points")

    def __init__(self, number: int) -> None:
        self.first = self.last = number
        """Numbers of the first and the last point."""
        self.heard: Heard | None = None
        self.points: dict[str, array[int]] = {}
        """Quantity → a ring: point n at place n modulo its length."""

    def put(self, number: int, values: Iterable[tuple[str, float]]) -> None:
        """Write a point, or write it anew."""
        for missed in range(max(self.last + 1, number - POINTS + 1), number + 1):
            for ring in self.points.values():
                ring[missed % POINTS] = _GAP
        self.last = number
        for name, value in values:
            if name not in self.points:
                self.points[name] = _NOTHING[:]
            self.points[name][number % POINTS] = QUANTITIES[name].code(value)

    def values(self, name: str, first: int, last: int) -> Iterator[tuple[int, float | None]]:
        """Points with these numbers."""
        ring, scale = self.points.get(name), QUANTITIES[name]
        for number in range(max(first, self.first), last + 1):
            code = ring[number % POINTS] if ring and number <= self.last else _GAP
            yield number, None if code == _GAP else scale.value(code)


class History:
    """The last day of up to MOST_SENSORS sensors.

    Those come first that a person has said something about, then the first come. One that was not
    heard for longest makes room for another one.
    """

    def __init__(self) -> None:
        self._tracks: dict[bytes, _Track] = {}

    def __len__(self) -> int:
        return len(self._tracks)

    def sample(
        self, readings: Readings, table: AdvertisementTable, now: float, uptime: float
    ) -> None:
        """Take what the table has. Called several times within a point, the last one counts.

        now: monotonic seconds. uptime: seconds since boot.
        """
        number = floor(uptime / STEP)
        self._forget(number)
        for advertisement in list(islice(table.newest_first(), MOST_NEW)):
            if advertisement.address not in self._tracks and now - advertisement.received <= HOLDS:
                self._admit(advertisement, readings, number)
        for address, track in self._tracks.items():
            if (found := table.look_up(address)) is None:
                continue
            track.heard = heard(track.heard, *found, now)
            if now - track.heard.at <= HOLDS:
                track.put(number, _values(found[0], readings))

    def quantities(self, address: bytes) -> list[str]:
        """What there is of a sensor, in the order of QUANTITIES."""
        track = self._tracks.get(address)
        return [name for name in QUANTITIES if track and name in track.points]

    def series(
        self, address: bytes, quantity: str, since: float, uptime: float, utc: float
    ) -> Points:
        """The points of one quantity, the oldest first; none of a sensor that is not known.

        since: UTC seconds. uptime, utc: of this moment, seconds since boot and UTC seconds.
        """
        track = self._tracks.get(address)
        if track is None or quantity not in QUANTITIES:
            return []
        booted = utc - uptime
        last = floor(uptime / STEP)
        first = max(floor((since - booted) / STEP), last - POINTS + 1)
        return [
            (round(booted + number * STEP), value)
            for number, value in track.values(quantity, first, last)
        ]

    def _admit(self, advertisement: Advertisement, readings: Readings, number: int) -> None:
        address = advertisement.address
        if readings.of(address, advertisement.data).measurement is None:
            return
        if len(self._tracks) >= MOST_SENSORS:
            leaving = self._leaving(readings, number, named=address in readings.by_address)
            if leaving is None:
                return
            del self._tracks[leaving]
        self._tracks[address] = _Track(number)

    def _leaving(self, readings: Readings, number: int, *, named: bool) -> bytes | None:
        """Who makes room; one that is heard all the time only for one that has a table."""
        others = [address for address in self._tracks if address not in readings.by_address]
        address = min(others, key=lambda address: self._tracks[address].last, default=None)
        if address is None or named or self._tracks[address].last < number - 1:
            return address
        return None

    def _forget(self, number: int) -> None:
        old = [a for a, track in self._tracks.items() if track.last <= number - POINTS]
        for address in old:
            del self._tracks[address]


def _values(advertisement: Advertisement, readings: Readings) -> Iterator[tuple[str, float]]:
    measurement = readings.of(*advertisement[:2]).measurement
    values = fields(measurement) if measurement is not None else {}
    for name in QUANTITIES:
        value = rssi_or_none(advertisement.rssi) if name == "rssi" else values.get(name)
        if isinstance(value, int | float):
            yield name, value
