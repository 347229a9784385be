"""What crosses between the loop and the disk's thread: values that nobody changes.

The loop hands over jobs (jobs.py) with a Situation; the disk's side answers with an Answer. Batches
are known to both by their place, a number that the loop gives.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.errors import SpoolError
from ruuvi_host.intake.batch import Batch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch in the queue."""

    place: int
    """They are sent in the order of their places. Between loop and disk: 1, 2 and so on for those
    of this run, in the order in which they were cut; 0 and less for those of the previous run. In
    the file itself the numbers go on from run to run."""
    made: float
    """When it was cut: UTC, seconds."""
    batch: Batch


@dataclass(frozen=True, slots=True)
class Situation:
    """What the disk's side has to know for any job."""

    now: float
    """UTC, seconds, for what carries a time that cannot be."""
    settings: SpoolSettings
    gone: frozenset[int]
    """Places of batches that left and may still be in the file: not to be saved from damage."""


# -- what happens in the file, in this order, to be accounted for in the loop ---------------------


@dataclass(frozen=True, slots=True)
class Found:
    """When the file was opened for the first time in this run: what was in it."""

    batches: int
    reports: int


@dataclass(frozen=True, slots=True)
class Wrote:
    """A batch is in the file, instead of what was at its place."""

    entry: Entry


class Why(Enum):
    """Why a batch left the file undelivered."""

    FULL = "full"
    """It made room for others."""
    AGED = "aged"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Left:
    """Batches that left the file undelivered."""

    why: Why
    batches: tuple[tuple[int, int], ...]
    """Place and number of reports of each."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The file turned out to be damaged. Nothing of it can be counted on."""


@dataclass(frozen=True, slots=True)
class Reopened:
    """Another file took its place, or the same one was opened again."""

    batches: tuple[tuple[int, int], ...]
    """Place and number of reports of all that is in it."""


@dataclass(frozen=True, slots=True)
class DiskFull:
    """The disk was full. What was asked for may have been done all the same."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something that people have to know."""

    sentence: str


Event = Found | Wrote | Left | GivenUp | Reopened | DiskFull | Said


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What became of a job."""

    happened: tuple[Event, ...]
    result: T | None
    """None: it failed."""
    error: SpoolError | None
