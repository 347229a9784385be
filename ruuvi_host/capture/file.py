"""The file of a capture: created or continued, appended to in complete blocks, and replaced by a
new one when it was renamed or removed."""

import fcntl
import logging
import os
from contextlib import suppress
from stat import S_ISREG

from ruuvi_host import __version__
from ruuvi_host.capture.pcapng import SECTION, Reader, section
from ruuvi_host.errors import ConfigError

log = logging.getLogger(__name__)

_BLOCK = 1 << 16
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY


def reason(error: Exception) -> str:
    """Why a file cannot be written, for people."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class CaptureFile:
    """An open file of a capture, to which whole blocks are appended.

    path: a file that only its owner may read, because it contains the key that signs batches. An
    existing capture is continued; "-" is standard output. A pipe is possible.
    ports: their names in the file, at least one. gather_ms: for how long they may be left unread.
    Raises ConfigError.
    """

    def __init__(self, path: str, *ports: str | None, gather_ms: int = 0) -> None:
        self.path = path
        self._gather_ms = gather_ms
        self.ports = ports or (None,)
        if path == "-" and os.isatty(1):
            raise ConfigError(path, "a capture is not for a terminal; send it to a file or a pipe")
        self._fd = -1
        self._size: int | None = None
        """Its size after the last write; None: it is no regular file."""
        self._open()

    def _open(self) -> None:
        path = self.path
        try:
            self._fd = 1 if path == "-" else os.open(path, _FLAGS, 0o600)
            self.is_regular = S_ISREG(os.fstat(self._fd).st_mode)
        except (OSError, ValueError) as error:
            raise ConfigError(path, f"cannot be written: {reason(error)}") from error
        try:
            self._size = self._prepare() if self.is_regular and path != "-" else None
            application = f"ruuvi-host {__version__}"
            self.append(section(application, *self.ports, gather_ms=self._gather_ms))
        except OSError as error:
            self.close()
            raise ConfigError(path, f"cannot be written: {reason(error)}") from error
        except ConfigError:
            self.close()
            raise

    def follow(self, end: bytes) -> bool:
        """If the file was renamed, removed, replaced or truncated: end it, begin a new one and
        return True. So it can be rotated while it is being written.

        end: what to write at the end of the old one. Raises ConfigError.
        """
        if self._fd >= 0 and not self._was_replaced():
            return False
        if self._fd >= 0:
            with suppress(OSError):
                self.end(end)
            self.close()
            self._size = None
        self._open()
        return True

    def _was_replaced(self) -> bool:
        if self._size is None:
            return False
        if self._is_shorter():
            return True
        held = os.fstat(self._fd)
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return True
        except OSError:
            return False  # not known
        return (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino)

    def _is_shorter(self) -> bool:
        return self._size is not None and os.fstat(self._fd).st_size < self._size

    def _prepare(self) -> int:
        """Make sure that the file is empty or a capture that can be continued; its size."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(self.path, "another program is writing a capture to it") from error
        size = os.fstat(self._fd).st_size
        if size and not self._ends_whole(size):
            reader = Reader(iter(lambda: os.read(self._fd, _BLOCK), b""))
            for _ in reader:
                pass
            if not reader.sections:
                raise ConfigError(
                    self.path, "exists and is no capture; choose another name, or remove it"
                )
            if reader.problem and not reader.cut:
                raise ConfigError(self.path, f"{reader.problem}; choose another name")
            if reader.problem:
                log.warning("%s: %s; continued from there", self.path, reader.problem)
                size = reader.good
                os.ftruncate(self._fd, size)
        os.fchmod(self._fd, 0o600)
        return size

    def _ends_whole(self, size: int) -> bool:
        """Does it begin with a section and end with a complete block? Then it need not be read as a
        whole, which takes long when it has grown for weeks."""
        total = int.from_bytes(os.pread(self._fd, 4, max(size - 4, 0)), "little")
        return (
            os.pread(self._fd, 12, 0)[:4] == SECTION.to_bytes(4, "little")
            and 12 <= total <= size
            and os.pread(self._fd, 4, size - total + 4) == total.to_bytes(4, "little")
        )

    def append(self, raw: bytes) -> None:
        """Write all of it, or raise OSError and leave the file as it was."""
        left = memoryview(raw)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError:
            if self._size is not None:
                with suppress(OSError):
                    os.ftruncate(self._fd, self._size)
            raise
        if self._size is not None:
            self._size += len(raw)

    def end(self, raw: bytes) -> None:
        """Write its end, unless the file was truncated. Raises OSError."""
        if self._fd >= 0 and not self._is_shorter():
            self.append(raw)

    def close(self) -> None:
        if self._fd > 1:
            os.close(self._fd)
        self._fd = -1
