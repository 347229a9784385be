"""What is not in the file yet: batches to be written, in memory, and places to be deleted.

Bounded: a disk that cannot be written must neither lose what the server may accept in a minute,
nor fill the memory.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.spool.values import Entry

MEMORY_REPORTS = 20_000
"""Reports in batches that could not be written: about 6 MB; half an hour of 100 sensors."""


@dataclass(eq=False, slots=True)
class Waiting:
    """A batch on its way to the server, as the loop knows it."""

    batch: Batch
    made: float
    """When it was made: UTC, seconds, of a clock that does not jump."""
    place: int
    """In the queue: see Entry."""
    kept: bool = False
    """It is in the spool, and counted there."""
    later: int | None = None
    """The place to which the disk is moving it."""

    @property
    def reports(self) -> int:
        return len(self.batch.advertisements)

    @property
    def places(self) -> tuple[int, ...]:
        """Where it may be in the file."""
        return (self.place,) if self.later is None else (self.place, self.later)


class Unwritten:
    """Batches that are kept, and not in the file as far as the loop knows; by their places."""

    def __init__(self) -> None:
        self.to_delete: set[int] = set()
        """Places of batches that left the spool and may still be in the file."""
        self._batches: dict[int, Waiting] = {}
        self._in_flight: dict[int, Entry] = {}
        """Writes that were submitted and are not answered yet."""

    def __contains__(self, place: int) -> bool:
        return place in self._batches

    @property
    def counts(self) -> tuple[int, int]:
        """Batches and reports."""
        return len(self._batches), sum(w.reports for w in self._batches.values())

    def at(self, place: int) -> Waiting | None:
        return self._batches.get(place)

    def first(self, besides: Container[Waiting]) -> Waiting | None:
        """The one that was made first."""
        return next((w for w in self._in_order() if w not in besides), None)

    def put(self, waiting: Waiting) -> None:
        """Not in the file, or not as it is now."""
        self._batches[waiting.place] = waiting

    def discard(self, waiting: Waiting) -> None:
        """It leaves, from memory and from the file; a write of it may be in flight."""
        self._batches.pop(waiting.place, None)
        self.to_delete.update(waiting.places)

    def move(self, waiting: Waiting, later: int) -> None:
        """One of these gets another place. It may be, or come, on disk at the old one."""
        self.discard(waiting)
        waiting.place, waiting.later = later, None
        self.put(waiting)

    def start_writing(self, waiting: Iterable[Waiting] | None = None) -> tuple[Entry, ...]:
        """What is to be written now, of these or of all; in flight until `finish_writing`."""
        entries = tuple(
            Entry(w.place, w.made, w.batch)
            for w in (self._in_order() if waiting is None else waiting)
            if w.place not in self._in_flight or self._in_flight[w.place].batch is not w.batch
        )
        self._in_flight.update((entry.place, entry) for entry in entries)
        return entries

    def written(self, entry: Entry) -> None:
        waiting = self._batches.get(entry.place)
        if waiting and waiting.batch is entry.batch:  # else it has changed meanwhile
            del self._batches[entry.place]

    def finish_writing(self, entries: Iterable[Entry]) -> None:
        """The write is answered. What is not `written` by now is due again."""
        for entry in entries:
            if self._in_flight.get(entry.place) is entry:
                del self._in_flight[entry.place]

    def overflow(self, held: Container[Waiting] = ()) -> list[Waiting]:
        """The oldest, as many as there are too many. held: those that must not leave."""
        over = []
        _, reports = self.counts
        for waiting in self._in_order() if reports > MEMORY_REPORTS else ():
            if reports > MEMORY_REPORTS and waiting not in held:
                over.append(waiting)
                reports -= waiting.reports
        return over

    def _in_order(self) -> list[Waiting]:
        return [self._batches[place] for place in sorted(self._batches)]
