"""What the loop asks of the disk's side: jobs that can be run, and run again with another file.

They are frozen: whatever the loop does until a job is run, the job stays as it was submitted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from ruuvi_host.errors import SpoolError
from ruuvi_host.relay.spool.errors import DamagedError, DiskFullError, ReadOnlyError
from ruuvi_host.relay.spool.values import Entry, Failure

if TYPE_CHECKING:  # sqlite takes 2 MB, and is only needed in the disk's thread
    from ruuvi_host.relay.spool.file import SpoolFile

MOST_REMOVED = 64
"""Batches that are deleted in one transaction."""

T_co = TypeVar("T_co", covariant=True)


class Job(Protocol[T_co]):
    """Raises SpoolError, and nothing else that a disk does."""

    def run(self, file: "SpoolFile") -> T_co: ...


@dataclass(frozen=True, slots=True)
class OpenFile:
    """Open the file, and tell what is in it."""

    def run(self, file: "SpoolFile") -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Write:
    """Put batches into the file, in order. The failures are about those that could not be."""

    entries: tuple[Entry, ...]
    held: frozenset[int]
    """Places of those that must not leave for them."""
    oldest_leave: bool
    """For want of room on the disk."""

    def run(self, file: "SpoolFile") -> tuple[Failure, ...]:
        failures = []
        for entry in self.entries:
            try:
                file.add(entry, self.held, oldest_leave=self.oldest_leave)
            except ValueError as error:  # a batch that no coprocessor can have sent
                failures.append(Failure(str(error)))
            except DamagedError:
                raise
            except SpoolError as error:  # the next one would not fare better
                failures.append(failure(error))
                break
        return tuple(failures)


def failure(error: SpoolError) -> Failure:
    """For people, and for the judgement of health."""
    return Failure(str(error), error.problem, isinstance(error, DiskFullError | ReadOnlyError))


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete batches that are there or not."""

    places: frozenset[int]

    def run(self, file: "SpoolFile") -> bool:
        # On a full disk a transaction must be small enough for the ballast.
        for some in _portions(sorted(self.places), MOST_REMOVED):
            file.remove(some)
        return True


def _portions(places: list[int], size: int) -> Iterator[list[int]]:
    """At least one: the file may be empty, and has to shrink."""
    for start in range(0, max(1, len(places)), size):
        yield places[start : start + size]


@dataclass(frozen=True, slots=True)
class Oldest:
    """The oldest batch, and those of the same gateway made within `window` seconds of it. Without
    a window: so many of the oldest as `ahead` says."""

    now: float
    window: float
    held: frozenset[int]
    """Places of those that are neither to be given nor to be dropped for their age."""
    ahead: int = 1

    def run(self, file: "SpoolFile") -> tuple[Entry, ...]:
        return tuple(file.oldest(self.now, self.window, self.held, self.ahead))


@dataclass(frozen=True, slots=True)
class Merge:
    """Put one batch in the place of several. False: not all of them were there any more."""

    places: tuple[int, ...]
    merged: Entry

    def run(self, file: "SpoolFile") -> bool:
        return file.merge(self.places, self.merged)


@dataclass(frozen=True, slots=True)
class Move:
    """Give a batch, if it is there, another place."""

    place: int
    later: int

    def run(self, file: "SpoolFile") -> bool:
        file.move(self.place, self.later)
        return True
