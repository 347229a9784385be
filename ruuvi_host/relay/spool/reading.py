"""Looking into the file of a spool: by people, while a host may be using it, or after damage.

Nothing is changed by it, the log included: what sqlite would do away with at the end of a look may
be what has to be mended.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from urllib.parse import quote

from ruuvi_host.errors import SpoolError
from ruuvi_host.relay.spool import log_file
from ruuvi_host.relay.spool.record import Row, batch_of
from ruuvi_host.relay.spool.schema import (
    APPLICATION_ID,
    COLUMNS,
    MOST_BATCHES,
    MOST_REPORTS,
    OTHER_TYPES,
    READABLE,
    UNMADE,
    head,
)
from ruuvi_host.relay.spool.values import Entry

_ILLEGIBLE = f"{OTHER_TYPES} OR made NOT BETWEEN 0 AND 253402300799"
"""Of rows of which not even that can be told; to the end of the calendar."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What is in a spool."""

    batches: int
    reports: int
    size: int
    """Of database and log."""
    oldest: float | None
    """When the oldest batch was made: UTC, seconds."""
    newest: float | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A batch that is there and cannot be read."""

    seq: int
    reports: int
    """As far as it is known."""


def bytes_of(path: Path) -> int:
    """Of database and log."""
    total = 0
    for suffix in ("", "-wal"):
        with suppress(OSError):
            total += Path(f"{path}{suffix}").stat().st_size
    return total


def summary(path: Path) -> Summary:
    """Raises SpoolError."""
    try:
        with closing(_look(path)) as connection:
            if head(connection) == UNMADE:
                return Summary(0, 0, bytes_of(path), None, None)
            illegible = f"SELECT count(*) FROM batch WHERE {_ILLEGIBLE}"
            if count := connection.execute(illegible).fetchone()[0]:
                raise SpoolError(str(path), f"damaged, and cannot be read: batches {count}")
            batches, reports, oldest, newest = connection.execute(
                "SELECT count(*), coalesce(sum(reports), 0), min(made), max(made) FROM batch"
            ).fetchone()
    except sqlite3.Error as error:
        raise SpoolError(str(path), str(error)) from error
    return Summary(batches, reports, bytes_of(path), oldest, newest)


def log_is_damaged(path: Path) -> bool:
    """Batches behind the damage are not seen before the next start of the host, which mends it.
    Raises SpoolError."""
    try:
        # What a host is just writing is not the same a moment later.
        return all(log_file.is_damaged(path) for _ in _moments())
    except OSError as error:
        raise SpoolError(f"{path}-wal", error.strerror or str(error)) from error


def entries(path: Path) -> Iterator[Entry | Unreadable]:
    """Its batches in order. Raises SpoolError."""
    try:
        with closing(_look(path)) as connection:
            if head(connection) == UNMADE:
                return
            for row in connection.execute(f"SELECT {COLUMNS} FROM batch ORDER BY seq"):
                yield _entry(Row(*row))
    except sqlite3.Error as error:
        raise SpoolError(str(path), str(error)) from error


def salvage(path: Path) -> Iterator[Entry | Unreadable]:
    """What can be read of a damaged file, row by row. Numbers that are missing between those that
    are there are unreadable batches."""
    found: set[int] = set()
    lost: set[int] = set()
    with suppress(sqlite3.Error, SpoolError), closing(_look(path)) as connection:
        whole = _is_whole(connection)
        for seq in sorted(_numbers(connection)):
            with suppress(sqlite3.Error):
                query = f"SELECT {COLUMNS} FROM batch WHERE seq = ?"
                for row in connection.execute(query, (seq,)):
                    found.add(seq)
                    yield _entry(Row(*row))
                continue  # not found by its number: the number is wrong, and one is missing
            lost.add(seq)
        if found and not whole and max(found) - min(found) < MOST_BATCHES:
            lost.update(seq for seq in range(min(found), max(found)) if seq not in found)
    for seq in lost:
        yield Unreadable(seq, 0)


def _is_whole(connection: sqlite3.Connection) -> bool:
    with suppress(sqlite3.Error):
        return connection.execute("PRAGMA quick_check(1)").fetchall() == [(b"ok",)]
    return False


def _numbers(connection: sqlite3.Connection) -> set[int]:
    """Of all rows, from both ends up to the damage."""
    found: set[int] = set()
    for direction in ("", " DESC"):
        with suppress(sqlite3.Error):
            for (seq,) in connection.execute(f"SELECT seq FROM batch ORDER BY seq{direction}"):
                found.add(seq)
    return found


def forget(path: Path) -> None:
    """Delete a spool, with all that belongs to it. Nobody may be using it. Raises SpoolError."""
    try:
        for file in (
            *(path.with_suffix(".jsonl"), Path(f"{path}-wal"), Path(f"{path}-shm")),
            *(path, path.with_suffix(".ballast")),
        ):
            file.unlink(missing_ok=True)
    except OSError as error:
        raise SpoolError(str(path), error.strerror or str(error)) from error


def _moments() -> Iterator[None]:
    yield
    sleep(0.1)
    yield


def _entry(row: Row) -> Entry | Unreadable:
    try:
        return Entry(row.seq, float(row.made), batch_of(row))
    except (ValueError, TypeError):
        known = type(row.reports) is int and 0 <= row.reports <= MOST_REPORTS
        return Unreadable(row.seq, row.reports if known else 0)


def _look(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing."""
    for _ in _moments():  # a host may be making, or deleting, the file at this one
        try:
            return _looking(path)
        except (sqlite3.OperationalError, SpoolError) as error:
            problem = error
    raise problem


def _looking(path: Path) -> sqlite3.Connection:
    if not path.is_file() or path.is_symlink():
        raise SpoolError(str(path), "there is no such file")
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=1.0, isolation_level=None)
    connection.text_factory = bytes  # as in opening.py
    try:
        found = head(connection)
        ours = found[0] == APPLICATION_ID and found[1] in READABLE
        if found != UNMADE and not ours:
            raise SpoolError(str(path), "is no spool of this version of ruuvi-host")
    except BaseException:
        connection.close()
        raise
    return connection
