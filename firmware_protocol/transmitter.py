"""The coprocessor's way to the wire: a line of a given speed, and what is lost before it.

Firmware has no queue of frames. Its driver counts the bytes that are left of the frame being
sent; a frame that comes before the count is zero is thrown away, and so is the next one, because
the count then runs below zero. `Faithful` does that, and with it loses as many reports as the
firmware does. `DropIfBusy` loses only what really collides. `Ideal` has the queue that the
firmware lacks.

Every answer depends on the times of the frames alone, never on how often it was asked for.

Source of the rule: ruuvi.drivers.c and ruuvi.gateway_nrf.c v2.0.0, read, not measured.
"""

from collections import deque
from math import inf

BITS_PER_BYTE = 10
"""8N1: a start bit, eight data bits, a stop bit."""

FIFO_SIZE = 212
"""Bytes that the firmware's transmit buffer takes: its longest frame."""

QUEUE_SIZE = 64
"""Frames that `Ideal` keeps waiting. At 115200 baud 0.3 s of ordinary reports: enough for every
burst on a line that can carry the average, and little enough to stay near the present on one that
cannot."""


class Line:
    """Bytes on their way, one behind the other, each leaving at its time.

    baud: bits per second; 0 takes no time at all.
    """

    def __init__(self, baud: int) -> None:
        self.end = 0.0
        """When the last byte given so far has left."""
        self._byte_time = BITS_PER_BYTE / baud if baud else 0.0
        self._given = 0
        self._taken = 0
        self._bytes = bytearray()  # given, not taken
        # Bytes given without a gap are one run. Times are counted from its beginning and never
        # added up, so that asking in between cannot change them.
        self._run_begin = 0.0
        self._run_base = 0

    def give(self, raw: bytes, now: float) -> None:
        """Put bytes behind those that are on their way."""
        if now >= self.end:
            self._run_begin = now
            self._run_base = self._given
        self._bytes += raw
        self._given += len(raw)
        self.end = self.when(self._given)

    def when(self, count: int) -> float:
        """When byte number `count` of all will have left; inf if it has not been given."""
        if count > self._given:
            return inf
        return self._run_begin + (count - self._run_base) * self._byte_time

    def sent(self, now: float) -> int:
        """How many bytes have left until now, of all that were ever given."""
        if now >= self.end or not self._byte_time:
            return self._given
        return self._run_base + int((now - self._run_begin) / self._byte_time)

    def room(self, now: float) -> int:
        """How many bytes the transmit buffer still takes."""
        return FIFO_SIZE - (self._given - self.sent(now))

    def take(self, now: float) -> bytes:
        """The bytes that have left since the last time."""
        count = self.sent(now) - self._taken
        raw = bytes(self._bytes[:count])
        del self._bytes[:count]
        self._taken += count
        return raw

    def cut(self, now: float) -> None:
        """A reset: what has not left by now never will."""
        self._given = self.sent(now)
        del self._bytes[self._given - self._taken :]
        self._run_begin = self.end = min(self.end, now)
        self._run_base = self._given

    @property
    def has_output(self) -> bool:
        """Is there anything that was given and not yet taken?"""
        return self._given > self._taken


class Transmitter:
    """What all modes share. `send` is where they differ."""

    def __init__(self, baud: int) -> None:
        self._line = Line(baud)

    def send(self, frame: bytes, now: float, *, is_reply: bool = False) -> bool:
        """Take a frame; False: it is lost."""
        raise NotImplementedError  # here the modes differ

    @property
    def sent_at(self) -> float:
        """When the driver reports the frame in progress as sent; inf: it will not by itself."""
        return self._line.end

    @property
    def ready_at(self) -> float:
        """When `take` is worth calling: the frame in progress has left then; inf if none."""
        return self._line.end if self._line.has_output else inf

    def take(self, now: float) -> bytes:
        """The bytes that have left the line since the last time."""
        return self._line.take(now)

    def reset(self, now: float) -> None:
        """The chip restarts: the frame in progress is cut off."""
        self._line.cut(now)


class Ideal(Transmitter):
    """Frames wait for their turn, replies before reports; lost only when the queue is full."""

    def __init__(self, baud: int) -> None:
        super().__init__(baud)
        self._replies: deque[bytes] = deque()
        self._queue: deque[bytes] = deque()

    def send(self, frame: bytes, now: float, *, is_reply: bool = False) -> bool:
        self._advance(now)
        if now >= self._line.end:
            self._line.give(frame, now)
        elif is_reply:
            self._replies.append(frame)
        elif len(self._queue) < QUEUE_SIZE:
            self._queue.append(frame)
        else:
            return False
        return True

    def take(self, now: float) -> bytes:
        self._advance(now)
        return super().take(now)

    def reset(self, now: float) -> None:
        self._advance(now)
        self._replies.clear()
        self._queue.clear()
        super().reset(now)

    def _advance(self, now: float) -> None:
        while (waiting := self._replies or self._queue) and now >= self._line.end:
            self._line.give(waiting.popleft(), self._line.end)


class DropIfBusy(Transmitter):
    """A frame that meets another one on the line is lost."""

    def send(self, frame: bytes, now: float, *, is_reply: bool = False) -> bool:
        if now < self._line.end:
            return False
        self._line.give(frame, now)
        return True


class Faithful(Transmitter):
    """The firmware's counter of bytes left, with its mistakes; and one of its encoder's, for which
    about one frame in 65,536 cannot be understood."""

    def __init__(self, baud: int) -> None:
        super().__init__(baud)
        self._left = 0  # when `_mark` bytes had been sent
        self._mark = 0
        self._sent_at = 0.0

    def send(self, frame: bytes, now: float, *, is_reply: bool = False) -> bool:
        if frame[-3:-1] == b"\0\0":  # a CRC of zero is left out by the official encoder
            frame = frame[:-3] + frame[-1:]
        sent = self._line.sent(now)
        left = (self._left - (sent - self._mark)) & 0xFFFF
        self._mark = sent
        if left:
            self._left = 0
            self._sent_at = now  # it says so, though nothing was
            return False
        # After a loss the count is zero for a moment while bytes are still on their way. A frame
        # that comes in that moment goes behind them, as much of it as there is room for.
        self._line.give(frame[: self._line.room(now)], now)
        self._left = len(frame)
        self._sent_at = self._line.when(sent + len(frame))
        return True

    @property
    def sent_at(self) -> float:
        return self._sent_at

    def reset(self, now: float) -> None:
        super().reset(now)
        self._left = 0
        self._mark = self._line.sent(now)
        self._sent_at = now


TRANSMIT_MODES: dict[str, type[Transmitter]] = {
    "ideal": Ideal,
    "drop-if-busy": DropIfBusy,
    "faithful": Faithful,
}
