"""Records what a port hands over, without ever making it wait: a thread writes the file.

    recorder = Recorder(CaptureFile("air.pcapng", "/dev/ttyACM0", "/dev/ttyACM1"), clock)
    open_port("/dev/ttyACM0", tap=recorder.taps[0])
    recorder.close()

What comes faster than the file takes it is kept up to a bound; what finds no room, or cannot be
written, is counted, in `counters` and in the file.
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
"""What a record takes besides its bytes, in round figures."""
GATHER = 0.1
"""Seconds for which records are gathered, so that the file is not written at each read. So much is
lost when the process is killed."""
LAST_WORDS = 3.0
"""Seconds that `close` waits for what is not written yet."""
_BLOCK = 1 << 16
_SECOND = 10**9


class CaptureFile:
    """An open file of a capture, to which whole blocks are appended.

    path: a file that only its owner may read, as it holds the key that batches are signed with.
    One that is there is continued, if it is a capture; "-" is standard output. A pipe is possible.
    ports: what is named in the file as the sources, of which there is at least one.
    Raises ConfigError.
    """

    def __init__(self, path: str, *ports: str | None) -> None:
        self.path = path
        self.ports = ports or (None,)
        if path == "-" and os.isatty(1):
            raise ConfigError(path, "a capture is not for a terminal; send it to a file or a pipe")
        self._fd = -1
        self._size: int | None = None
        """Bytes of it, as they were left; None: it is no regular file."""
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
        """If somebody has renamed, removed, replaced or shortened the file: end it, begin one anew
        and return True. So it can be put away while it is recorded into.

        end: what to write at the end of the old one. Raises ConfigError.
        """
        if self._fd >= 0 and not self._was_taken_away():
            return False
        if self._fd >= 0:
            with suppress(OSError):
                self.end(end)
            self.close()
            self._size = None
        self._open()
        return True

    def _was_taken_away(self) -> bool:
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
            return False  # nobody can tell
        return (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino)

    def _is_shorter(self) -> bool:
        return self._size is not None and os.fstat(self._fd).st_size < self._size

    def _prepare(self) -> int:
        """Make sure that what is there is ours to continue; its size."""
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
        """Does it begin with a section and end with a whole block of ours? Then it need not be
        read through, which takes a while when it has grown for weeks."""
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
        """Write the last of it. Not behind what somebody has cut off. Raises OSError."""
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
    """What one port hands over."""

    def __init__(self, recorder: "Recorder", interface: int) -> None:
        self._recorder = recorder
        self._interface = interface

    def received(self, data: bytes) -> None:
        self._recorder.take(self._interface, False, data)

    def sent(self, data: bytes) -> None:
        self._recorder.take(self._interface, True, data)


class Recorder:
    """See the top of this file. `taps` are for the ports of the file, in their order.

    on_failure: called in the writing thread when the file ceases to take what is written to it.
    It is tried again all the same: a full disk may be emptied.
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
        """The recording; and the file, which may be another one later."""
        self._pending: list[Record] = []
        self._in_hand: list[Record] = []
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
        """Guards all of the above; never held while something is written."""
        self._thread = Thread(target=self._write, name="capture", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is left and end the file. Takes at most three seconds; what the file does not
        take until then is lost, and counted."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(LAST_WORDS)
        if self._thread.is_alive():
            with self._condition:
                self._count_lost(self._in_hand + self._pending)
                self._in_hand, self._pending = [], []
            log.warning("%s: does not take what is written to it; given up", self._file.path)
            return  # its file stays open: the thread is in the midst of writing
        try:
            self._file.end(self._statistics())
        except OSError as error:
            self._tell(error)
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
        """What a tap brings. Never waits."""
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
                "%s: does not take what is written to it fast enough; records lost %d",
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
                self._in_hand, self._pending = self._pending, []
                closing = self._closing
            if self._in_hand:
                self._append(self._in_hand)
            elif closing:
                return

    def _append(self, records: list[Record]) -> None:
        failure: OSError | None = None
        try:
            self._follow()
            self._file.append(b"".join(map(packet, records)))
        except ConfigError as error:
            failure = OSError(ENOENT, f"it was taken away, and cannot be begun anew: {error}")
        except OSError as error:
            failure = error
        room = sum(len(record.data) + COST for record in records)
        sent = sum(len(record.data) for record in records if record.sent)
        received = room - len(records) * COST - sent
        with self._condition:
            if not self._in_hand:
                return  # given up by `close`
            self._in_hand = []
            self._room += room
            if failure:
                self._count_lost(records)
            else:
                self.counters.records += len(records)
                self.counters.bytes_sent += sent
                self.counters.bytes_received += received
        if failure:
            self._tell(failure)
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
        log.warning("%s: was renamed, removed or cut off by somebody; begun anew", self.path)
        with self._condition:
            self._began = self._wall()
            self._kept = [0] * len(self._kept)
            self._dropped = [0] * len(self._dropped)

    def _tell(self, error: OSError) -> None:
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
