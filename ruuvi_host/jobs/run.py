"""`ruuvi-host run`: a whole host, from its configuration to its clean end."""

import asyncio
import logging
import signal
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from ruuvi_host.clock import SystemClock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.load import Loaded
from ruuvi_host.device.port import Tap
from ruuvi_host.jobs.configuration import Attempt, Configuration, Reload
from ruuvi_host.jobs.door import HostDoor
from ruuvi_host.jobs.evidence import Gathering
from ruuvi_host.jobs.fetch_socket import serve as serve_fetching
from ruuvi_host.jobs.receiving import Receiving
from ruuvi_host.jobs.relaying import Relaying
from ruuvi_host.jobs.remote import RemoteConfiguration
from ruuvi_host.jobs.reporting import Reporting
from ruuvi_host.jobs.sensor_care import SensorCare
from ruuvi_host.jobs.state import StateDirectory
from ruuvi_host.lifetime import ended, has_terminal, on_signal, shielded, together
from ruuvi_host.logs import RecentLines
from ruuvi_host.monitoring.machine import boot_id
from ruuvi_host.monitoring.socket import StatusSocket, place_for_members
from ruuvi_host.monitoring.starts import ResetReason, Start, Starts
from ruuvi_host.monitoring.systemd import Notifier
from ruuvi_host.monitoring.watchdog import Standstill, Watch

if TYPE_CHECKING:
    from ruuvi_host.jobs.bridged import BridgeProcess
    from ruuvi_host.jobs.host_teller import HostTeller
    from ruuvi_host.simulator.pty import PtyServer

log = logging.getLogger(__name__)

BRIDGE_ENDS = 2.0
"""Seconds in which a bridge, told to stop, says what it has counted. It is ended in any case."""

STANDSTILL = 30.0
"""Seconds for which the event loop may stand still; nothing in it should take one."""


async def run(
    loaded: Loaded,
    state: StateDirectory,
    *,
    simulate: bool,
    reload: Reload,
    attempt: Attempt | None = None,
    taps: Sequence[Tap] = (),
    bridge: "BridgeProcess | None" = None,
    in_terminal: bool = False,
    debug: bool = False,
    recent: RecentLines | None = None,
) -> None:
    """Run a host until cancelled, for a simulated board or the coprocessor of `loaded`.

    taps: of each coprocessor in turn; gets a copy of all its bytes. bridge: has been started, and
    makes the port of the coprocessor. in_terminal: a SIGHUP that
    comes because the terminal is closed is a wish to stop. debug: assert the accounting all the
    time. recent: has the last lines of the log.
    """
    notifier = Notifier.from_environment()
    starts = Starts.begin(state.path, boot_id(), watched=notifier.interval is not None)
    starts.enable_crash_report()
    stood_still = partial(starts.ended, ResetReason.TASK_WDT)
    with (
        starts.life(),
        Standstill(STANDSTILL, stood_still) as standstill,
        _simulated() if simulate else nullcontext() as board,
    ):
        coprocessors = (CoprocessorSettings(board.path),) if board else loaded.config.coprocessors
        host = Host(
            *(coprocessors, loaded, state, reload, starts.this, notifier, taps),
            attempt=attempt,
            simulated=simulate,
            in_terminal=in_terminal,
            debug=debug,
            recent=recent,
        )
        if bridge:
            await _bridged(host, bridge, standstill)
        else:
            await host.run(standstill, **({"board": board.run()} if board else {}))


async def _bridged(host: "Host", bridge: "BridgeProcess", standstill: Standstill) -> None:
    """A host beside its bridge. It begins when there is a port to be opened."""
    starting = asyncio.create_task(bridge.wait_until_ready(), name="bridge is there")
    listening = asyncio.create_task(bridge.run(), name="bridge")
    try:
        await asyncio.wait((starting, listening), return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            listening.result()
        host.port_may_come_later = True
        await host.run(standstill, bridge=shielded(listening))
    finally:
        bridge.stop()
        await asyncio.wait((listening,), timeout=BRIDGE_ENDS)
        await ended(starting, listening)


@contextmanager
def _simulated() -> Iterator["PtyServer"]:
    """A simulated coprocessor."""
    from ruuvi_host.simulator.board import Board
    from ruuvi_host.simulator.pty import PtyServer

    with PtyServer(Board()) as server:
        log.info("simulated coprocessor on %s", server.path)
        yield server


class Host:
    """The whole host: what receives, what relays, what reports. `run` lives until it is cancelled,
    then stops cleanly.

    coprocessors: at least one; the first one's address names the gateway.
    """

    def __init__(
        self,
        coprocessors: Sequence[CoprocessorSettings],
        loaded: Loaded,
        state: StateDirectory,
        reload: Reload,
        start: Start,
        notifier: Notifier,
        taps: Sequence[Tap] = (),
        *,
        attempt: Attempt | None = None,
        simulated: bool = False,
        in_terminal: bool = False,
        debug: bool = False,
        recent: RecentLines | None = None,
    ) -> None:
        self.port_may_come_later = False
        """A port that is not there at first is no error."""
        self._in_terminal = in_terminal
        config = loaded.config
        self._configuration = Configuration(loaded, reload, attempt)
        self._notifier = notifier
        self._gathering = Gathering(start, SystemClock(), recent, len(coprocessors), taps)
        self._receiving = Receiving(
            coprocessors, config, state, SystemClock(), self._gathering.taps
        )
        self._sensors = SensorCare(config, self._receiving)
        self._relaying = Relaying(
            config, state.path, self._receiving, start, lambda: self._sensors.readings
        )
        self._reporting = Reporting(self._receiving, self._relaying, self._sensors)
        self._relaying.relays.host = self._host_document
        self._teller: HostTeller | None = None
        self._reporting.reload_failure = lambda: self._configuration.failure
        self._watch = Watch(
            self._reporting.facts,
            notifier,
            network_watchdog=config.network_watchdog,
            exit_by_watchdog=config.exit_by_watchdog,
            audit=self._reporting.accounts if debug else None,
        )
        self._state = state.path
        self._door = HostDoor(
            *(self._configuration, self._receiving, self._sensors, self._reporting),
            *(self._relaying.relays.remembered, state.path),
            simulated=simulated,
            gathering=self._gathering,
        )
        self._remote = RemoteConfiguration(
            self._configuration,
            lambda: self._door.changes,
            self._receiving,
            self._relaying.relays,
            state.path,
        )
        self._door.remote = self._remote
        self._reporting.configuration = self._remote.status

    def _host_document(self) -> dict[str, Any]:
        if self._teller is None:  # only brokers are told
            from ruuvi_host.jobs.host_teller import HostTeller

            self._teller = HostTeller(self._reporting, self._receiving)
        return self._teller.document()

    async def run(self, standstill: Standstill, **beside: Coroutine[Any, Any, None]) -> None:
        """Receive and relay. When cancelled: last batches out, the rest kept, then return.

        beside: what must run meanwhile: the simulated board, if there is one.
        """

        def hung_up() -> None:
            if self._in_terminal and not has_terminal():
                log.info("the terminal is closed: stopping")
                signal.raise_signal(signal.SIGTERM)
            else:
                self._configuration.ask()

        if folder := place_for_members():
            members = StatusSocket(folder, self._reporting.document, for_group=True)
            beside |= {"members": self._serve_status(members.run())}
        # Undelivered data is sent with the coprocessor unplugged, too.
        known = self._receiving.identified.is_set()
        has_work = known and self._relaying.relays.has_backlog
        required = not (has_work or self.port_may_come_later)
        with on_signal(signal.SIGHUP, hung_up):  # to the end: it must not kill us on the way
            try:
                await together(
                    coprocessors=self._receiving.run(required=required),
                    relays=self._relay(),
                    watch=self._watch.run(standstill),
                    status=self._serve_status(
                        StatusSocket(self._state, self._reporting.document).run()
                    ),
                    evidence=self._serve_status(
                        self._gathering.serve(self._state, lambda: self._configuration.loaded)
                    ),
                    api=self._serve_api(),
                    remote=self._remote.run(),
                    fetching=self._serve_status(
                        serve_fetching(self._state, lambda forced: self._remote.fetch(force=forced))
                    ),
                    history=self._sensors.sample(),
                    **beside,
                )
            finally:
                self._notifier.stopping()
                try:
                    await self._relaying.finish()
                finally:
                    self._reporting.log_end()
                self._notifier.close()

    async def _serve_status(self, socket: Coroutine[Any, Any, None]) -> None:
        try:
            await socket
        except OSError as error:
            problem = error.strerror or error
            log.warning(
                "`ruuvi-host status` and `doctor` cannot ask this host: no socket: %s", problem
            )

    async def _serve_api(self) -> None:
        while not (loaded := self._configuration.loaded).config.api:
            await self._configuration.other_than(loaded)
        # Imported here, because it is heavy and off by default.
        from ruuvi_host.api.server import serve

        await serve(self._door)

    async def _relay(self) -> None:
        """With the present configuration, until there is a new one; and so on."""
        try:
            while True:
                # Not a group: told to stop while a new configuration ends it, it would forget that.
                relaying = asyncio.create_task(self._relaying.run(), name="relays")
                reading = asyncio.create_task(self._reread(), name="reload")
                try:
                    await asyncio.wait((relaying, reading), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    await ended(relaying, reading)
                for task in (relaying, reading):
                    if not task.cancelled():
                        task.result()
                await self._reconfigure()
        finally:
            self._configuration.end()

    async def _reread(self) -> None:
        """Returns when there is a new configuration that relaying has to begin anew with."""
        while True:
            before = self._configuration.loaded.config
            config, anew = await self._configuration.wanted(
                self._notifier.reloading, kept=self._reloaded
            )
            if config.coprocessors != before.coprocessors:
                log.warning("other settings in [[coprocessor]] count from the next start on")
            if anew:
                return
            self._door.scanning.end()
            await self._relaying.keep(config)
            self._sensors.reconfigure(config)
            self._configuration.taken()
            self._reloaded()

    def _reloaded(self) -> None:
        """Whether the new configuration counts or the old one stays is seen at once."""
        self._watch.tell()
        self._notifier.ready()

    async def _reconfigure(self) -> None:
        config = self._configuration.loaded.config
        await self._relaying.reconfigure(config)
        self._door.scanning.forget()
        self._receiving.reconfigure(config)
        self._sensors.reconfigure(config)
        self._watch.network_watchdog = config.network_watchdog
        self._watch.exit_by_watchdog = config.exit_by_watchdog
        self._configuration.taken()
        self._reloaded()
