"""What sqlite and the system say about the file of a spool, as our own errors."""

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from ruuvi_host.errors import SpoolError
from ruuvi_host.relay.spool.errors import DamagedError, DiskFullError, ReadOnlyError
from ruuvi_host.relay.spool.schema import PAGE

_CANNOT_WRITE = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
}
"""What sqlite says when the disk is full, depending on the file that it wanted to write; and when
the file system has failed."""
_CANNOT_OPEN = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_SUCH_WAY = {errno.EISDIR, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOENT}
"""The file system cannot make a file without a name, or the kernel does not know them."""


class trouble:  # noqa: N801 - used as a function
    """Turns what sqlite and the system say into our errors."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise self._of_sqlite(error) from error
        if isinstance(error, OSError):
            said = error.strerror or str(error)
            raise self._of_system(error.errno) or SpoolError(str(self._path), said) from error

    def _of_sqlite(self, error: sqlite3.Error) -> SpoolError:
        path, code = str(self._path), getattr(error, "sqlite_errorcode", 0) or 0
        if code & 0xFF == sqlite3.SQLITE_FULL:
            return DiskFullError(path, "the disk is full")
        if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return DamagedError(path, f"is damaged ({error})")
        if isinstance(error, sqlite3.OperationalError) and "no such " in str(error):
            return DamagedError(path, f"has other columns ({error})")
        if code in _CANNOT_WRITE:
            why = why_not_writable(self._path.parent)
            if not why:  # there is room for a page, and sqlite needs more
                return DiskFullError(path, "the disk is full")
            return self._of_system(why) or SpoolError(path, f"{error}: {os.strerror(why)}")
        if code & 0xFF in _CANNOT_OPEN and (why := why_not_writable(self._path.parent)):
            return self._of_system(why) or SpoolError(path, str(error))
        return SpoolError(path, str(error))

    def _of_system(self, number: int | None) -> SpoolError | None:
        if number in _FULL:
            return DiskFullError(str(self._path), "the disk is full")
        if number == errno.EROFS:
            sentence = "the file system is read-only: see what the kernel says of it (dmesg)"
            return ReadOnlyError(str(self._path), sentence)
        return None


def why_not_writable(folder: Path) -> int:
    """Try it, as sqlite does not tell: an errno; 0: a page can be written."""
    try:
        fd = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
        with closing(os.fdopen(fd, "wb", buffering=0)) as file:
            file.write(bytes(PAGE))
            os.fsync(fd)
    except OSError as error:
        return _by_its_state(folder) if error.errno in _NO_SUCH_WAY else error.errno or 0
    return 0


def _by_its_state(folder: Path) -> int:
    try:
        state = os.statvfs(folder)
    except OSError as error:
        return error.errno or 0
    if state.f_flag & os.ST_RDONLY:
        return errno.EROFS
    return 0 if state.f_bavail else errno.ENOSPC
