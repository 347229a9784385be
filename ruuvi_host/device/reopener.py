"""Opens the port of one coprocessor, again and again: where it is now, and when to try next.

The pause doubles from 0.5 s to 30 s and starts over once the coprocessor is ready. A port that has
vanished is found again by what it is, not by the number of its tty, and opened as soon as the
system says that it is back.
"""

import asyncio
from collections.abc import Callable
from random import uniform

from ruuvi_host.clock import Clock
from ruuvi_host.config.coprocessor import CoprocessorSettings, ModemLine
from ruuvi_host.device.folder_watch import FolderWatch
from ruuvi_host.device.identity import Finder, Machine
from ruuvi_host.device.opening import open_port
from ruuvi_host.device.port import Port, Tap

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
JITTER = 0.25
LOOK = 1.0
"""Seconds between two looks for a port that has vanished, where the system does not tell."""
SHORTEST_PAUSE = 0.1
"""Seconds at least between two attempts, however much changes among the device nodes."""


class BackOff:
    """How long to wait before the next attempt: 0.5 s, doubling to 30 s, each a quarter more or
    less by chance but never outside these two."""

    def __init__(self, random: Callable[[float, float], float] = uniform) -> None:
        self._random = random
        self._pause = FIRST_PAUSE

    def next(self) -> float:
        """Seconds."""
        pause = self._pause * self._random(1 - JITTER, 1 + JITTER)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return min(max(pause, FIRST_PAUSE), LONGEST_PAUSE)

    def reset(self) -> None:
        """There was a success: begin with the shortest again."""
        self._pause = FIRST_PAUSE


class Reopener:
    """The way to an open port. tap: gets a copy of all bytes. machine: whose ports there are."""

    def __init__(
        self,
        settings: CoprocessorSettings,
        clock: Clock,
        tap: Tap | None = None,
        machine: Machine | None = None,
    ) -> None:
        self.path = settings.port
        """Where the port is now, or was last."""
        self._settings = settings
        self._clock = clock
        self._tap = tap
        self._finder = Finder(settings.port, machine)
        self._back_off = BackOff()
        self._cannot_open = False

    async def open(self) -> Port:
        """One attempt. Raises PortError."""
        settings = self._settings
        self._cannot_open = True
        path = self._finder.find()
        levels = {"dtr": settings.dtr, "rts": settings.rts}
        match settings.reset:
            case ModemLine(line, inverted):
                levels[line] = inverted
        port = await open_port(path, settings.baud, tap=self._tap, **levels)
        self._finder.opened(path)
        self.path = path
        self._cannot_open = False
        return port

    def succeeded(self) -> None:
        """The coprocessor is ready: the next pause is a short one."""
        self._back_off.reset()

    async def pause(self) -> None:
        """Wait for the next attempt; a port that has vanished ends the wait when it is back."""
        left = self._back_off.next()
        there = self._finder.is_there()
        with FolderWatch(self._finder.folders) as watch:
            while left > 0:
                step = min(left, LOOK)
                start = self._clock.monotonic()
                changed = await watch.wait(step)
                was_there, there = there, self._finder.is_there()
                if there and not was_there:
                    self._back_off.reset()
                    return
                waited = self._clock.monotonic() - start
                if changed and waited < SHORTEST_PAUSE:
                    await asyncio.sleep(SHORTEST_PAUSE - waited)
                if changed and there and self._cannot_open:
                    return  # it may be permitted now
                left -= self._clock.monotonic() - start if changed else step
