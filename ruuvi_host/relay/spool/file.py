"""The file of a spool: one SQLite database, written and read by one thread, bounded, durable.

It blocks, so it never runs in the event loop's thread.

Write-ahead log, synced at each commit that keeps a batch. A commit that lets one go is not synced:
after a power cut it may come back, and is then sent twice, which its nonce tells the server. On a
full disk the log cannot grow, so that nothing could even be deleted: the ballast, a file of no
content, is given up then, and taken again when there is room.
"""

import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self, TypeVar

from ruuvi_host.clock import EARLIEST
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.errors import SpoolError
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.spool.reading import (
    APPLICATION_ID,
    COLUMNS,
    UNMADE,
    VERSION,
    Row,
    bytes_of,
    head,
    salvage,
)
from ruuvi_host.relay.spool.record import pack, unpack
from ruuvi_host.relay.spool.trouble import DamagedError, DiskFullError, trouble

T = TypeVar("T")

PAGE = 4096
CHECKPOINT_PAGES = 64
"""Pages in the log until they are moved into the database: small, because on a full disk the
database must be able to grow by so much from the ballast."""
_LOG_ROOM = 2 * CHECKPOINT_PAGES * PAGE
"""Bytes of the bound that are left to the log."""
_BUSY_TIMEOUT = 1.0
"""Seconds to wait for another process that looks at the file."""
_SCHEMA = """
CREATE TABLE batch (
    seq INTEGER PRIMARY KEY,  -- the order in which they are sent
    made REAL NOT NULL,       -- when it was cut: UTC, seconds
    nonce INTEGER NOT NULL,
    reports INTEGER NOT NULL,
    gateway BLOB NOT NULL,    -- device id and address, 14 bytes
    packed BLOB NOT NULL      -- see relay/spool_record.py
)
"""

_OTHER_TYPES = (
    "(typeof(made), typeof(nonce), typeof(reports), typeof(gateway), typeof(packed))"
    " != ('real', 'integer', 'integer', 'blob', 'blob') OR reports < 0"
)
"""Of rows that this program has never written."""


@dataclass(slots=True)
class Dropped:
    """Batches that left the file without being delivered, and their reports."""

    full: list[int] = field(default_factory=list)
    """Reports of each that made room for others."""
    aged: list[int] = field(default_factory=list)
    """Reports of each that was too old."""
    unreadable: list[int] = field(default_factory=list)
    """Reports of each that cannot be read any more."""


class SpoolFile:
    """An open spool. `open` makes it when there is none.

    All methods raise DiskFullError, DamagedError or, for what else the system says, SpoolError.
    """

    def __init__(self, path: Path, settings: SpoolSettings, connection: sqlite3.Connection) -> None:
        self.path = path
        self.batches = 0
        self.reports = 0
        self.last_seq = 0
        """The last place that is taken."""
        self.dropped = Dropped()
        """Since somebody last took it."""
        self.was_full = False
        """The disk has been full since somebody last asked."""
        self.settings = settings
        self._connection = connection
        self._ballast = path.with_suffix(".ballast")

    @classmethod
    def open(cls, path: Path, settings: SpoolSettings, now: float) -> Self:
        """now: UTC, seconds, for what carries a time that cannot be."""
        connection = None
        try:
            with trouble(path):
                if not path.exists():  # sqlite would ask the umask
                    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
                connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None)
                file = cls(path, settings, connection)
                try:
                    file._prepare(now)
                except DiskFullError:
                    file._give_up_ballast()
                    file._prepare(now)
                file.last_seq = file._value("SELECT coalesce(max(seq), 0) FROM batch")
            file._take_ballast()
        except BaseException:
            if connection:
                connection.close()
            raise
        return file

    @property
    def size(self) -> int:
        """Bytes of database and log."""
        return bytes_of(self.path)

    def nonces(self) -> set[int]:
        with trouble(self.path):
            return {nonce for (nonce,) in self._connection.execute("SELECT nonce FROM batch")}

    def add(self, seq: int, batch: Batch, made: float, held: Collection[int] = ()) -> None:
        """Keep a batch at its place, instead of what is there. The oldest leave for it.

        held: those that must not leave. Raises ValueError for a batch that cannot be.
        """
        packed = pack(batch)
        reports = len(batch.advertisements)
        gateway = batch.gateway.id + batch.gateway.addr
        values = (seq, made, batch.nonce, reports, gateway, packed)
        need = len(packed) + PAGE

        def insert() -> None:
            self._make_room(need, held)
            replaced = self._connection.execute(
                "DELETE FROM batch WHERE seq = ? RETURNING reports", (seq,)
            ).fetchall()
            self._forget([n for (n,) in replaced], [])
            self._connection.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?)", values)

        try:
            self._transaction(insert)
        except DiskFullError:
            self._add_to_full_disk(insert, need, held)
        self.last_seq = max(self.last_seq, seq)
        self.batches += 1
        self.reports += reports

    def remove(self, seqs: Collection[int]) -> None:
        """Let go of batches that are there or not: delivered, or counted by whoever says so."""

        def delete() -> tuple[int, int]:
            batches = reports = 0
            for seq in seqs:
                found = self._connection.execute(
                    "DELETE FROM batch WHERE seq = ? RETURNING reports", (seq,)
                ).fetchall()
                batches += len(found)
                reports += sum(n for (n,) in found)
            return batches, reports

        batches, reports = self._with_ballast(lambda: self._transaction(delete, durable=False))
        self.batches -= batches
        self.reports -= reports
        if not self.batches:
            self._shrink()

    def oldest(self, now: float, *, window: float = 0.0, held: Collection[int] = ()) -> list[Row]:
        """The oldest batch, and those of the same gateway cut within `window` seconds of it.

        What is too old at `now`, or cannot be read, is dropped first. held: neither.
        """
        self.drop_aged(now, held)
        group: list[Row] = []
        first_gateway = b""
        unreadable: list[tuple[int, int]] = []
        for seq, made, nonce, reports, gateway, packed in self._rows(held):
            if group and (gateway != first_gateway or not 0 <= made - group[0].made < window):
                break
            try:
                batch = unpack(nonce, gateway, packed)
                if group and batch.counted != group[0].batch.counted:
                    break
                group.append(Row(seq, made, batch))
                first_gateway = gateway
            except ValueError:
                unreadable.append((seq, reports))
            if not window and group:
                break
        if unreadable:
            self.remove([seq for seq, _ in unreadable])
            self.dropped.unreadable += [reports for _, reports in unreadable]
        return group

    def replace(self, rows: Sequence[Row], batch: Batch) -> None:
        """Put one batch in the place of several, in one step."""
        packed = pack(batch)
        gateway = batch.gateway.id + batch.gateway.addr
        reports = len(batch.advertisements)
        first = rows[0]

        def swap() -> None:
            for row in rows:
                self._connection.execute("DELETE FROM batch WHERE seq = ?", (row.seq,))
            self._connection.execute(
                "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?)",
                (first.seq, first.made, batch.nonce, reports, gateway, packed),
            )

        self._with_ballast(lambda: self._transaction(swap))
        self.batches -= len(rows) - 1
        self.reports -= sum(len(row.batch.advertisements) for row in rows) - reports

    def postpone(self, seq: int, later: int) -> None:
        """Give a batch another place."""
        self._with_ballast(
            lambda: self._transaction(
                lambda: self._connection.execute(
                    "UPDATE batch SET seq = ? WHERE seq = ?", (later, seq)
                ),
                durable=False,
            )
        )
        self.last_seq = max(self.last_seq, later)

    def drop_aged(self, now: float, held: Collection[int] = ()) -> None:
        """Let go of what has waited for too long."""
        limit = now - self.settings.max_age
        while self._oldest_made(held) < limit:
            aged = self._with_ballast(
                lambda: self._transaction(
                    lambda: self._delete_oldest(100, held, before=limit), durable=False
                )
            )
            self._forget(aged, self.dropped.aged)
        if not self.batches:
            self._shrink()

    def take_dropped(self) -> Dropped:
        dropped, self.dropped = self.dropped, Dropped()
        return dropped

    def close(self) -> None:
        """Without a batch no file is left behind."""
        empty = False
        try:
            with suppress(SpoolError):  # a file that cannot be asked may hold something
                empty = not self._value("SELECT count(*) FROM (SELECT 1 FROM batch LIMIT 1)")
        finally:
            self.abandon()
        if empty:
            self._give_up_ballast()
            for suffix in ("", "-wal", "-shm"):
                with suppress(OSError):
                    os.unlink(f"{self.path}{suffix}")

    def abandon(self) -> None:
        """Close a file as it is."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def salvage(self, aside: Path, without: Collection[int]) -> None:
        """Take over what can be read of a damaged spool that was set aside, at the old places."""
        for row in salvage(aside):
            if row.seq not in without:
                self.add(row.seq, row.batch, row.made)

    # --- one step each

    def _prepare(self, now: float) -> None:
        execute = self._connection.execute
        with trouble(self.path):
            application, version, _ = found = head(self._connection)
        is_new = found == UNMADE
        if not is_new and application != APPLICATION_ID:
            raise DamagedError(str(self.path), "is somebody else's database")
        if not is_new and version != VERSION:
            raise DamagedError(str(self.path), f"is of another version ({version}) of ruuvi-host")
        if is_new:  # setting these again would write into the file
            execute(f"PRAGMA page_size = {PAGE}")
            execute("PRAGMA auto_vacuum = INCREMENTAL")
            execute("PRAGMA journal_mode = WAL")
        execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        execute(f"PRAGMA journal_size_limit = {CHECKPOINT_PAGES * PAGE}")
        execute("PRAGMA cache_size = -512")
        if is_new:
            self._transaction(self._make_schema)
            _sync_folder(self.path.parent)
        execute(f"SELECT {COLUMNS} FROM batch LIMIT 0")
        # sqlite keeps a text in a column of numbers, if that is what a damaged byte says.
        if self._value(f"SELECT count(*) FROM batch WHERE {_OTHER_TYPES}"):
            raise DamagedError(str(self.path), "holds values that are none of a batch")
        self.batches, self.reports = execute(
            "SELECT count(*), coalesce(sum(reports), 0) FROM batch"
        ).fetchone()
        # A clock that was wrong when they were cut must not make them older than they are.
        cannot_be = (now, EARLIEST, now)
        if self._value("SELECT count(*) FROM batch WHERE made < ? OR made > ?", *cannot_be[1:]):
            self._transaction(
                lambda: execute("UPDATE batch SET made = ? WHERE made < ? OR made > ?", cannot_be)
            )

    def _make_schema(self) -> None:
        execute = self._connection.execute
        execute(_SCHEMA)
        execute(f"PRAGMA application_id = {APPLICATION_ID}")
        execute(f"PRAGMA user_version = {VERSION}")

    def _transaction(self, work: Callable[[], T], *, durable: bool = True) -> T:
        """durable: it outlives a power cut. It always outlives the end of the process."""
        execute = self._connection.execute
        with trouble(self.path):
            execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            execute("BEGIN IMMEDIATE")
            before = len(self.dropped.full)
            counts = self.batches, self.reports
            try:
                result = work()
                execute("COMMIT")
            except BaseException:
                del self.dropped.full[before:]
                self.batches, self.reports = counts
                with suppress(sqlite3.Error):
                    execute("ROLLBACK")  # sqlite has done it by itself for some errors
                raise
            return result

    def _make_room(self, need: int, held: Collection[int]) -> None:
        """Within a transaction: the oldest leave until `need` bytes fit into the bound."""
        limit = self.settings.max_bytes - _LOG_ROOM - 2 * need
        number = 1
        while self._used() + need > limit:
            left = self._delete_oldest(number, held)
            if not left:
                raise SpoolError(str(self.path), "one batch alone is larger than the bound")
            self._forget(left, self.dropped.full)
            number = min(2 * number, 64)

    def _used(self) -> int:
        pages: int = self._value("PRAGMA page_count") - self._value("PRAGMA freelist_count")
        return pages * PAGE

    def _add_to_full_disk(
        self, insert: Callable[[], None], need: int, held: Collection[int]
    ) -> None:
        """The oldest leave until there are free pages enough: the database must not grow."""
        self.was_full = True
        self._give_up_ballast()
        self._checkpoint()

        def make_room() -> None:
            while self._value("PRAGMA freelist_count") * PAGE < need:
                left = self._delete_oldest(1, held)
                if not left:
                    break
                self._forget(left, self.dropped.full)

        try:
            self._transaction(make_room)
            self._checkpoint()
            self._transaction(insert)
        finally:
            self._checkpoint()
            self._take_ballast()

    def _with_ballast(self, work: Callable[[], T]) -> T:
        """Do it; on a full disk once more without the ballast."""
        try:
            return work()
        except DiskFullError:
            self.was_full = True
            self._give_up_ballast()
            self._checkpoint()
            try:
                return work()
            finally:
                self._checkpoint()
                self._take_ballast()

    def _delete_oldest(
        self, number: int, held: Collection[int], before: float | None = None
    ) -> list[int]:
        """The reports of each that left. before: only what was cut before that time."""
        found = [
            (seq, reports)
            for seq, reports, made in self._connection.execute(
                "SELECT seq, reports, made FROM batch ORDER BY seq LIMIT ?",
                (number + len(held),),
            )
            if seq not in held and (before is None or made < before)
        ][:number]
        self._connection.executemany("DELETE FROM batch WHERE seq = ?", [(s,) for s, _ in found])
        return [reports for _, reports in found]

    def _forget(self, left: list[int], where: list[int]) -> None:
        where += left
        self.batches -= len(left)
        self.reports -= sum(left)

    def _oldest_made(self, held: Collection[int]) -> float:
        with trouble(self.path):
            for seq, made in self._connection.execute(
                "SELECT seq, made FROM batch ORDER BY seq LIMIT ?", (1 + len(held),)
            ):
                if seq not in held:
                    return float(made)
        return float("inf")

    def _rows(self, held: Collection[int]) -> Iterator[tuple[int, float, int, int, bytes, bytes]]:
        last = -1
        while True:
            with trouble(self.path):
                row = self._connection.execute(
                    f"SELECT {COLUMNS} FROM batch WHERE seq > ? ORDER BY seq LIMIT 1",
                    (last,),
                ).fetchone()
            if row is None:
                return
            last = row[0]
            if last not in held:
                yield row

    def _shrink(self) -> None:
        """Give the free pages back to the file system."""
        if self._value("PRAGMA freelist_count"):
            # As a script: `execute` would take one step, which is one page.
            self._with_ballast(lambda: self._script("PRAGMA incremental_vacuum"))
        self._checkpoint()

    def _checkpoint(self) -> None:
        """Move the log into the database and cut it, if nobody looks and there is room."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _script(self, text: str) -> None:
        with trouble(self.path):
            self._connection.executescript(text)

    def _value(self, query: str, *values: float) -> int:
        with trouble(self.path):
            value: int = self._connection.execute(query, values).fetchone()[0]
        return value

    def _give_up_ballast(self) -> None:
        with suppress(OSError):
            self._ballast.unlink()

    def _take_ballast(self) -> None:
        """As much of it as there is room for."""
        size = self.settings.ballast
        if _size(self._ballast) >= size:
            return
        with suppress(OSError):
            ballast = os.open(self._ballast, os.O_CREAT | os.O_WRONLY, 0o600)
            with closing(os.fdopen(ballast, "wb")):
                while size >= PAGE:
                    try:
                        os.posix_fallocate(ballast, 0, size)
                        break
                    except OSError:
                        os.ftruncate(ballast, 0)
                        size //= 2


def set_aside(path: Path) -> tuple[Path | None, str]:
    """Give a file, with its log, another name. That name, and what became of it in words."""
    asides = (path.with_suffix(f".damaged{n}") for n in count(1))
    try:
        aside = next(a for a in asides if not a.exists())
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    except OSError as error:
        return None, f"it cannot be set aside either: {error.strerror}"
    return aside, f"it was set aside as {aside.name}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems cannot, and need not
            os.fsync(folder)
    finally:
        os.close(folder)
