"""Many lives of a link: open the port, run a link on it, wait, and again.

                 opened                lost, or not answering
    OPENING ─────────────▶ LINKED ───────────────────────────▶ BACKOFF ──▶ OPENING …
       └──── cannot be opened ────────────────────────────────────▲

The pause doubles from 0.5 s to 30 s and starts over once the coprocessor is ready. A port that has
vanished is looked for every second, and opened as soon as it is back.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import fields
from random import uniform

from firmware_protocol.messages import DeviceId, Report, SetAll, address_text
from firmware_protocol.session import Generation, HostSession, SessionCounters, State, Timing
from ruuvi_host.clock import Clock
from ruuvi_host.device.link import Link, Listener
from ruuvi_host.device.port import BAUD, Port, Tap, open_port
from ruuvi_host.errors import DeviceError, PortError
from ruuvi_host.logs import Repeated
from ruuvi_host.status import LinkCounters

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
JITTER = 0.25
LOOK = 1.0
"""Seconds between two looks for a port that has vanished."""

REBOOTS_TOLD = 600.0
"""A coprocessor that hears nothing reboots every 42 s: no fault, and not worth a line each time."""

LOCAL_TIMING = Timing()
NETWORK_TIMING = Timing(ack_timeout=1.0, idle=0.5)
"""For socket:// and rfc2217://."""


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


class Supervisor:
    """Keeps a link to the coprocessor alive.

    path: port as for `open_port`. settings: what the coprocessor is configured with.
    """

    def __init__(
        self,
        path: str,
        settings: SetAll,
        listener: Listener,
        clock: Clock,
        *,
        baud: int = BAUD,
        tap: Tap | None = None,
    ) -> None:
        self._tap = tap
        self._path = path
        self._baud = baud
        self._settings = settings
        self._listener = listener
        self._clock = clock
        self._back_off = BackOff()
        self._failures = Repeated()
        self._reboots = Repeated(REBOOTS_TOLD)
        self._device: DeviceId | None = None
        self._refused_before = False
        self._is_ready = False
        self._say_ready = True
        self._past = LinkCounters()
        self._session: HostSession | None = None
        self._generation = Generation.UNKNOWN

    @property
    def answers(self) -> bool:
        """Is the coprocessor configured, and answers? (Silence of 13 s ends a session.)"""
        return self._session is not None and self._session.state is State.READY

    @property
    def generation(self) -> Generation:
        """Of the coprocessor's firmware, as far as any life of the link has shown it."""
        if self._session and self._session.generation is not Generation.UNKNOWN:
            self._generation = self._session.generation
        return self._generation

    @property
    def counters(self) -> LinkCounters:
        """All lives together, the present one included."""
        total = LinkCounters(*(getattr(self._past, f.name) for f in fields(self._past)))
        if self._session:
            _add(total, self._session.counters)
        return total

    def reconfigure(self, settings: SetAll) -> None:
        """Configure the coprocessor with other settings from now on."""
        self._settings = settings

    async def run(self) -> None:
        """Open and link again and again, until cancelled.

        Raises PortError when the port cannot be opened the very first time: that is a mistake to
        be told at once, not a fault to be waited for.
        """
        port = await open_port(self._path, self._baud, tap=self._tap)
        while True:
            try:
                await self._one_life(port)
            except DeviceError as error:
                self._past.lost += 1
                self._warn(error)
            port = await self._reopen()

    async def _one_life(self, port: Port) -> None:
        if self._failures.total == 0:
            log.info("%s: opened", self._path)
        timing = NETWORK_TIMING if port.is_network else LOCAL_TIMING
        session = HostSession(self._settings, timing)
        self._session = session
        self._is_ready = False
        self._say_ready = True
        self._past.opened += 1
        try:
            await Link(port, session, self, self._clock).run()
        finally:
            self._generation = self.generation
            self._session = None
            _add(self._past, session.counters)
            await port.close()

    async def _reopen(self) -> Port:
        while True:
            await self._pause()
            try:
                return await open_port(self._path, self._baud, tap=self._tap)
            except PortError as error:
                self._warn(error)

    async def _pause(self) -> None:
        """Wait for the next attempt; a port that has vanished ends the wait when it is back."""
        left = self._back_off.next()
        while left > 0:
            vanished = self._vanished()
            await asyncio.sleep(min(left, LOOK))
            left -= LOOK
            if vanished and not self._vanished():
                self._back_off.reset()
                return

    def _vanished(self) -> bool:
        return "://" not in self._path and not os.path.exists(self._path)

    def _warn(self, error: DeviceError) -> None:
        count = self._failures.due()
        if count == 1:
            log.warning("%s; trying again", error)
        elif count:
            log.warning("%s; trying again (%d attempts since the last message)", error, count)

    # --- what a link tells; all of it is passed on

    def heard(self, reports: list[Report], now: float) -> None:
        self._listener.heard(reports, now)

    def identified(self, device: DeviceId) -> None:
        if device != self._device:
            self._device = device
            log.info("coprocessor %s", address_text(device.addr))
        self._listener.identified(device)

    def ready(self, *, refused: bool) -> None:
        self._back_off.reset()
        self._failures.reset()
        if refused and not self._refused_before:
            log.warning(
                "the coprocessor refused part of its settings and works with the rest: either no "
                "channel is enabled, or its chip has no coded PHY"
            )
        self._refused_before = refused
        self._is_ready = True
        if self._say_ready:
            log.info("coprocessor configured; listening")
        self._listener.ready(refused=refused)

    def rebooted(self) -> None:
        if self._is_ready:  # else it has just been switched on, and says so
            count = self._reboots.due()
            self._say_ready = count is not None
            if count == 1:
                log.info("coprocessor has rebooted")
            elif count:
                log.info("coprocessor has rebooted %d times since the last message", count)
        self._is_ready = False
        self._listener.rebooted()


def _add(total: LinkCounters, life: SessionCounters) -> None:
    """Add one life's counters to `total`, name by name."""
    for part in (life, life.scanner):
        for name in LinkCounters.__dataclass_fields__:
            count = getattr(part, name, None)
            if isinstance(count, int):
                setattr(total, name, getattr(total, name) + count)
