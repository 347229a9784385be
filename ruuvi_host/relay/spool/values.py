"""What crosses between the loop and the disk's thread: values that nobody changes.

The loop submits jobs (jobs.py) with a JobContext; the disk's side returns an Answer. Batches
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
    of this run, in the order in which they were made; 0 and less for those of the previous run. In
    the file itself the numbers go on from run to run."""
    made: float
    """When it was made: UTC, seconds."""
    batch: Batch


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be written."""

    sentence: str
    """With the name of the file."""
    why: str = ""
    """Without."""
    room: bool = False
    """The disk is full, or read-only: no new start of the program can change it."""


@dataclass(frozen=True, slots=True)
class JobContext:
    """What any job needs to know."""

    now: float
    """UTC, seconds, for what carries a time that cannot be."""
    settings: SpoolSettings
    to_delete: frozenset[int]
    """Places of batches that left and may still be in the file: not to be recovered."""


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


class Reason(Enum):
    """Reason a batch left the file undelivered."""

    FULL = "full"
    """It made room for others."""
    AGED = "aged"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Left:
    """Batches that left the file undelivered."""

    reason: Reason
    batches: tuple[tuple[int, int], ...]
    """Place and number of reports of each."""


@dataclass(frozen=True, slots=True)
class FileLost:
    """The file is damaged, and closed. Nothing in it can be relied on."""


@dataclass(frozen=True, slots=True)
class Reopened:
    """Another file took its place, or the same one was opened again."""

    batches: tuple[tuple[int, int], ...]
    """Place and number of reports of all that is in it."""


@dataclass(frozen=True, slots=True)
class DiskFull:
    """The disk was full. What was asked for may have been done all the same."""


@dataclass(frozen=True, slots=True)
class Notice:
    """For the log."""

    sentence: str


Event = Found | Wrote | Left | FileLost | Reopened | DiskFull | Notice


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What became of a job."""

    events: tuple[Event, ...]
    """In the order in which they happened."""
    result: T | None
    """None: it failed."""
    error: SpoolError | None
