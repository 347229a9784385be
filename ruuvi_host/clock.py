"""Clocks as arguments, and whether the wall clock is right."""

import ctypes
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Protocol

log = logging.getLogger(__name__)

EARLIEST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
"""A wall clock before this is certainly wrong. (The gateway's own rule.)"""

LONG_UP = 600.0
"""Seconds of uptime after which a plausible clock is trusted."""

_STA_UNSYNC = 0x0040
_TIMEX_SIZE = 208
"""struct timex on 64-bit Linux; smaller elsewhere. `modes` is its first field."""


class Clock(Protocol):
    """Monotonic seconds for waiting and ages, wall seconds for timestamps."""

    def monotonic(self) -> float: ...

    def wall(self) -> float: ...

    def synchronised(self) -> bool:
        """Does the kernel say that the wall clock is synchronised?"""
        ...

    def uptime(self) -> float:
        """Seconds since the machine booted."""
        ...


class SystemClock:
    """The clock of this machine."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def uptime(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

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
    """The wall time for timestamps, or None as long as it is not known to be right.

    It is right when the kernel says so. In many containers and virtual machines the kernel never
    does; there it is right when the machine has been up for ten minutes and the time is plausible.
    Once right it stays so: the time server may be unreachable for hours.
    """

    def __init__(self, clock: Clock, *, trusted: bool) -> None:
        self._clock = clock
        self._right = trusted

    def check(self) -> bool:
        """Is the clock right? Asks the kernel until the answer is yes."""
        if not self._right and self._clock.wall() >= EARLIEST:
            self._right = self._clock.synchronised()
            if not self._right and self._clock.uptime() >= LONG_UP:
                self._right = True
                log.warning(
                    "the kernel does not call the clock synchronised; it is trusted, because the "
                    "time is plausible and this machine has been up for ten minutes"
                )
        return self._right

    def utc(self) -> int | None:
        """UTC in whole seconds."""
        return int(self._clock.wall()) if self._right else None
