"""The files of one target in its folder. Everything here blocks: it is for a thread.

NAME.jsonl                          the current file; lines are added at its end
NAME-20260501T100000Z.jsonl         a finished one, with the time at which it was begun
NAME-20260501T100000Z.jsonl.gz      the same, compressed
.NAME.lock                          held while a host writes; its modification time is that at which
                                    the current file was begun
"""

import errno
import fcntl
import logging
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from ruuvi_host.config.targets import FileTarget
from ruuvi_host.relay.file.lines import Recent

log = logging.getLogger(__name__)

BLOCK = 1 << 20
"""Bytes read from the end of a file at a time."""


class InUseError(Exception):
    """Another host writes these files."""


class Folder:
    """Adds lines to the current file, and finishes it when it is large or old enough.

    Once `append` has returned, its lines are on disk, and they stay: an end of the process or of
    the power costs nothing. When it raises, those that were written stay too, and are not written
    again with the next call. Raises OSError and InUseError.
    """

    def __init__(self, target: FileTarget) -> None:
        self.finished = 0
        """Files that were finished."""
        self._target = target
        self._lock: int | None = None
        self._file: int | None = None
        self._size = 0
        self._begun = 0.0
        """UTC, seconds."""
        self._recent = Recent()

    @property
    def current(self) -> Path:
        return self._target.folder / f"{self._target.name}.jsonl"

    def append(self, lines: Iterable[bytes], now: float) -> None:
        """Write what is not there yet. now: UTC, seconds."""
        try:
            self._open(now)
            lines = [line for line in lines if line not in self._recent]
            self._finish_if_due(now, sum(map(len, lines)))
            self._write(lines)
        except OSError:
            self._close_file()  # what is there now is found out with the next call
            raise

    def close(self) -> None:
        self._close_file()
        self._unlock()

    def _open(self, now: float) -> None:
        """The current file, unless it is open and still the one of that name: whoever moves it away
        or deletes it is to get a new one."""
        if _is_at(self.current, self._file):
            return
        self._close_file()
        self._target.folder.mkdir(parents=True, exist_ok=True)
        lock = self._target.folder / f".{self._target.name}.lock"
        if self._lock is None or not _is_at(lock, self._lock):
            self._unlock()
            self._lock = _locked(lock)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        self._file = os.open(self.current, flags, 0o666)
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise OSError(errno.EINVAL, "it is not a file", str(self.current))
        self._cut_torn_line()
        if self._size:
            self._begun = os.fstat(self._lock).st_mtime
            self._remember()
        else:
            self._begin(now)

    def _begin(self, now: float) -> None:
        assert self._lock is not None
        self._begun = now
        os.utime(self._lock, (now, now))
        _sync_folder(self._target.folder)

    def _cut_torn_line(self) -> None:
        """A kill or a loss of power in the middle of a line leaves its beginning."""
        assert self._file is not None
        size = os.fstat(self._file).st_size
        whole = 0
        for start, block in _blocks_backwards(self._file, size):
            if (end := block.rfind(b"\n")) >= 0:
                whole = start + end + 1
                break
        if whole < size:
            os.ftruncate(self._file, whole)
            log.warning(
                "%s: the last line was not complete and was cut off: bytes %d",
                *(self.current, size - whole),
            )
        self._size = whole

    def _remember(self) -> None:
        assert self._file is not None
        start = max(0, self._size - 2 * BLOCK)
        lines = os.pread(self._file, self._size - start, start).splitlines(keepends=True)
        for line in lines[-Recent.MOST :]:
            self._recent.add(line)

    def _finish_if_due(self, now: float, more: int) -> None:
        """Give the current file its final name, and begin a new one."""
        target = self._target
        is_full = self._size + more > target.max_bytes
        if self._size and (is_full or now - self._begun >= target.max_age):
            final = self._final_name()
            os.rename(self.current, final)
            self.finished += 1
            log.info("%s: finished %s", target.name, final)
            self._close_file()
            self._open(now)

    def _final_name(self) -> Path:
        when = f"{datetime.fromtimestamp(self._begun, UTC):%Y%m%dT%H%M%SZ}"
        number = 1
        while True:
            suffix = "" if number == 1 else f"-{number}"
            path = self._target.folder / f"{self._target.name}-{when}{suffix}.jsonl"
            if not path.exists() and not path.with_suffix(".jsonl.gz").exists():
                return path
            number += 1

    def _write(self, lines: list[bytes]) -> None:
        if not lines:
            return
        assert self._file is not None
        data = memoryview(b"".join(lines))
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
            os.fdatasync(self._file)
        except OSError:
            self._keep_whole_lines(lines, written)
            raise
        self._size += written
        for line in lines:
            self._recent.add(line)

    def _keep_whole_lines(self, lines: list[bytes], written: int) -> None:
        """Of what a full disk has taken of them. Who follows the file may have read these."""
        assert self._file is not None
        whole = 0
        for line in lines:
            if whole + len(line) > written:
                break
            whole += len(line)
            self._recent.add(line)
        with suppress(OSError):
            os.ftruncate(self._file, self._size + whole)

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def finished_files(target: FileTarget) -> Iterator[Path]:
    """Those that are not compressed, the oldest first. Raises OSError."""
    name = re.compile(re.escape(target.name) + r"-[0-9]{8}T[0-9]{6}Z(-[0-9]+)?\.jsonl")
    for path in sorted(target.folder.iterdir()):
        if name.fullmatch(path.name):
            yield path


def _is_at(path: Path, file: int | None) -> bool:
    """Is that still the file of this name?"""
    try:
        return file is not None and os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        return False


def _locked(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise InUseError from error
    except OSError:
        os.close(lock)
        raise
    return lock


def _blocks_backwards(file: int, size: int) -> Iterator[tuple[int, bytes]]:
    """(place, bytes) from the end to the beginning."""
    while size > 0:
        start = max(0, size - BLOCK)
        yield start, os.pread(file, size - start, start)
        size = start


def _sync_folder(folder: Path) -> None:
    """A new name in it, or another one, is on disk then."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
