"""Records the bytes of ports into a file. A thread writes it, so that no port waits for the disk.

    recorder = Recorder(CaptureFile("air.pcapng", "/dev/ttyACM0", "/dev/ttyACM1"), clock)
    open_port("/dev/ttyACM0", tap=recorder.taps[0])
    recorder.close()

Records wait in a buffer of limited size. What does not fit, or cannot be written, is lost and
counted, in `counters` and in the file.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import ENOENT
from stat import S_ISREG
from threading import Condition, Thread

from ruuvi_host import __version__
from ruuvi_host.capture.pcapng import SECTION, Reader, Record, packet, section, statistics
from ruuvi_host.clock import Clock, SystemClock
from ruuvi_host.errors import ConfigError
from ruuvi_host.logs import Repeated
from ruuvi_host.monitoring.counters import CaptureCounters

log = logging.getLogger(__name__)

MAX_PENDING = 1 << 20
"""Bytes that may wait for the file: a minute and a half of a line that is never idle."""
COST = 100
"""Bytes of memory that a record takes besides its data, about."""
GATHER = 0.1
"""Seconds for which records are collected before the file is written. That much is lost when the
process is killed."""
CLOSE_TIMEOUT = 3.0
"""Seconds that `close` waits for what is not written yet."""
_BLOCK = 1 << 16
_SECOND = 10**9


class CaptureFile:
    """An open file of a capture, to which whole blocks are appended.

    path: a file that only its owner may read, because it contains the key that signs batches. An
    existing capture is continued; "-" is standard output. A pipe is possible.
    ports: their names in the file, at least one.
    Raises ConfigError.
    """

    def __init__(self, path: str, *ports: str | None) -> None:
        self.path = path
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
            raise ConfigError(path, f"cannot be written: {_why(error)}") from error
        try:
            self._size = self._prepare() if self.is_regular and path != "-" else None
            self.append(section(f"ruuvi-host {__version__}", *self.ports))
        except OSError as error:
            self.close()
            raise ConfigError(path, f"cannot be written: {_why(error)}") from error
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


_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class PortTap:
    """The tap of one port."""

    def __init__(self, recorder: "Recorder", interface: int) -> None:
        self._recorder = recorder
        self._interface = interface

    def received(self, data: bytes) -> None:
        self._recorder.take(self._interface, False, data)

    def sent(self, data: bytes) -> None:
        self._recorder.take(self._interface, True, data)


class Recorder:
    """See the top of this file. `taps` are for the ports of the file, in their order.

    on_failure: called in the writing thread when the file cannot be written any more. Writing is
    tried again all the same: there may be room on the disk again.
    """

    def __init__(
        self,
        file: CaptureFile,
        clock: Clock,
        on_failure: Callable[[OSError], None] = lambda error: None,
    ) -> None:
        self.counters = CaptureCounters()
        self.taps = [PortTap(self, number) for number in range(len(file.ports))]
        self.path = file.path
        self.on_failure = on_failure
        self._file = file
        self._clock = clock
        self._start = self._began = self._wall()
        """Nanoseconds of wall time: start of the recording, and of the current file."""
        self._pending: list[Record] = []
        self._writing: list[Record] = []
        """What is being written."""
        self._room = MAX_PENDING
        self._lost = 0
        """Records since the last one that was kept."""
        self._kept = [0] * len(file.ports)
        self._dropped = [0] * len(file.ports)
        """Records of each port."""
        self._failures = Repeated()
        self._too_slow = Repeated()
        self._closing = False
        self._condition = Condition()
        """Guards all of the above; never held during a write."""
        self._thread = Thread(target=self._write, name="capture", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is left and end the file. Takes at most three seconds; what is not written by
        then is lost, and counted."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(CLOSE_TIMEOUT)
        if self._thread.is_alive():
            with self._condition:
                self._count_lost(self._writing + self._pending)
                self._writing, self._pending = [], []
            log.warning("%s: a write does not return; given up", self._file.path)
            return  # its file stays open: the thread is still writing
        try:
            self._file.end(self._statistics())
        except OSError as error:
            self._warn(error)
        self._file.close()

    def _statistics(self) -> bytes:
        end = self._wall()
        return b"".join(
            statistics(self._began, end, kept, lost, number)
            for number, (kept, lost) in enumerate(zip(self._kept, self._dropped, strict=True))
        )

    def _wall(self) -> int:
        return round(self._clock.wall() * _SECOND)

    def take(self, interface: int, sent: bool, data: bytes) -> None:
        """Take the bytes of a read or write. Never waits."""
        wall, monotonic = self._wall(), round(self._clock.monotonic() * _SECOND)
        with self._condition:
            record = Record(sent, wall, monotonic, data, self._lost, 0, interface)
            cost = len(data) + COST
            if cost > self._room or self._closing:
                self._lost = 0
                self._count_lost([record])
            else:
                self._room -= cost
                self._lost = 0
                self._pending.append(record)
                if len(self._pending) == 1:
                    self._condition.notify()
                return
        if not self._closing and self._too_slow.due():
            log.warning(
                "%s: cannot be written fast enough; records lost %d",
                *(self.path, self.counters.records_lost),
            )

    def _count_lost(self, records: list[Record]) -> None:
        self._lost += sum(1 + record.lost for record in records)
        self.counters.records_lost += len(records)
        self.counters.bytes_lost += sum(len(record.data) for record in records)
        for record in records:
            self._dropped[record.interface] += 1

    def _write(self) -> None:
        """The thread."""
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._pending or self._closing)
                self._condition.wait_for(lambda: self._closing, GATHER)
                self._writing, self._pending = self._pending, []
                closing = self._closing
            if self._writing:
                self._append(self._writing)
            elif closing:
                return

    def _append(self, records: list[Record]) -> None:
        failure: OSError | None = None
        try:
            self._follow()
            self._file.append(b"".join(map(packet, records)))
        except ConfigError as error:
            failure = OSError(ENOENT, f"it was replaced, and a new one cannot be begun: {error}")
        except OSError as error:
            failure = error
        room = sum(len(record.data) + COST for record in records)
        sent = sum(len(record.data) for record in records if record.sent)
        received = room - len(records) * COST - sent
        with self._condition:
            if not self._writing:
                return  # given up by `close`
            self._writing = []
            self._room += room
            if failure:
                self._count_lost(records)
            else:
                self.counters.records += len(records)
                self.counters.bytes_sent += sent
                self.counters.bytes_received += received
        if failure:
            self._warn(failure)
            return
        for record in records:
            self._kept[record.interface] += 1
        if self._failures.total:
            self._failures.reset()
            log.warning("%s: can be written again", self._file.path)

    def _follow(self) -> None:
        with self._condition:
            end = self._statistics()
        if not self._file.follow(end):
            return
        log.warning("%s: was renamed, removed or truncated; a new one was begun", self.path)
        with self._condition:
            self._began = self._wall()
            self._kept = [0] * len(self._kept)
            self._dropped = [0] * len(self._dropped)

    def _warn(self, error: OSError) -> None:
        first = self._failures.total == 0
        if count := self._failures.due():
            log.warning(
                "%s: cannot be written: %s; records lost %d%s",
                *(self._file.path, _why(error), self.counters.records_lost),
                "" if count == 1 else f", failed attempts since the last message {count}",
            )
        if first:
            self.on_failure(error)

    def summary(self) -> str:
        """What was recorded, as a line for people."""
        counters = self.counters
        seconds = (self._wall() - self._start) / _SECOND
        lost = f"{counters.records_lost} records ({counters.bytes_lost} bytes)"
        return (
            f"{self.path}: {seconds:.1f} s, {counters.records} records, "
            f"{counters.bytes_received} bytes received, {counters.bytes_sent} sent, "
            f"{lost if counters.records_lost else 'nothing'} lost"
        )


@contextmanager
def recording(path: str, ports: Sequence[str]) -> Iterator[Sequence[PortTap]]:
    """Taps for the ports, which record into the file `path` until the end of the block.

    Raises ConfigError when there can be no such file.
    """
    recorder = Recorder(CaptureFile(path, *ports), SystemClock())
    try:
        yield recorder.taps
    finally:
        recorder.close()
        log.info("%s", recorder.summary())
