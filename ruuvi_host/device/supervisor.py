"""Many lives of a link: open the port, run a link on it, wait, and again.

                 opened                lost, or not answering
    OPENING ─────────────▶ LINKED ───────────────────────────▶ BACKOFF ──▶ OPENING …
       └──── cannot be opened ────────────────────────────────────▲

What is done for a coprocessor that does not answer, step by step: the command again; GET_DEVICE_ID
in between (both in the session); the port closed and opened; and, when that did not bring it back,
its reset line, if there is one. Each step has a counter.
"""

import asyncio
from dataclasses import replace
from math import inf

from firmware_protocol.events import Damaged, Event, Identified, Quiet, Ready, Rebooted, Received
from firmware_protocol.messages import GetDeviceId, LedCtrl, SetAll
from firmware_protocol.session import HostSession
from firmware_protocol.timers import Timing
from ruuvi_host.clock import Clock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.device.history import LinkHistory
from ruuvi_host.device.identity import Machine
from ruuvi_host.device.link import Link, Listener
from ruuvi_host.device.link_log import LinkLog
from ruuvi_host.device.port import Port, Tap
from ruuvi_host.device.reopener import Reopener
from ruuvi_host.device.reset import ResetLine
from ruuvi_host.device.trouble import who_else_has
from ruuvi_host.errors import DeviceError, HandshakeError, PortError, ResetError
from ruuvi_host.monitoring.counters import LinkCounters
from ruuvi_host.monitoring.link_status import LineDamage, LinkStatus

LOCAL_TIMING = Timing()
NETWORK_TIMING = Timing(ack_timeout=1.0, idle=0.5)
"""For socket:// and rfc2217://."""


class Supervisor:
    """Keeps a link to one coprocessor alive.

    scan: what the coprocessor is configured with. listener: gets the events of every life. name:
    what log lines call it; empty: it is the only one. tap: gets a copy of all bytes. machine: whose
    ports there are; for tests.

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
        self._settings = settings
        self._scan = scan
        self._listener = listener
        self._clock = clock
        self._log = LinkLog(name, clock)
        self._reset_line = ResetLine(settings.reset)
        self._reopener = Reopener(settings, clock, tap, machine)
        self._history = LinkHistory()
        self._link: Link | None = None

    @property
    def counters(self) -> LinkCounters:
        """All lives together, the present one included."""
        return self._history.counters(self._link)

    @property
    def status(self) -> LinkStatus:
        """How it goes, now."""
        return self._history.status(self._settings.port, self._reopener.path, self._link)

    def reconfigure(self, scan: SetAll) -> None:
        """Other settings for the coprocessor, from now on. A running link goes on."""
        self._scan = scan
        if self._link:
            self._link.reconfigure(scan)

    async def run(self, *, required: bool = True) -> None:
        """Open and link again and again, until cancelled.

        required: raise PortError when the port cannot be opened the very first time. That is a
        mistake to be told at once, not a fault to be waited for.
        """
        try:
            port = await self._open()
        except PortError as error:
            if required:
                raise
            self._not_opened(error)
            port = await self._reopen()
        while True:
            try:
                await self._one_life(port)
            except DeviceError as error:
                await self._lost(error)
            port = await self._reopen()

    async def _one_life(self, port: Port) -> None:
        history = self._history
        self._log.opened(port.path)
        history.past.opened += 1
        gather, session = self._settings.gather_ms / 1000, self._session(port)
        link = self._link = Link(port, session, self._on_event, self._clock, gather)
        try:
            await link.run()
        finally:
            self._link = None
            history.ended(link)
            await port.close()

    def _session(self, port: Port) -> HostSession:
        wanted = self._settings
        timing = NETWORK_TIMING if port.is_network else LOCAL_TIMING
        timing = replace(
            timing,
            ack_timeout=wanted.ack_timeout or timing.ack_timeout,
            heartbeat=wanted.heartbeat or inf,
            timeouts_to_fail=wanted.timeouts_to_fail,
            quiet=wanted.quiet or inf,
        )
        probe = LedCtrl(wanted.led_time_ms) if wanted.probe == "led" else GetDeviceId()
        return HostSession(self._scan, timing, probe=probe, old=self._history.old)

    def _on_event(self, event: Event, now: float) -> None:
        """Note what is to be noted, and pass it on."""
        log, history = self._log, self._history
        match event:
            case Received():
                history.received_at = now
                if history.is_quiet:
                    history.is_quiet = False
                    log.reports_again()
            case Identified(device):
                if device != history.device:
                    history.device = device
                    log.identified(device)
            case Ready(refused, again):
                self._reopener.succeeded()
                self._reset_line.answered()
                history.problem = ""
                log.configured(refused=refused, again=again)
            case Rebooted(quiet):
                log.rebooted(quiet=quiet)
            case Damaged():
                log.damaged(self._damage())
            case Quiet():
                history.is_quiet = True
                log.quiet(self._settings.quiet, self._damage(), self._scan)
        self._listener(event, now)

    def _damage(self) -> LineDamage | None:
        return self._link.damage if self._link else None

    async def _lost(self, error: DeviceError) -> None:
        self._history.past.disconnects += 1
        if isinstance(error, HandshakeError):
            self._history.past.given_up += 1
            self._reset_line.not_answered()
            # Somebody who reads the same port receives some of the answers.
            loop, damage = asyncio.get_running_loop(), self._history.damage
            others = await loop.run_in_executor(None, who_else_has, self._reopener.path)
            if others and (damage is None or damage.is_guess):
                problem = f"{error}; {others} has this port open, too, and reads some of its data"
                error = HandshakeError(error.state, error.attempts, problem)
        self._tell(error)

    async def _reopen(self) -> Port:
        reset = self._reset_line
        while True:
            await self._reopener.pause()
            if reset.is_due and not reset.needs_port:
                await self._reset(None)
            try:
                port = await self._open()
            except PortError as error:
                self._not_opened(error)
                continue
            if reset.is_due:
                try:
                    await self._reset(port)
                except BaseException:
                    await port.close()
                    raise
            return port

    async def _open(self) -> Port:
        before = self._reopener.path
        port = await self._reopener.open()
        if port.path != before:
            self._log.moved(port.path)
        return port

    def _not_opened(self, error: PortError) -> None:
        self._history.past.open_failures += 1
        self._tell(error)

    def _tell(self, error: DeviceError) -> None:
        self._history.problem = str(error)
        self._log.lost(error)

    async def _reset(self, port: Port | None) -> None:
        self._history.past.resets += 1
        try:
            await self._reset_line.pull(port)
        except ResetError as error:
            self._history.past.resets_failed += 1
            self._log.not_reset(error)
        else:
            self._log.reset()
