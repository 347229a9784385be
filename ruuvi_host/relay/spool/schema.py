"""What the file of a spool is: its marks, its one table, and its pages."""

import sqlite3

APPLICATION_ID = 0x52755370
"""Tells our files from everybody else's ("RuSp")."""
VERSION = 2
READABLE = (1, VERSION)
"""Version 1 has rows without a checksum of their own. A program that knows version 1 only sets a
file of version 2 aside, and otherwise does not touch it."""
MOST_REPORTS = 1_000_000
"""In one batch: more than any table holds."""
MOST_BATCHES = 1_000_000
"""In one file: more than there is room for."""
UNMADE = (0, 0, 0)
"""The head of a file whose making was cut short, by a crash or a full disk: there is no table yet.
Nothing is in it, and whoever opens it to write makes a spool of it."""
PAGE = 4096
CHECKPOINT_PAGES = 64
"""Pages in the log until they are moved into the database: small, because on a full disk the
database must be able to grow by so much from the ballast."""
LOG_ROOM = 2 * CHECKPOINT_PAGES * PAGE
"""Bytes of the bound that are left to the log."""
COLUMNS = "seq, made, nonce, reports, gateway, packed"
MARKS = "?, ?, ?, ?, ?, ?"
TABLE = """
CREATE TABLE batch (
    seq INTEGER PRIMARY KEY,  -- the order in which they are sent
    made REAL NOT NULL,       -- when it was made: UTC, seconds
    nonce INTEGER NOT NULL,
    reports INTEGER NOT NULL,
    gateway BLOB NOT NULL,    -- device id and address, 14 bytes
    packed BLOB NOT NULL      -- see relay/spool/record.py
)
"""
OTHER_TYPES = (
    "(typeof(made), typeof(nonce), typeof(reports), typeof(gateway), typeof(packed))"
    " != ('real', 'integer', 'integer', 'blob', 'blob')"
    f" OR reports NOT BETWEEN 0 AND {MOST_REPORTS}"
)
"""Of rows that this program has never written."""
COUNTS = f"""
SELECT count(*), coalesce(sum(CASE
WHEN made BETWEEN ? AND ? AND reports BETWEEN 0 AND {MOST_REPORTS} THEN reports ELSE 0.5 END), 0)
FROM batch
"""
"""Batches, and their reports: a whole number (sqlite keeps it one until it adds another kind), if
the times of all of them can be, and the numbers. What is no number is not between two of them."""
HEAD = """
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)
FROM pragma_application_id, pragma_user_version
"""
"""What tells a spool from other files: application id, version, and the number of its tables and
the like. In one step: a host may be making the file at this moment."""


def head(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Raises sqlite3.Error."""
    # Each of its pragmas is a statement of its own: only a transaction makes them one look.
    connection.execute("BEGIN")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        found: tuple[int, int, int] = connection.execute(HEAD).fetchone()
    finally:
        connection.execute("COMMIT")
    return found
