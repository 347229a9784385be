"""One SQLite database of a spool: transactions, and how to go on when the disk is full.

Write-ahead log, synced at each commit that keeps a batch. A commit that lets one go is not synced:
after a power cut it may come back, and is then sent twice, which its nonce tells the server. On a
full disk the log cannot grow, so that nothing could even be deleted: the ballast is given up then,
and taken again when there is room.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from ruuvi_host.relay.spool.ballast import Ballast
from ruuvi_host.relay.spool.errors import DiskFullError
from ruuvi_host.relay.spool.schema import LOG_ROOM, PAGE
from ruuvi_host.relay.spool.trouble import trouble

T = TypeVar("T")


class Database:
    """An open database. All methods raise DiskFullError, DamagedError or, for what else the system
    says, SpoolError."""

    def __init__(self, path: Path, connection: sqlite3.Connection, ballast: Ballast) -> None:
        self.path = path
        self.ballast = ballast
        self.was_full = False
        """The disk has been full since this was last reset."""
        self._connection = connection

    @property
    def used(self) -> int:
        """Bytes of the pages with content."""
        return (self.value("PRAGMA page_count") - self.value("PRAGMA freelist_count")) * PAGE

    @property
    def free(self) -> int:
        """Bytes of the pages without content: the file need not grow for so much."""
        return self.value("PRAGMA freelist_count") * PAGE

    @property
    def changes(self) -> int:
        """Rows that were changed since it was opened."""
        return self._connection.total_changes

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with trouble(self.path):
            return self._connection.execute(query, values).fetchall()

    def value(self, query: str, *values: object) -> int:
        """The only value of the only row."""
        with trouble(self.path):
            value: int = self._connection.execute(query, values).fetchone()[0]
        return value

    def each(self, query: str, values: Iterable[tuple[object, ...]]) -> None:
        """The same change with different values."""
        with trouble(self.path):
            self._connection.executemany(query, values)

    def transaction(self, work: Callable[[], T], *, durable: bool = True) -> T:
        """durable: it outlives a power cut. It always outlives the end of the process."""
        execute = self._connection.execute
        with trouble(self.path):
            execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            execute("BEGIN IMMEDIATE")
            try:
                result = work()
                execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    execute("ROLLBACK")  # sqlite has done it by itself for some errors
                raise
            return result

    def change(self, work: Callable[[], T], *, durable: bool = True) -> T:
        """A transaction; on a full disk once more without the ballast."""
        try:
            return self.transaction(work, durable=durable)
        except DiskFullError:
            with self.without_ballast():
                return self.transaction(work, durable=durable)

    def spare(self, need: int) -> bool:
        """Is the ballast larger by `need` than what has to stay for deletions?"""
        return self.ballast.taken >= need + LOG_ROOM

    @contextmanager
    def without_ballast(self) -> Iterator[None]:
        """On a full disk: there is room for a moment."""
        self.was_full = True
        self.ballast.give_up()
        self.checkpoint()
        try:
            yield
        finally:
            self.checkpoint()
            self.ballast.take()

    def checkpoint(self) -> None:
        """Move the log into the database and cut it, if nobody looks and there is room."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def shrink(self) -> None:
        """Give the free pages back to the file system."""
        if self.free:
            try:
                self._vacuum()
            except DiskFullError:
                with self.without_ballast():
                    self._vacuum()
        self.checkpoint()

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()

    def _vacuum(self) -> None:
        with trouble(self.path):  # as a script: `execute` would take one step, which is one page
            self._connection.executescript("PRAGMA incremental_vacuum")
