"""The queue in the file of a spool: written and read by one thread, bounded, durable.

It blocks, so it never runs in the event loop's thread.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Self

from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.errors import SpoolError
from ruuvi_host.relay.spool import bounds
from ruuvi_host.relay.spool.database import Database
from ruuvi_host.relay.spool.errors import DamagedError, DiskFullError
from ruuvi_host.relay.spool.opening import open_database
from ruuvi_host.relay.spool.record import Row, batch_of, changed, row_of
from ruuvi_host.relay.spool.schema import COLUMNS, MARKS, PAGE
from ruuvi_host.relay.spool.values import DiskFull, Entry, Event, Left, Reason, Wrote

MOST_MERGED = 200
"""Batches that are merged into one at a time: all of them are read into memory."""


class SpoolFile:
    """An open spool. `open` makes it when there is none.

    All methods raise DiskFullError, DamagedError or, for what else the system says, SpoolError.
    """

    def __init__(
        self, database: Database, settings: SpoolSettings, counts: tuple[int, int]
    ) -> None:
        self.base = 0
        """The number in the file of place 0: see Entry."""
        self._settings = settings
        self._database = database
        self._events: list[Event] = []
        self._counted = database.changes, counts
        """After so many changes it was so many."""

    @classmethod
    def open(cls, path: Path, settings: SpoolSettings, now: float) -> Self:
        """now: UTC, seconds, for what carries a time that cannot be."""
        database, counts = open_database(path, settings.ballast, now)
        return cls(database, settings, counts)

    def adjust(self, settings: SpoolSettings) -> None:
        self._settings = settings
        self._database.ballast.size = settings.ballast

    def take_events(self) -> list[Event]:
        """What has happened since the last call."""
        events, self._events = self._events, []
        if self._database.was_full:
            self._database.was_full = False
            events.append(DiskFull())
        return events

    # --- what is in it

    def counts(self) -> tuple[int, int]:
        """Batches and reports."""
        changes = self._database.changes
        if self._counted[0] != changes:
            counted = "SELECT count(*), coalesce(sum(reports), 0) FROM batch"
            self._counted = changes, self._database.rows(counted)[0]
        return self._counted[1]

    def contents(self) -> tuple[tuple[int, int], ...]:
        """Place and number of reports of each batch."""
        rows = self._database.rows("SELECT seq, reports FROM batch")
        return tuple((seq - self.base, reports) for seq, reports in rows)

    def nonces(self) -> set[int]:
        return {nonce for (nonce,) in self._database.rows("SELECT nonce FROM batch")}

    def last_place(self) -> int:
        """The last one that is taken, or in an empty file the one before all others."""
        return self._database.value("SELECT coalesce(max(seq), 0) FROM batch") - self.base

    # --- the queue

    def add(self, entry: Entry, held: Collection[int] = (), *, oldest_leave: bool = True) -> None:
        """Keep a batch at its place, instead of what is there. The oldest leave for it.

        held: places of those that must not. oldest_leave: also when the disk is full, as far as
        the ballast does not help. Raises ValueError for a batch that cannot be.
        """
        row = row_of(entry.place + self.base, entry.made, entry.batch)
        need = len(row.packed) + PAGE
        database, seqs = self._database, self._seqs(held)

        def insert() -> bounds.Leaving:
            left = bounds.make_room(database, self._settings.max_bytes, need, seqs)
            self._put(row)
            return left

        try:
            self._left(Reason.FULL, database.transaction(insert))
        except DiskFullError:
            spare = database.spare(need)
            if not spare and not oldest_leave:
                database.was_full = True
                raise
            with database.without_ballast():
                if not spare:
                    free = database.transaction(lambda: bounds.free_pages(database, need, seqs))
                    self._left(Reason.FULL, free)
                    database.checkpoint()
                self._left(Reason.FULL, database.transaction(insert))
        self._events.append(Wrote(entry))

    def remove(self, places: Iterable[int]) -> None:
        """Delete batches that are there or not: delivered, or counted by the caller."""
        seqs = [(seq,) for seq in self._seqs(places)]
        self._database.change(
            lambda: self._database.each("DELETE FROM batch WHERE seq = ?", seqs), durable=False
        )
        self._shrink_if_empty()

    def oldest(
        self, now: float, window: float = 0.0, held: Collection[int] = (), ahead: int = 1
    ) -> list[Entry]:
        """The oldest batch, and those of the same gateway made within `window` seconds of it;
        without a window the `ahead` oldest.

        What is too old at `now`, or cannot be read, is dropped first. held: neither.
        """
        self.drop_aged(now, held)
        group: list[Entry] = []
        first_gateway = b""
        unreadable: bounds.Leaving = []
        for row in self._rows(self._seqs(held)):
            try:
                batch = batch_of(row)
            except ValueError:
                unreadable.append((row.seq, row.reports))
                continue
            if group and window:
                late = not 0 <= row.made - group[0].made < window
                other = row.gateway != first_gateway or batch.counted != group[0].batch.counted
                if late or other:
                    break
            group.append(Entry(row.seq - self.base, row.made, batch))
            first_gateway = row.gateway
            if len(group) >= (MOST_MERGED if window else ahead):
                break
        if unreadable:
            self._delete(Reason.UNREADABLE, unreadable)
            self._shrink_if_empty()
        return group

    def merge(self, places: Collection[int], merged: Entry) -> bool:
        """Put one batch in the place of several, in one step. False: they are not all there."""
        seqs = self._seqs(places)
        row = row_of(merged.place + self.base, merged.made, merged.batch)
        marks = ",".join("?" * len(seqs))

        def swap() -> bool:
            there = f"FROM batch WHERE seq IN ({marks})"
            if self._database.value(f"SELECT count(*) {there}", *seqs) != len(seqs):
                return False
            self._database.rows(f"DELETE {there}", *seqs)
            self._put(row)
            return True

        return self._database.change(swap)

    def move(self, place: int, later: int) -> None:
        """Give a batch, if it is there, another place."""
        seq, new = place + self.base, later + self.base

        def move() -> None:
            for row in self._database.rows(f"SELECT {COLUMNS} FROM batch WHERE seq = ?", seq):
                with suppress(ValueError):  # what is damaged is told when its turn comes
                    self._put(changed(Row(*row), seq=new))
                    self._database.rows("DELETE FROM batch WHERE seq = ?", seq)

        self._database.change(move, durable=False)

    def drop_aged(self, now: float, held: Collection[int] = ()) -> None:
        """Delete what has waited for too long."""
        limit, seqs, database = now - self._settings.max_age, self._seqs(held), self._database
        while bounds.oldest_made(database, seqs) < limit:
            left: dict[Reason, bounds.Leaving] = {Reason.AGED: [], Reason.UNREADABLE: []}
            for row in islice(self._rows(seqs), 100):
                if row.made >= limit:
                    break
                left[_why_old(row)].append((row.seq, row.reports))
            for reason, leaving in left.items():
                self._delete(reason, leaving)
        self._shrink_if_empty()

    # --- the end

    def close(self) -> None:
        """Without a batch no file is left behind."""
        empty = False
        try:
            with suppress(SpoolError):  # a file that cannot be asked may hold something
                empty = self._is_empty
        finally:
            self.abandon()
        if empty:
            self._database.ballast.give_up()
            for suffix in ("", "-wal", "-shm"):
                with suppress(OSError):
                    Path(f"{self._database.path}{suffix}").unlink()

    def abandon(self) -> None:
        """Close a file as it is."""
        self._database.close()

    # --- one step each

    @property
    def _is_empty(self) -> bool:
        return not self._database.value("SELECT EXISTS (SELECT 1 FROM batch)")

    def _seqs(self, places: Iterable[int]) -> set[int]:
        return {place + self.base for place in places}

    def _put(self, row: Row) -> None:
        self._database.rows(f"INSERT OR REPLACE INTO batch VALUES ({MARKS})", *row)

    def _delete(self, reason: Reason, leaving: bounds.Leaving) -> None:
        database = self._database
        database.change(lambda: bounds.delete(database, leaving), durable=False)
        self._left(reason, leaving)

    def _rows(self, held: Collection[int]) -> Iterator[Row]:
        last = -(2**63)
        if len(held) > 1:  # they are the oldest, mostly: to read each would take long
            first = "SELECT seq FROM batch ORDER BY seq LIMIT ?"
            for (seq,) in self._database.rows(first, len(held)):
                if seq not in held or seq <= last:
                    break
                last = seq
        query = f"SELECT {COLUMNS} FROM batch WHERE seq > ? ORDER BY seq LIMIT 1"
        while found := self._database.rows(query, last):
            row = Row(*found[0])
            if row.seq <= last:
                raise DamagedError(str(self._database.path), "is damaged (its order)")
            last = row.seq
            if last not in held:
                yield row

    def _left(self, reason: Reason, left: bounds.Leaving) -> None:
        if left:
            places = tuple((seq - self.base, reports) for seq, reports in left)
            self._events.append(Left(reason, places))

    def _shrink_if_empty(self) -> None:
        if self._is_empty:
            self._database.shrink()


def _why_old(row: Row) -> Reason:
    """A damaged row may say anything of its age."""
    try:
        batch_of(row)
    except ValueError:
        return Reason.UNREADABLE
    return Reason.AGED
