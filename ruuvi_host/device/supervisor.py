"""Many lives of a link: open the port, run a link on it, wait, and again.

                 opened                lost, or not answering
    OPENING ─────────────▶ LINKED ───────────────────────────▶ BACKOFF ──▶ OPENING …
       └──── cannot be opened ────────────────────────────────────▲

What is done for a coprocessor that does not answer, rung by rung: the command again; GET_DEVICE_ID
in between (both in the session); the port closed and opened; and, when that did not bring it back,
its reset line, if there is one. Each rung has a counter.

The pause doubles from 0.5 s to 30 s and starts over once the coprocessor is ready. A port that has
vanished is found again by what it is, not by the number of its tty, and opened as soon as the
system says that it is back.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from math import inf
from random import uniform

from firmware_protocol.messages import DeviceId, GetDeviceId, LedCtrl, Report, SetAll, address_text
from firmware_protocol.session import Generation, HostSession, State, Timing
from ruuvi_host.clock import Clock
from ruuvi_host.config.coprocessor import CoprocessorSettings, ModemLine
from ruuvi_host.device.diary import Diary
from ruuvi_host.device.identity import Finder, Machine
from ruuvi_host.device.link import Link, Listener
from ruuvi_host.device.port import Port, Tap, open_port
from ruuvi_host.device.reset import check, pull
from ruuvi_host.device.trouble import who_else_has
from ruuvi_host.device.watch import Watch
from ruuvi_host.errors import DeviceError, HandshakeError, PortError, ResetError
from ruuvi_host.monitoring.counters import LinkCounters, LinkState, LinkStatus, add

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
JITTER = 0.25
LOOK = 1.0
"""Seconds between two looks for a port that has vanished, where the system does not tell."""
SHORTEST_PAUSE = 0.1
"""Seconds at least between two attempts, however much changes among the device nodes."""

REOPENINGS = 1
"""A coprocessor that does not answer after so many is reset."""

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
    """Keeps a link to one coprocessor alive.

    scan: what the coprocessor is configured with. name: what log lines call it; empty: it is the
    only one. tap: gets a copy of all bytes. machine: whose ports there are; for tests.

    Raises ConfigError when its reset line cannot be used.
    """

    def __init__(
        self,
        settings: CoprocessorSettings,
        scan: SetAll,
        listener: Listener,
        clock: Clock,
        *,
        name: str = "",
        tap: Tap | None = None,
        machine: Machine | None = None,
    ) -> None:
        check(settings.reset)
        self._settings = settings
        self._scan = scan
        self._listener = listener
        self._clock = clock
        self._tap = tap
        self._finder = Finder(settings.port, machine)
        self._diary = Diary(name, clock)
        self._back_off = BackOff()
        self._device: DeviceId | None = None
        self._generation = Generation.UNKNOWN
        self._old: DeviceId | None = None
        self._failed_lives = 0
        self._cannot_open = False
        self._reset_due = False
        self._past = LinkCounters()
        self._path = settings.port
        self._heard_at: float | None = None
        self._is_quiet = False
        self._problem = ""
        self._port: Port | None = None
        self._link: Link | None = None

    @property
    def counters(self) -> LinkCounters:
        """All lives together, the present one included."""
        total = LinkCounters()
        add(total, self._past)
        if self._link and self._port:
            add(total, _of_one_life(self._link.session, self._port))
        return total

    @property
    def status(self) -> LinkStatus:
        """How it goes, now."""
        session = self._link.session if self._link else None
        if session is None:
            state = LinkState.CLOSED
        elif session.state is not State.READY:
            state = LinkState.CONNECTING
        else:
            state = LinkState.QUIET if self._is_quiet else LinkState.READY
        return LinkStatus(
            name=self._settings.port,
            path=self._path,
            state=state,
            address=address_text(self._device.addr) if self._device else "",
            firmware=self._known_generation().value,
            heard=self._heard_at,
            answered=session.answered_at or None if session else None,
            problem="" if session and session.state is State.READY else self._problem,
            counters=self.counters,
        )

    def _known_generation(self) -> Generation:
        """Of the firmware, as far as any life of the link has shown it."""
        if self._link and self._link.session.generation is not Generation.UNKNOWN:
            self._generation = self._link.session.generation
        return self._generation

    def reconfigure(self, scan: SetAll) -> None:
        """Other settings for the coprocessor, from now on. A running link goes on."""
        self._scan = scan
        if self._link:
            self._link.reconfigure(scan)

    async def run(self, *, patient: bool = False) -> None:
        """Open and link again and again, until cancelled.

        Raises PortError when the port cannot be opened the very first time: that is a mistake to
        be told at once, not a fault to be waited for. patient: not a mistake either.
        """
        try:
            port = await self._open()
        except PortError as error:
            if not patient:
                raise
            self._failed_to_open(error)
            port = await self._reopen()
        while True:
            try:
                await self._one_life(port)
            except DeviceError as error:
                await self._lost(error)
            port = await self._reopen()

    async def _one_life(self, port: Port) -> None:
        self._diary.opened(self._path)
        session = HostSession(
            self._scan,
            self._timing(port),
            probe=LedCtrl(self._settings.led_time_ms)
            if self._settings.probe == "led"
            else GetDeviceId(),
            old=self._old,
        )
        self._port = port
        self._link = Link(port, session, self, self._clock)
        self._past.opened += 1
        try:
            await self._link.run()
        finally:
            self._known_generation()
            self._link = self._port = None
            add(self._past, _of_one_life(session, port))
            if session.device:
                self._old = session.device if session.generation is Generation.V1 else None
            await port.close()

    def _timing(self, port: Port) -> Timing:
        wanted = self._settings
        timing = NETWORK_TIMING if port.is_network else LOCAL_TIMING
        return replace(
            timing,
            ack_timeout=wanted.ack_timeout or timing.ack_timeout,
            heartbeat=wanted.heartbeat or inf,
            timeouts_to_fail=wanted.timeouts_to_fail,
            quiet=wanted.quiet or inf,
        )

    async def _lost(self, error: DeviceError) -> None:
        self._past.disconnects += 1
        if isinstance(error, HandshakeError):
            self._past.given_up += 1
            self._failed_lives += 1
            self._reset_due = self._failed_lives > REOPENINGS and self._settings.reset is not None
            # Somebody who reads the same port takes the answers away.
            loop = asyncio.get_running_loop()
            thieves = await loop.run_in_executor(None, who_else_has, self._path)
            if thieves:
                problem = f"{error}; {thieves} has this port open, too, and takes what is ours"
                error = HandshakeError(error.state, error.attempts, problem)
        self._tell(error)

    async def _reopen(self) -> Port:
        while True:
            await self._pause()
            by_modem_line = isinstance(self._settings.reset, ModemLine)
            if self._reset_due and not by_modem_line:
                await self._reset(None)
            try:
                port = await self._open()
            except PortError as error:
                self._failed_to_open(error)
                continue
            if self._reset_due:
                try:
                    await self._reset(port)
                except BaseException:
                    await port.close()
                    raise
            return port

    async def _open(self) -> Port:
        path = self._finder.find()
        levels = {"dtr": self._settings.dtr, "rts": self._settings.rts}
        match self._settings.reset:
            case ModemLine(line, inverted):
                levels[line] = inverted
        port = await open_port(path, self._settings.baud, tap=self._tap, **levels)
        self._finder.opened(path)
        if path != self._path:
            self._diary.moved(path)
        self._path = path
        self._cannot_open = False
        return port

    def _failed_to_open(self, error: PortError) -> None:
        self._cannot_open = True
        self._past.open_failures += 1
        self._tell(error)

    def _tell(self, error: DeviceError) -> None:
        self._problem = str(error)
        self._diary.lost(error)

    async def _reset(self, port: Port | None) -> None:
        assert self._settings.reset is not None
        self._reset_due = False
        self._past.resets += 1
        try:
            await pull(self._settings.reset, port)
        except ResetError as error:
            self._past.resets_failed += 1
            self._diary.not_reset(error)
        else:
            self._diary.reset()

    async def _pause(self) -> None:
        """Wait for the next attempt; a port that has vanished ends the wait when it is back."""
        left = self._back_off.next()
        there = self._finder.is_there()
        with Watch(self._finder.folders) as watch:
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

    # --- what a link tells; all of it is passed on

    def heard(self, reports: list[Report], now: float) -> None:
        self._heard_at = now
        if self._is_quiet:
            self._is_quiet = False
            self._diary.loud()
        self._listener.heard(reports, now)

    def identified(self, device: DeviceId) -> None:
        if device != self._device:
            self._device = device
            self._diary.identified(device)
        self._listener.identified(device)

    def configured(self, *, refused: bool, again: bool) -> None:
        self._back_off.reset()
        self._failed_lives = 0
        self._problem = ""
        self._diary.configured(refused=refused, again=again)
        self._listener.ready(refused=refused)

    def booted(self, *, quiet: bool) -> None:
        self._diary.booted(quiet=quiet)
        self._listener.rebooted()

    def quiet(self) -> None:
        self._is_quiet = True
        self._diary.quiet(self._settings.quiet)


def _of_one_life(session: HostSession, port: Port) -> LinkCounters:
    errors = port.line_errors()
    return LinkCounters(
        session=session.counters,
        bytes_pending=session.pending,
        uart_overruns=errors.overruns if errors else None,
        uart_framing_errors=errors.framing if errors else None,
    )
