"""What a figure is, what it should be, and how a round of a benchmark is timed."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import process_time

USB_FULL_SPEED = 1.216e6
"""Bytes per second that bulk transfers bring at most: 19 packets of 64 bytes each millisecond."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that is printed, and the design's target for it, if there is one."""

    name: str
    what: str
    unit: str = "x"
    at_least: float | None = None
    at_most: float | None = None
    in_every_round: bool = False
    """The target is for the worst round, not for the median."""

    def met(self, values: Sequence[float]) -> bool | None:
        """Do the `values` of all rounds meet the target? None: there is no target."""
        if self.at_least is not None:
            return (min(values) if self.in_every_round else median(values)) >= self.at_least
        if self.at_most is not None:
            return (max(values) if self.in_every_round else median(values)) <= self.at_most
        return None

    @property
    def target(self) -> str:
        """The target for people; empty: there is none."""
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "" if self.at_most is None else f"<= {self.at_most:g}"


Round = Callable[[], tuple[float, ...]]
"""Measure once; a value for each figure of the benchmark. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Figures that are measured together."""

    figures: tuple[Figure, ...]
    prepare: Callable[[], Round]
    """Sets up what all rounds need. Raises Unavailable."""


class Unavailable(Exception):  # noqa: N818 - it is no error to have fewer peers
    """A benchmark cannot run here. The message says why, and what would help."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the rounds gave for one figure."""

    figure: Figure
    values: tuple[float, ...] = ()
    skipped: str = ""
    """Why there are no values."""


def set_aside_garbage() -> None:
    """Keep what is alive out of the collector's way, as `ruuvi-host run` does once it runs."""
    gc.collect()
    gc.freeze()


def cpu_seconds(function: Callable[[], object], calls: int = 1) -> float:
    """CPU time of a call: other programs disturb it less than they disturb the time of day.

    calls: how many to take the mean of; for what takes a few milliseconds only.
    """
    set_aside_garbage()
    before = process_time()
    for _ in range(calls):
        function()
    return (process_time() - before) / calls
