"""A report as a point: one line of line protocol, or none where nothing in it has a value."""

from collections.abc import Iterator

from firmware_protocol.messages import address_text
from ruuvi_host.config.influxdb import Points, Schema
from ruuvi_host.config.targets import InfluxTarget
from ruuvi_host.formats.derived import QUANTITIES as DERIVED
from ruuvi_host.formats.derived import derived_of
from ruuvi_host.formats.measurement import Value, fields
from ruuvi_host.intake.advertisement import Advertisement, rssi_or_none
from ruuvi_host.intake.readings import NamedReading, Readings
from ruuvi_host.relay.influxdb.line_protocol import Field, line, measurement_text, tags_text
from ruuvi_host.relay.influxdb.schemas import NAMES, OFFSET

LATEST = 9_223_372_035
"""Seconds: databases keep nanoseconds in 63 bits."""


class PointWriter:
    """Writes the reports of one target. It holds nothing of them."""

    def __init__(self, target: InfluxTarget) -> None:
        self._points: Points = target.points
        self._names = NAMES[self._points.schema]
        self._head = measurement_text(self._points.measurement)
        self._derived = target.derived
        if self._points.schema is not Schema.RUUVI:  # as those programs do
            self._derived = tuple(name for name in DERIVED if name in self._names.fields)

    def line(self, known: Readings, report: Advertisement, gateway: bytes) -> bytes | None:
        """None: it cannot be decoded, or holds no value, or no time.

        known: what people say about their sensors. gateway: the address of the coprocessor.
        """
        if not 0 <= report.timestamp <= LATEST:
            return None
        reading = known.of(report.address, report.data)
        if reading.measurement is None:
            return None
        written = dict(self._fields(reading, rssi_or_none(report.rssi)))
        if not written:
            return None
        names = self._names
        tags = [
            *self._points.tags,
            (names.address, names.address_text(report.address)),
            (names.data_format, f"{reading.measurement.data_format:X}"),
            ("name", reading.name),
        ]
        if names.gateway:
            tags.append((names.gateway, address_text(gateway)))
        return line(self._head + tags_text(tags), written, report.timestamp)

    def _fields(self, reading: NamedReading, rssi: int | None) -> Iterator[tuple[str, Field]]:
        assert reading.measurement
        names = self._names
        measured = fields(reading.measurement)
        values: dict[str, Value] = dict(measured)
        values |= derived_of(measured, self._derived)
        if all(value is None for name, value in values.items() if name in names.fields):
            return  # the radio alone is no reading
        values["rssi"] = rssi
        for name, value in values.items():
            written = names.fields.get(name)
            if written is None or value is None:
                continue
            is_number = isinstance(value, int) and not isinstance(value, bool)
            yield written, float(value) if is_number and name not in names.whole else value
        if self._points.schema is Schema.RUUVI:
            for offset in reading.offsets:
                yield OFFSET.format(offset.field), float(offset.value)
