"""A sensor that a person has said something about, as of now: who is silent, whose battery is low.

Pure. What is found here is said in health, in the status document and in the log.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from ruuvi_host.monitoring.health import Finding, Level, minutes

MOST_NAMED = 5
"""Sensors in a sentence of health, and lines of the log at one look; the others are a number."""


@dataclass(frozen=True, slots=True)
class SensorStatus:
    """One that has a table [sensors."AA:BB:CC:DD:EE:FF"]."""

    address: str
    """AA:BB:CC:DD:EE:FF."""
    name: str
    """As a person has given it; empty: it has none."""
    heard: float | None
    """Monotonic seconds of its last report; None: none since the start."""
    silent: bool = False
    """It was not heard for longer than its limit."""
    battery_voltage: float | None = None
    """V, when it last told; None: it has not."""
    low_battery: bool = False

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.name} ({self.address})" if self.name else self.address

    def document(self, now: float) -> dict[str, Any]:
        """JSON values only. now: monotonic seconds."""
        heard = self.heard
        return {
            "address": self.address,
            "name": self.name,
            "seconds_since_report": None if heard is None else round(max(now - heard, 0.0), 1),
            "silent": self.silent,
            "battery_voltage": self.battery_voltage,
            "low_battery": self.low_battery,
        }


class Change(Enum):
    """What can change."""

    SILENT = "not heard for {time}"
    HEARD_AGAIN = "heard again, after {time}"
    LOW_BATTERY = "the battery is low: {volts}"
    GOOD_BATTERY = "the battery is good: {volts}"

    @property
    def is_bad(self) -> bool:
        return self in (Change.SILENT, Change.LOW_BATTERY)


class News(NamedTuple):
    """Something has changed."""

    change: Change
    sensor: SensorStatus
    seconds: float
    """Of silence."""

    def __str__(self) -> str:
        """A line for the log."""
        voltage = self.sensor.battery_voltage
        volts = "it says so itself" if voltage is None else f"{voltage:.2f} V"
        what = self.change.value.format(time=minutes(self.seconds), volts=volts)
        return f"sensor {self.sensor.label}: {what}"


def findings(sensors: Sequence[SensorStatus], now: float) -> Iterator[Finding]:
    """What is to be said of them in health. It is for a person to look at, and no reason to end.

    now: monotonic seconds.
    """
    if silent := [s for s in sensors if s.silent]:
        since = [s.name or s.address for s in silent]
        since = [
            f"{who} for {minutes(now - s.heard)}" if s.heard is not None else f"{who} since start"
            for who, s in zip(since, silent, strict=True)
        ]
        yield Finding(Level.DEGRADED, f"silent sensors: {some_of(since)}")
    if low := [s for s in sensors if s.low_battery]:
        yield Finding(Level.DEGRADED, f"low battery: {some_of([_battery(s) for s in low])}")


def some_of(words: Sequence[str]) -> str:
    """The first of them, and the number of the others."""
    more = len(words) - MOST_NAMED
    return ", ".join(words[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _battery(sensor: SensorStatus) -> str:
    who, volts = sensor.name or sensor.address, sensor.battery_voltage
    return who if volts is None else f"{who} {volts:.2f} V"
