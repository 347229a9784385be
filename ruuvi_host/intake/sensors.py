"""Receiving without relaying: one reading per report, and what each sensor last said."""

from collections.abc import Container
from dataclasses import dataclass, field

from firmware_protocol.messages import Report
from ruuvi_host.errors import FormatError
from ruuvi_host.formats import FORMATS, Measurement, decode
from ruuvi_host.formats.ad import parse
from ruuvi_host.formats.format import Format
from ruuvi_host.intake.readings import Offset, Readings
from ruuvi_host.intake.replays import Replays
from ruuvi_host.monitoring.counters import ListeningCounters

SUPERSEDED_FOR = 60.0
"""Seconds after a reading in the better format in which the other format of the same address is
dropped: an Air sends E1 and 6, of the same samples, with less in the latter."""


@dataclass(slots=True)
class Sensor:
    """What is known of one sender."""

    address: bytes
    reports: int = 0
    received: float = 0.0
    """Monotonic seconds of the newest report."""
    rssi: int = 0
    name: str | None = None
    """As the sensor itself says it."""
    measurement: Measurement | None = None
    error: str | None = None
    """Why there is no measurement: a code of FormatError."""
    measurements: int = 0
    """Different ones that were received."""
    missed: int = 0
    """Missing in the sequence between them."""
    measured: float = 0.0
    """Monotonic seconds of the newest report of the measurement."""
    last: dict[int, float] = field(default_factory=dict)
    """Data format → monotonic seconds of its newest report."""

    def is_superseded(self, known: Format, now: float) -> bool:
        """Does the sensor send the same measurements in a better format, too?"""
        better = self.last.get(known.superseded_by) if known.superseded_by else None
        return better is not None and now - better <= SUPERSEDED_FOR


@dataclass(frozen=True, slots=True)
class Reading:
    """What one report holds: a measurement, or the reason why there is none (`error`).

    error: a code of FormatError; or "superseded" (an Air's format 6 beside its E1), or
    "replayed" (an encrypted reading that is not newer than the last one).
    """

    report: Report
    measurement: Measurement | None
    error: str | None = None
    duplicate: bool = False
    """The same measurement as the one before, advertised again."""
    name: str = ""
    """As a person has given it; empty: it has none."""
    offsets: tuple[Offset, ...] = ()
    """Those that were added to the measurement."""


class Sensors:
    """All senders, in order of their first report.

    known: what a person has said of them. without: data formats that count as unknown.
    max_sensors: when there are more, the one received least recently leaves; first of those that
    were received only once.
    """

    def __init__(
        self,
        known: Readings = Readings(),  # noqa: B008 - it is never changed
        without: Container[int] = (),
        max_sensors: int = 1000,
    ) -> None:
        self.known = known
        self.by_address: dict[bytes, Sensor] = {}
        self.counters = ListeningCounters()
        self._without = without
        self._replays = Replays(max_sensors)
        self._max_sensors = max_sensors

    def receive(self, report: Report, now: float) -> Reading:
        """The reading of one report, received at monotonic `now`."""
        self.counters.reports += 1
        name = self.known.name(report.address)
        sensor = self._sensor(report.address)
        sensor.received = now
        sensor.reports += 1
        sensor.rssi = report.rssi
        sensor.name = parse(report.data).local_name or sensor.name
        try:
            measurement = decode(report.data, self.known.keys, self._without)
        except FormatError as error:
            self.counters.not_decoded += 1
            sensor.error = error.code if sensor.measurement is None else None
            return Reading(report, None, error.code, name=name)
        sensor.error = None
        known = FORMATS[measurement.data_format]
        sensor.last[known.number] = now
        if sensor.is_superseded(known, now):
            self.counters.superseded += 1
            return Reading(report, None, "superseded", name=name)
        if known.cipher:
            mac: str | None = getattr(measurement, "mac", None)
            number = _sequence(measurement)
            if self._replays.is_replay(known, mac, number, report.address, now):
                self.counters.replayed += 1
                return Reading(report, None, "replayed", name=name)
        measurement, offsets = self.known.corrected(report.address, measurement)
        is_duplicate = self._is_duplicate(sensor, measurement, now)
        return Reading(report, measurement, None, is_duplicate, name, offsets)

    def _is_duplicate(self, sensor: Sensor, measurement: Measurement, now: float) -> bool:
        """Is this the measurement that the sensor's report before gave? If not, it is counted."""
        before, seconds = sensor.measurement, now - sensor.measured
        sensor.measurement, sensor.measured = measurement, now
        sequence = FORMATS[measurement.data_format].sequence
        missed = None
        if before and before.data_format == measurement.data_format and sequence:
            old, new = _sequence(before), _sequence(measurement)
            if sequence.step(old, new) == 0:
                self.counters.duplicates += 1
                return True
            missed = sequence.missed(old, new, seconds)
        sensor.measurements += 1
        self.counters.measurements += 1
        sensor.missed += missed or 0
        self.counters.missed += missed or 0
        return False

    def summary(self) -> str:
        """What was counted, as a line for people."""
        counts = self.counters.nonzero().items()
        listed = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts)
        return f"{len(self.by_address)} sensors: {listed or 'nothing was received'}"

    def _sensor(self, address: bytes) -> Sensor:
        sensor = self.by_address.get(address)
        if sensor is None:
            if len(self.by_address) >= self._max_sensors:
                del self.by_address[min(self.by_address.values(), key=_stays).address]
            sensor = self.by_address[address] = Sensor(address)
        return sensor


def _stays(sensor: Sensor) -> tuple[bool, float]:
    """The lowest leaves: random addresses must not push out the sensors."""
    return sensor.reports > 1, sensor.received


def _sequence(measurement: Measurement) -> int | None:
    number: int | None = getattr(measurement, "measurement_sequence", None)
    return number
