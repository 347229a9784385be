"""Clocks as arguments, and whether the wall clock is right."""

import ctypes
import logging
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

log = logging.getLogger(__name__)

EARLIEST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
"""A wall clock before this is certainly wrong. (The gateway's own rule.)"""

LONG_UP = 600.0
"""Seconds of uptime after which a plausible clock is trusted."""

NOTED = 60.0
"""Seconds. Smaller corrections of the clock are usual; a larger one is a jump."""

EXPLAINED = 86_400.0
"""Seconds. A virtual machine that was paused, or a person: such a jump is told, and followed."""

POSSIBLE = 366 * 86_400.0
"""Seconds. Whatever the kernel says: a clock that it called synchronised was not wrong by more."""

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
    """A Clock whose wall time is watched: for timestamps, or None as long as it is not right.

    It is right when the kernel says so. In many containers and virtual machines the kernel never
    does; there it is right when the machine has been up for ten minutes and the time is plausible.
    Once right it stays so: the time server may be unreachable for hours. But when it jumps, by more
    than a machine that was asleep or a person explains, it has to be shown to be right again.

    trusted: it is always right, and jumps are only told.
    """

    def __init__(self, clock: Clock, *, trusted: bool) -> None:
        self._clock = clock
        self._trusted = trusted
        self._right = trusted
        self._by_kernel = False
        """The kernel has said that it is right."""
        self._offset = self._measured()
        """Wall time less uptime when it was last right."""
        self._told = self._offset
        """The same when a person last knew: small steps add up from here."""
        self._jump: _Jump | None = None
        """Since then; None: there was none, or it was never right."""
        self._news = ""

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def wall(self) -> float:
        """After a jump to a time that is not right: as if it had not jumped."""
        self._look()
        return self._offset + self._clock.uptime() if self._jump else self._clock.wall()

    def synchronised(self) -> bool:
        return self._clock.synchronised()

    def uptime(self) -> float:
        return self._clock.uptime()

    @property
    def problem(self) -> str:
        """Why it is not right; only while it is not."""
        return self._jump.sentence if self._jump else "it is not synchronised"

    def trust(self) -> None:
        """From now on."""
        self._trusted = self._right = True
        self._jump = None
        self._offset = self._told = self._measured()

    def check(self) -> bool:
        """Is the clock right? Asks the kernel until it says so. To be called every second or so."""
        self._look()
        if not self._right and self._clock.wall() >= EARLIEST:
            self._right = self._is_right_again(self._jump) if self._jump else self._is_right()
            if self._right:
                self._jump = None
                self._offset = self._told = self._measured()
        elif not self._by_kernel and not self._trusted:
            self._by_kernel = self._right and self._clock.synchronised()
        return self._right

    def utc(self) -> int | None:
        """UTC in whole seconds."""
        self._look()
        return int(self._clock.wall()) if self._right else None

    def take_news(self) -> str:
        """What a person should be told of jumps since the last call, the newest; or nothing."""
        news, self._news = self._news, ""
        return news

    def _measured(self) -> float:
        return self._clock.wall() - self._clock.uptime()

    def _look(self) -> None:
        """Has a clock that was right jumped?"""
        if not self._right:
            return
        measured = self._measured()
        jump = measured - self._offset
        wall = self._clock.wall()
        how = "jumped"
        if abs(jump) < NOTED:
            jump = measured - self._told
            possible = self._trusted or wall >= EARLIEST
            if possible and abs(jump) < NOTED:
                self._offset = measured
                return
            how = "gone in small steps"
        sentence = f"it has {how} from {_text(wall - jump)} to {_text(wall)}"
        if self._trusted or (wall >= EARLIEST and abs(jump) <= EXPLAINED):
            self._offset = self._told = measured
            self._news = f"the clock: {sentence}; timestamps follow it"
            return
        self._right = False
        self._jump = _Jump(sentence, measured, self._clock.uptime())

    def _is_right(self) -> bool:
        """For the first time."""
        self._by_kernel = self._clock.synchronised()
        if not self._by_kernel and self._clock.uptime() >= LONG_UP:
            log.warning(
                "the kernel does not call the clock synchronised; it is trusted, because the "
                "time is plausible and this machine has been up for ten minutes"
            )
            return True
        return self._by_kernel

    def _is_right_again(self, jump: "_Jump") -> bool:
        measured, uptime = self._measured(), self._clock.uptime()
        if abs(measured - self._offset) < NOTED:
            return True  # it has jumped back
        if abs(measured - jump.to) >= NOTED:
            jump.to, jump.at = measured, uptime
        by_kernel = self._clock.synchronised()
        if by_kernel and not self._by_kernel:
            right = True  # it was not known to be right before
        else:
            # The kernel contradicts itself, or says nothing.
            possible = abs(measured - self._offset) <= POSSIBLE or not self._by_kernel
            right = possible and uptime - jump.at >= LONG_UP
        if right:
            self._by_kernel = by_kernel
            self._news = f"the clock: {jump.sentence}; that is taken for right now"
        return right


@dataclass(slots=True)
class _Jump:
    """To a time that is not known to be right."""

    sentence: str
    to: float
    """Wall time less uptime since then."""
    at: float
    """Uptime at which it jumped last."""


def _text(wall: float) -> str:
    try:
        return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{wall:.0f} s"
