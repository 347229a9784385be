"""Receiving without relaying: one reading per report, and what each sensor last said."""

from collections.abc import Container
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from firmware_protocol.messages import Report
from ruuvi_host.errors import FormatError
from ruuvi_host.formats import ENCRYPTED, Keys, Measurement, decode, sequence_length
from ruuvi_host.formats.ad import parse
from ruuvi_host.formats.encryption import NO_KEYS
from ruuvi_host.monitoring.counters import ListeningCounters

LONGEST_GAP = 1000
"""A larger jump in the sequence is a tag that was restarted, not a loss."""

AIR_EXTENDED, AIR_LEGACY = 0xE1, 0x06
EXTENDED_WINS = 60.0
"""Seconds after a format E1 in which format 6 of the same address is dropped: an Air sends both,
and they are the same samples, with less in the latter."""

RESTART_SILENCE = 60.0
RESTART_BELOW = 100
"""An encrypted reading must have a later sequence number than the one before, or somebody replays
it. A tag that was silent for so long may have been restarted, and then begins with low numbers."""


@dataclass(slots=True)
class Sensor:
    """What is known of one advertiser."""

    address: bytes
    reports: int = 0
    received: float = 0.0
    """Monotonic seconds of the newest report."""
    rssi: int = 0
    name: str | None = None
    measurement: Measurement | None = None
    error: str | None = None
    """Why there is no measurement: a code of the formats room."""
    measurements: int = 0
    """Different ones that were received."""
    missed: int = 0
    """Missing in the sequence between them."""
    extended: float = -inf
    """Monotonic seconds of the last reading of an Air in extended advertising."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one report says: a measurement, or the reason why there is none (`error`).

    error: a code of the formats room; or "superseded" (an Air's format 6 beside its E1), or
    "replayed" (an encrypted reading that is not newer than the last one).
    """

    report: Report
    measurement: Measurement | None
    error: str | None = None
    duplicate: bool = False
    """The same measurement as the one before, advertised again."""


class _Newest(NamedTuple):
    """The newest encrypted reading of a device."""

    measurement: Measurement
    address: bytes
    at: float
    """Monotonic seconds."""


class Sensors:
    """All advertisers that were received, in order of their first report.

    keys: for encrypted readings. without: data formats that count as unknown.
    max_sensors: when there are more, the one received least recently leaves.
    """

    def __init__(
        self, keys: Keys = NO_KEYS, without: Container[int] = (), max_sensors: int = 1000
    ) -> None:
        self.by_address: dict[bytes, Sensor] = {}
        self.counters = ListeningCounters()
        self._keys = keys
        self._without = without
        self._newest: dict[tuple[int, str | None], _Newest] = {}
        self._max_sensors = max_sensors

    def receive(self, report: Report, now: float) -> Reading:
        """What one report, received at monotonic `now`, says."""
        self.counters.reports += 1
        sensor = self._sensor(report.address)
        sensor.received = now
        sensor.reports += 1
        sensor.rssi = report.rssi
        sensor.name = parse(report.data).local_name or sensor.name
        try:
            measurement = decode(report.data, self._keys, self._without)
        except FormatError as error:
            self.counters.not_decoded += 1
            sensor.error = error.code if sensor.measurement is None else None
            return Reading(report, None, error.code)
        sensor.error = None
        if measurement.data_format == AIR_EXTENDED:
            sensor.extended = now
        elif measurement.data_format == AIR_LEGACY and now - sensor.extended <= EXTENDED_WINS:
            self.counters.superseded += 1
            return Reading(report, None, "superseded")
        if measurement.data_format in ENCRYPTED and self._is_replay(measurement, report, now):
            self.counters.replayed += 1
            return Reading(report, None, "replayed")
        step = _step(sensor.measurement, measurement)
        sensor.measurement = measurement
        if step == 0:
            self.counters.duplicates += 1
            return Reading(report, measurement, duplicate=True)
        sensor.measurements += 1
        self.counters.measurements += 1
        if step is not None and 0 < step <= LONGEST_GAP:
            sensor.missed += step - 1
            self.counters.missed += step - 1
        return Reading(report, measurement)

    def _is_replay(self, measurement: Measurement, report: Report, now: float) -> bool:
        """Does this encrypted reading not come after the newest one of its device?

        The device is the one that the payload names, to which the key belongs: somebody who
        repeats a payload can do that under any address.
        """
        device = measurement.data_format, getattr(measurement, "mac", None)
        newest = self._newest.get(device)
        step = _step(newest.measurement, measurement) if newest else None
        if newest and step is not None:
            if step == 0:
                return report.address != newest.address
            silent = now - newest.at >= RESTART_SILENCE
            if step < 0 and not (silent and _sequence(measurement) < RESTART_BELOW):
                return True
        elif len(self._newest) >= self._max_sensors:
            del self._newest[min(self._newest, key=lambda device: self._newest[device].at)]
        self._newest[device] = _Newest(measurement, report.address, now)
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
                del self.by_address[min(self.by_address.values(), key=lambda s: s.received).address]
            sensor = self.by_address[address] = Sensor(address)
        return sensor


def _sequence(measurement: Measurement) -> int:
    number: int | None = getattr(measurement, "measurement_sequence", None)
    return -1 if number is None else number


def _step(last: Measurement | None, measurement: Measurement) -> int | None:
    """How far the sequence has moved since the last measurement of the same format: forward, 0,
    or backward (negative), whichever is shorter. None: it cannot be told."""
    if last is None or last.data_format != measurement.data_format:
        return None
    length = sequence_length(measurement.data_format)
    if length is None:
        return None
    old, new = _sequence(last), _sequence(measurement)
    if old < 0 or new < 0:
        return None
    step = (new - old) % length
    return step if step <= length // 2 else step - length
