"""Opening the database of a spool: it is made when there is none, and refused when it is not ours.

A new file becomes a spool in one transaction: one whose making was cut short has no table, and is
an empty spool.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from ruuvi_host import private_files
from ruuvi_host.clock import EARLIEST
from ruuvi_host.relay.spool import log_file, record
from ruuvi_host.relay.spool.ballast import Ballast
from ruuvi_host.relay.spool.database import Database
from ruuvi_host.relay.spool.errors import DamagedError, DiskFullError
from ruuvi_host.relay.spool.schema import (
    APPLICATION_ID,
    CHECKPOINT_PAGES,
    COLUMNS,
    COUNTS,
    HEAD,
    MARKS,
    OTHER_TYPES,
    PAGE,
    READABLE,
    TABLE,
    UNMADE,
    VERSION,
)
from ruuvi_host.relay.spool.trouble import trouble

_BUSY_TIMEOUT = 1.0
"""Seconds to wait for another process that looks at the file."""


def open_database(path: Path, ballast: int, now: float) -> tuple[Database, tuple[int, int]]:
    """The database, and how many batches and reports are in it.

    ballast: bytes. now: UTC, seconds, for what carries a time that cannot be. Raises
    DiskFullError, DamagedError or, for what else the system says, SpoolError.
    """
    with trouble(path):
        for suffix in ("", "-wal", "-shm"):
            if Path(f"{path}{suffix}").is_symlink():
                raise DamagedError(f"{path}{suffix}", "is a symbolic link, which is not followed")
        if not path.exists():  # sqlite would ask the umask
            os.close(private_files.opener(str(path), os.O_CREAT | os.O_WRONLY))
        elif log_file.is_damaged(path):
            raise DamagedError(f"{path}-wal", "is damaged")
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None)
        # One changed bit makes a text of bytes. They are the same, and may be none of UTF-8.
        connection.text_factory = bytes
    database = Database(path, connection, Ballast(path.with_suffix(".ballast"), ballast))
    try:
        try:
            counts = _prepare(database, now)
        except DiskFullError:
            database.ballast.give_up()
            counts = _prepare(database, now)
    except BaseException:
        database.close()
        raise
    database.ballast.take()
    return database, counts


def _prepare(database: Database, now: float) -> tuple[int, int]:
    found = database.rows(HEAD)[0]
    if found == UNMADE:  # setting these again would write into the file
        for pragma in (f"page_size = {PAGE}", "auto_vacuum = INCREMENTAL", "journal_mode = WAL"):
            database.rows(f"PRAGMA {pragma}")
    elif found[0] != APPLICATION_ID:
        raise DamagedError(str(database.path), "is not a spool of ruuvi-host")
    elif found[1] not in READABLE:
        sentence = f"is of another version ({found[1]}) of ruuvi-host"
        raise DamagedError(str(database.path), sentence)
    for pragma in (
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        f"journal_size_limit = {CHECKPOINT_PAGES * PAGE}",
        "cache_size = -512",
    ):
        database.rows(f"PRAGMA {pragma}")
    if found == UNMADE:
        database.transaction(lambda: _make(database))
        with trouble(database.path):
            private_files.sync_folder(database.path.parent)
    elif database.rows("PRAGMA quick_check(1)") != [(b"ok",)]:
        # Some damage only hides batches.
        raise DamagedError(str(database.path), "is damaged (its structure)")
    elif found[1] != VERSION:  # an older program must not take our rows for damaged ones
        database.transaction(lambda: database.rows(f"PRAGMA user_version = {VERSION}"))
    return _checked_rows(database, now)


def _make(database: Database) -> None:
    database.rows(TABLE)
    database.rows(f"PRAGMA application_id = {APPLICATION_ID}")
    database.rows(f"PRAGMA user_version = {VERSION}")


def _checked_rows(database: Database, now: float) -> tuple[int, int]:
    """Batches and reports. Of all rows only what is told and bounded by now is looked at; each has
    a checksum, which is looked at when its turn comes."""
    database.rows(f"SELECT {COLUMNS} FROM batch LIMIT 0")
    ((batches, reports),) = database.rows(COUNTS, EARLIEST, now)
    if isinstance(reports, int):
        return batches, reports
    # sqlite keeps a text in a column of numbers, if that is what a damaged byte says.
    if database.value(f"SELECT count(*) FROM batch WHERE {OTHER_TYPES}"):
        raise DamagedError(str(database.path), "holds values that are none of a batch")
    # A clock that was wrong when they were made must not make them older than they are.
    wrong = "SELECT seq FROM batch WHERE made < ? OR made > ?"
    if seqs := [seq for (seq,) in database.rows(wrong, EARLIEST, now)]:
        database.transaction(lambda: _made_now(database, seqs, now))
    return batches, database.value("SELECT coalesce(sum(reports), 0) FROM batch")


def _made_now(database: Database, seqs: list[int], now: float) -> None:
    for seq in seqs:
        for row in database.rows(f"SELECT {COLUMNS} FROM batch WHERE seq = ?", seq):
            with suppress(ValueError):  # what is damaged is told when its turn comes
                changed = record.changed(record.Row(*row), made=now)
                database.rows(f"INSERT OR REPLACE INTO batch VALUES ({MARKS})", *changed)
