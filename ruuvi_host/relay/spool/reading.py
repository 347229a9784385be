"""Looking into the file of a spool: by people, while a host may be using it, or after damage."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from ruuvi_host.errors import SpoolError
from ruuvi_host.relay.spool.record import unpack
from ruuvi_host.relay.spool.schema import APPLICATION_ID, COLUMNS, UNMADE, VERSION, head
from ruuvi_host.relay.spool.values import Entry


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
            batches, reports, oldest, newest = connection.execute(
                "SELECT count(*), coalesce(sum(reports), 0), min(made), max(made) FROM batch"
            ).fetchone()
    except sqlite3.Error as error:
        raise SpoolError(str(path), str(error)) from error
    return Summary(batches, reports, bytes_of(path), oldest, newest)


def rows(path: Path) -> Iterator[Entry]:
    """Its batches in order; one that cannot be read is left out. Raises SpoolError."""
    try:
        with closing(_look(path)) as connection:
            if head(connection) == UNMADE:
                return
            for seq, made, nonce, _, gateway, packed in connection.execute(
                f"SELECT {COLUMNS} FROM batch ORDER BY seq"
            ):
                with suppress(ValueError, TypeError):
                    yield Entry(seq, float(made), unpack(nonce, gateway, packed))
    except sqlite3.Error as error:
        raise SpoolError(str(path), str(error)) from error


def salvage(path: Path) -> Iterator[Entry]:
    """What can be read of a damaged file: from both ends up to the damage."""
    seen: set[int] = set()
    with suppress(sqlite3.Error, SpoolError), closing(_look(path)) as connection:
        for direction in ("", " DESC"):
            with suppress(sqlite3.Error):
                for seq, made, nonce, _, gateway, packed in connection.execute(
                    f"SELECT {COLUMNS} FROM batch ORDER BY seq{direction}"
                ):
                    if seq not in seen:
                        seen.add(seq)
                        with suppress(ValueError, TypeError):
                            yield Entry(seq, float(made), unpack(nonce, gateway, packed))


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


def _look(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing."""
    if not path.is_file():
        raise SpoolError(str(path), "there is no such file")
    connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = 1")
        found = head(connection)
        if found != UNMADE and found[:2] != (APPLICATION_ID, VERSION):
            raise SpoolError(str(path), "is no spool of this version of ruuvi-host")
    except BaseException:
        connection.close()
        raise
    return connection
