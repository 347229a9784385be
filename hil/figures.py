"""What the tests measure: figures with a unit and bounds, and series to be drawn.

A figure outside its bounds fails the test that measured it. It is recorded in either case.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

MOST_LATE = 3
MOST_WAITED = 1.5
"""Seconds for late ones, in all."""
MOST_STEPS = 60
LEAST_IN_A_STEP = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of one test."""

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None

    @property
    def holds(self) -> bool:
        """Is it within its bounds?"""
        return (self.low is None or self.value >= self.low) and (
            self.high is None or self.value <= self.high
        )

    @property
    def bound(self) -> str:
        """For people."""
        low = "" if self.low is None else f"{number(self.low)} ≤ "
        high = "" if self.high is None else f" ≤ {number(self.high)}"
        if self.low is not None and self.low == self.high:
            return f"= {number(self.low)} {self.unit}".strip()
        return f"{low}x{high} {self.unit}".strip() if low or high else ""

    def __str__(self) -> str:
        return f"{self.name} {number(self.value)} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Series:
    """Values to be drawn. kind: "latency" (ms) or "rate" (per second, in steps of `step` s)."""

    kind: str
    name: str
    values: tuple[float, ...]
    expected: float | None = None
    step: float = 0.0


@dataclass
class Figures:
    """Those of one test."""

    figures: list[Figure] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)

    def measure(
        self,
        name: str,
        value: float,
        unit: str = "",
        *,
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        """Record a figure, and fail if it is out of bounds."""
        figure = Figure(name, value, unit, low, high)
        self.figures.append(figure)
        assert figure.holds, f"{figure}, but the bound is {figure.bound}"

    def exactly(self, name: str, value: float, expected: float, unit: str = "") -> None:
        """A figure that has one right value."""
        self.measure(name, value, unit, low=expected, high=expected)

    def latencies(self, name: str, seconds: Sequence[float], bound: float) -> None:
        """p50 and p99 of how long something took; p99 has a bound in seconds."""
        milliseconds = [1000 * value for value in seconds]
        self.series.append(Series("latency", name, tuple(milliseconds)))
        self.measure(f"{name} p50", percentile(milliseconds, 50), "ms")
        self.measure(f"{name} p99", percentile(milliseconds, 99), "ms", high=1000 * bound)

    def rates(self, name: str, times: Sequence[float], expected: float | None) -> None:
        """How many a second came in the course of time, to be drawn. times: in order."""
        span = times[-1] - times[0] if times else 0.0
        if span <= 0:
            return
        # Not so narrow that there are only a few in each.
        step = max(span / MOST_STEPS, LEAST_IN_A_STEP * span / len(times))
        bins = [0] * max(int(span / step), 1)
        for at in times:
            index = int((at - times[0]) / step)
            if index < len(bins):
                bins[index] += 1
        values = tuple(count / step for count in bins)
        self.series.append(Series("rate", name, values, expected, step))


def more_are_needed(seconds: Sequence[float], bound: float, least: int) -> bool:
    """Do these not yet tell whether 99 of 100 come within the bound?

    A machine that was busy for a moment makes one of 20 late. Then 100 tell, unless so many of
    them are late, or so late, that more would tell nothing new.
    """
    late = [value for value in seconds if value > bound]
    if len(late) >= MOST_LATE or sum(late) > MOST_WAITED:
        return False
    return len(seconds) < max(least, 100 * len(late))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(ceil(len(ordered) * percent / 100) - 1, 0)]


def number(value: float) -> str:
    """Without digits that mean nothing."""
    if value == int(value):
        return f"{int(value)}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
