"""What sqlite and the system say about the file of a spool, as our own errors."""

import errno
import sqlite3
from pathlib import Path

from ruuvi_host.errors import SpoolError
from ruuvi_host.relay.spool.errors import DamagedError, DiskFullError

_FULL_TOO = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
}
"""What sqlite says when the disk is full, depending on the file that it wanted to write."""


class trouble:  # noqa: N801 - used as a function
    """Turns what sqlite and the system say into our errors."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            code = getattr(error, "sqlite_errorcode", 0) or 0
            if code & 0xFF == sqlite3.SQLITE_FULL or code in _FULL_TOO:
                raise DiskFullError(self._path, "the disk is full") from error
            if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise DamagedError(self._path, f"is damaged ({error})") from error
            if isinstance(error, sqlite3.OperationalError) and "no such " in str(error):
                raise DamagedError(self._path, f"has other columns ({error})") from error
            raise SpoolError(self._path, str(error)) from error
        if isinstance(error, OSError):
            kind_of = DiskFullError if error.errno in (errno.ENOSPC, errno.EDQUOT) else SpoolError
            raise kind_of(self._path, error.strerror or str(error)) from error
