"""Readings of our own form: decoded, with the name and the offsets that a person has given.

What a gateway posts never comes by here.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.errors import FormatError
from ruuvi_host.formats import Keys, Measurement, decode

_HIGHEST_HUMIDITY = 100.0
"""%RH. What is above tells of a faulty sensor, and is left as it is."""
_DIGITS = 4
"""Decimals of what was corrected; no format has more, and a sum may have fifteen."""


class Offset(NamedTuple):
    """What is added to one field."""

    field: str
    value: float


class NamedReading(NamedTuple):
    """What one advertisement says."""

    name: str
    """Of the sensor, as a person has given it; empty: it has none."""
    measurement: Measurement | None
    """Corrected. Its type is that of the data format."""
    error: str = ""
    """Why there is no measurement: a code of FormatError."""
    offsets: tuple[Offset, ...] = ()
    """Those that were added to fields of this measurement."""


class Readings:
    """Knows what a person has said of which sensor.

    A sensor is the sender of a report. Only keys belong to the device that is named in the
    encrypted payload, which is the same one.
    keys: tried besides those of the sensors, before them.
    """

    def __init__(
        self,
        sensors: Iterable[SensorSettings] = (),
        keys: Iterable[tuple[bytes | None, bytes]] = (),
    ) -> None:
        self.by_address = {sensor.address: sensor for sensor in sensors}
        own = [(s.address, s.key) for s in self.by_address.values() if s.key is not None]
        self.keys = Keys([*keys, *own])
        self._offsets = {address: _offsets(s) for address, s in self.by_address.items()}

    def name(self, address: bytes) -> str:
        """Of a sensor; empty: it has none."""
        sensor = self.by_address.get(address)
        return sensor.name if sensor else ""

    def of(self, address: bytes, data: bytes) -> NamedReading:
        """What advertising data of this sender says."""
        name = self.name(address)
        try:
            measurement = decode(data, self.keys)
        except FormatError as error:
            return NamedReading(name, None, error.code)
        corrected, offsets = self.corrected(address, measurement)
        return NamedReading(name, corrected, "", offsets)

    def corrected(
        self, address: bytes, measurement: Measurement
    ) -> tuple[Measurement, tuple[Offset, ...]]:
        """A measurement of this sender with its offsets added, and those that were."""
        offsets = self._offsets.get(address)
        if not offsets:
            return measurement, ()
        reading: Any = measurement
        new: dict[str, float] = {}
        added = []
        for offset in offsets:
            value = getattr(reading, offset.field, None)
            if value is None or (offset.field == "humidity" and value > _HIGHEST_HUMIDITY):
                continue
            new[offset.field] = _sum(offset, value)
            added.append(offset)
        return reading._replace(**new), tuple(added)


def _sum(offset: Offset, value: float) -> float:
    total = value + offset.value
    match offset.field:
        case "humidity":
            total = min(max(total, 0.0), _HIGHEST_HUMIDITY)
        case "pressure":
            return round(total)
    return round(total, _DIGITS)


def _offsets(sensor: SensorSettings) -> tuple[Offset, ...]:
    """In the order in which the fields stand in a measurement."""
    all_of_them = (
        Offset("temperature", sensor.temperature_offset),
        Offset("humidity", sensor.humidity_offset),
        Offset("pressure", sensor.pressure_offset),
    )
    return tuple(offset for offset in all_of_them if offset.value)
