"""What the file of a spool is: its marks, its one table, and its pages."""

import sqlite3

APPLICATION_ID = 0x52755370
"""Tells our files from everybody else's ("RuSp")."""
VERSION = 1
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
    " != ('real', 'integer', 'integer', 'blob', 'blob') OR reports < 0"
)
"""Of rows that this program has never written."""
HEAD = """
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)
FROM pragma_application_id, pragma_user_version
"""
"""What tells a spool from other files: application id, version, and the number of its tables and
the like. In one step: a host may be making the file at this moment."""


def head(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Raises sqlite3.Error."""
    found: tuple[int, int, int] = connection.execute(HEAD).fetchone()
    return found
