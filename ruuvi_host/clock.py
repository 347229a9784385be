"""Time, as a thing that can be passed in, and the question whether the wall clock is right."""

import ctypes
import sys
import time
from datetime import UTC, datetime
from typing import Protocol

EARLIEST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
"""A wall clock before this is wrong for sure. (The gateway's own rule.)"""

_STA_UNSYNC = 0x0040
_TIMEX_SIZE = 208
"""struct timex on 64-bit Linux; smaller elsewhere. `modes` is its first field."""


class Clock(Protocol):
    """Monotonic seconds for waiting and ages, wall seconds for what others see."""

    def monotonic(self) -> float: ...

    def wall(self) -> float: ...

    def synchronised(self) -> bool:
        """Does the system say that it keeps the wall clock right?"""
        ...


class SystemClock:
    """The clock of this machine."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def synchronised(self) -> bool:
        """Ask the kernel (adjtimex, which changes nothing when `modes` is 0)."""
        buffer = ctypes.create_string_buffer(_TIMEX_SIZE)
        try:
            state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
        except (OSError, AttributeError):
            return False
        # long offset, freq, maxerror, esterror; then int status
        longs = ctypes.sizeof(ctypes.c_long)
        status = int.from_bytes(buffer.raw[5 * longs : 5 * longs + 4], sys.byteorder)
        return state >= 0 and not status & _STA_UNSYNC


class WallClock:
    """The wall time to stamp with, or None as long as it is not known to be right.

    Once right it stays so: a server that is asked for the time may be away for hours.
    """

    def __init__(self, clock: Clock, *, trusted: bool) -> None:
        self._clock = clock
        self._right = trusted

    def check(self) -> bool:
        """Is the clock right? Asks the system until the answer is yes."""
        if not self._right:
            self._right = self._clock.wall() >= EARLIEST and self._clock.synchronised()
        return self._right

    def utc(self) -> int | None:
        """UTC in whole seconds."""
        return int(self._clock.wall()) if self._right else None
