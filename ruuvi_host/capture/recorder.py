"""Records the bytes of ports into a file. A thread writes it, so that no port waits for the disk.

    recorder = Recorder(CaptureFile("air.pcapng", "/dev/ttyACM0", "/dev/ttyACM1"), clock)
    open_port("/dev/ttyACM0", tap=recorder.taps[0])
    recorder.close()

Records wait in a buffer of limited size. What does not fit, or cannot be written, is lost and
counted, in `counters` and in the file.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from errno import ENOENT
from threading import Condition, Thread

from ruuvi_host.capture.file import CaptureFile, reason
from ruuvi_host.capture.pcapng import Record, packet, statistics
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
_SECOND = 10**9


class PortTap:
    """The tap of one port."""

    def __init__(self, recorder: "Recorder", interface: int) -> None:
        self._recorder = recorder
        self._interface = interface

    def received(self, data: bytes) -> None:
        self._recorder.take(self._interface, False, data)

    def sent(self, data: bytes) -> None:
        self._recorder.take(self._interface, True, data)


@dataclass(slots=True)
class _Buffer:
    """Records that wait for the file, of a limited size."""

    pending: list[Record] = field(default_factory=list)
    writing: list[Record] = field(default_factory=list)
    """Those that the thread is writing."""
    room: int = MAX_PENDING
    lost: int = 0
    """Records since the last one that had room."""

    def put(self, record: Record) -> bool:
        """Is there room for the record?"""
        cost = len(record.data) + COST
        if cost > self.room:
            return False
        self.room -= cost
        self.lost = 0
        self.pending.append(record)
        return True

    def take(self) -> list[Record]:
        """Those to write next."""
        self.writing, self.pending = self.pending, []
        return self.writing

    def finish(self) -> None:
        """They are written, or lost."""
        self.room += sum(len(record.data) + COST for record in self.writing)
        self.writing = []


@dataclass(slots=True)
class _Totals:
    """Records of each port in the current file."""

    begin: int
    """Nanoseconds of wall time."""
    kept: list[int]
    lost: list[int]

    @classmethod
    def of(cls, file: CaptureFile, begin: int) -> "_Totals":
        return cls(begin, [0] * len(file.ports), [0] * len(file.ports))

    def blocks(self, end: int) -> bytes:
        """The end of the file."""
        return b"".join(
            statistics(self.begin, end, kept, lost, number)
            for number, (kept, lost) in enumerate(zip(self.kept, self.lost, strict=True))
        )


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
        self.on_failure = on_failure
        self._file = file
        self._clock = clock
        self._start = self._wall()
        """Nanoseconds of wall time."""
        self._buffer = _Buffer()
        self._totals = _Totals.of(file, self._start)
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
                buffer = self._buffer
                self._count_lost(buffer.writing + buffer.pending)
                buffer.writing, buffer.pending = [], []
            log.warning("%s: a write does not return; given up", self._file.path)
            return  # its file stays open: the thread is still writing
        try:
            self._file.end(self._totals.blocks(self._wall()))
        except OSError as error:
            self._warn(error)
        self._file.close()

    def _wall(self) -> int:
        return round(self._clock.wall() * _SECOND)

    def take(self, interface: int, sent: bool, data: bytes) -> None:
        """Take the bytes of a read or write. Never waits."""
        wall, monotonic = self._wall(), round(self._clock.monotonic() * _SECOND)
        with self._condition:
            buffer = self._buffer
            record = Record(sent, wall, monotonic, data, buffer.lost, 0, interface)
            if not self._closing and buffer.put(record):
                if len(buffer.pending) == 1:
                    self._condition.notify()
                return
            buffer.lost = 0  # they are counted in the record
            self._count_lost([record])
        if not self._closing and self._too_slow.due():
            log.warning(
                "%s: cannot be written fast enough; records lost %d",
                *(self._file.path, self.counters.records_lost),
            )

    def _count_lost(self, records: list[Record]) -> None:
        self._buffer.lost += sum(1 + record.lost for record in records)
        self.counters.records_lost += len(records)
        self.counters.bytes_lost += sum(len(record.data) for record in records)
        for record in records:
            self._totals.lost[record.interface] += 1

    def _write(self) -> None:
        """The thread."""
        buffer = self._buffer
        while True:
            with self._condition:
                self._condition.wait_for(lambda: buffer.pending or self._closing)
                self._condition.wait_for(lambda: self._closing, GATHER)
                records = buffer.take()
                closing = self._closing
            if records:
                self._append(records)
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
        sent = sum(len(record.data) for record in records if record.sent)
        received = sum(len(record.data) for record in records if not record.sent)
        with self._condition:
            if not self._buffer.writing:
                return  # given up by `close`
            self._buffer.finish()
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
            self._totals.kept[record.interface] += 1
        if self._failures.total:
            self._failures.reset()
            log.warning("%s: can be written again", self._file.path)

    def _follow(self) -> None:
        with self._condition:
            end = self._totals.blocks(self._wall())
        if not self._file.follow(end):
            return
        log.warning("%s: was renamed, removed or truncated; a new one was begun", self._file.path)
        with self._condition:
            self._totals = _Totals.of(self._file, self._wall())

    def _warn(self, error: OSError) -> None:
        first = self._failures.total == 0
        if count := self._failures.due():
            log.warning(
                "%s: cannot be written: %s; records lost %d%s",
                *(self._file.path, reason(error), self.counters.records_lost),
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
            f"{self._file.path}: {seconds:.1f} s, {counters.records} records, "
            f"{counters.bytes_received} bytes received, {counters.bytes_sent} sent, "
            f"{lost if counters.records_lost else 'nothing'} lost"
        )


@contextmanager
def recording(path: str, ports: Sequence[str], gather_ms: int = 0) -> Iterator[Sequence[PortTap]]:
    """Taps for the ports, which record into the file `path` until the end of the block.

    gather_ms: for how long the ports may be left unread.
    Raises ConfigError when there can be no such file.
    """
    recorder = Recorder(CaptureFile(path, *ports, gather_ms=gather_ms), SystemClock())
    try:
        yield recorder.taps
    finally:
        recorder.close()
        log.info("%s", recorder.summary())
