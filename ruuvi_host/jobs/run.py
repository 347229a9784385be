"""Wires the rooms together: coprocessor → intake → table → relays; owns tasks and shutdown."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from firmware_protocol.events import Event, Generation, Identified, Ready, Received
from firmware_protocol.messages import DeviceId, address_text
from ruuvi_host import __version__
from ruuvi_host.clock import Clock, SystemClock, WallClock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.model import Config
from ruuvi_host.config.targets import Target
from ruuvi_host.device.coprocessors import Coprocessors
from ruuvi_host.device.port import Tap
from ruuvi_host.errors import ConfigError
from ruuvi_host.intake.batch import Batcher
from ruuvi_host.intake.filter import AddressFilter
from ruuvi_host.intake.intake import Intake
from ruuvi_host.intake.table import AdvertisementTable, ChangeQueue
from ruuvi_host.jobs.state import StateDirectory
from ruuvi_host.lifetime import ended, has_terminal, on_signal, to_its_end, together
from ruuvi_host.monitoring.accounting import Account, accounts
from ruuvi_host.monitoring.counters import (
    Counters,
    LinkState,
    LinkStatus,
    QueueCounters,
    RelayCounters,
    TargetCounters,
)
from ruuvi_host.monitoring.health import HostFacts, LinkFacts, judge
from ruuvi_host.monitoring.machine import boot_id, give_back_memory
from ruuvi_host.monitoring.overview import MOST_MISSED, Overview
from ruuvi_host.monitoring.socket import StatusSocket
from ruuvi_host.monitoring.starts import ResetReason, Start, Starts
from ruuvi_host.monitoring.systemd import Notifier
from ruuvi_host.monitoring.watchdog import Standstill, Watch
from ruuvi_host.relay.kinds import Remembered, SinkContext, kind_of
from ruuvi_host.relay.relay import Nonces, Relay
from ruuvi_host.relay.spool.spool import Spool
from ruuvi_host.relay.statistics import Statistics
from ruuvi_host.relay.status_document import CoprocessorFacts, firmware_version, semver

log = logging.getLogger(__name__)

GRACE = 3.0
"""Seconds for the last deliveries when we are told to stop; five in all are promised."""

STANDSTILL = 30.0
"""Seconds for which the event loop may stand still; nothing in it should take one."""

CLOCK_CHECK = 1.0
"""Seconds between two questions whether the clock is right."""

Reload = Callable[[], Config]
"""Reads the configuration again. Raises ConfigError, having changed nothing."""


async def run(
    config: Config,
    state: StateDirectory,
    *,
    simulate: bool,
    reload: Reload,
    taps: Sequence[Tap] = (),
    in_terminal: bool = False,
    debug: bool = False,
) -> None:
    """Run a host until cancelled, for a simulated board or the coprocessor of `config`.

    taps: of each coprocessor in turn; gets a copy of all its bytes. in_terminal: a SIGHUP that
    comes because the terminal is closed is a wish to stop. debug: assert the accounting all the
    time.
    """
    notifier = Notifier.from_environment()
    starts = Starts.begin(state.path, boot_id(), watched=notifier.interval is not None)
    starts.keep_last_words()
    stood_still = partial(starts.ended, ResetReason.TASK_WDT)
    with starts.life(), Standstill(STANDSTILL, stood_still) as standstill:
        if not simulate:
            host = Host(
                *(config.coprocessors, config, state, reload, starts.this, notifier, taps),
                in_terminal=in_terminal,
                debug=debug,
            )
            await host.run(standstill)
            return
        from ruuvi_host.simulator.board import Board
        from ruuvi_host.simulator.pty import PtyServer

        with PtyServer(Board()) as server:
            log.info("simulated coprocessor on %s", server.path)
            simulated = (CoprocessorSettings(server.path),)
            host = Host(
                *(simulated, config, state, reload, starts.this, notifier, taps),
                in_terminal=in_terminal,
                debug=debug,
            )
            await host.run(standstill, board=server.run())


class Host:
    """The whole host. `run` lives until it is cancelled, then stops cleanly.

    coprocessors: at least one; the first one's address names the gateway.
    """

    def __init__(
        self,
        coprocessors: Sequence[CoprocessorSettings],
        config: Config,
        state: StateDirectory,
        reload: Reload,
        start: Start,
        notifier: Notifier,
        taps: Sequence[Tap] = (),
        *,
        in_terminal: bool = False,
        debug: bool = False,
    ) -> None:
        self._in_terminal = in_terminal
        self._clock: Clock = SystemClock()
        self._wall = WallClock(self._clock, trusted=config.trust_clock)
        self._config = config
        self._state = state
        self._reload = reload
        self._table = AdvertisementTable(config.max_sensors)
        self._coprocessors = Coprocessors(
            coprocessors, config.scan, self._on_event, self._clock, taps=taps
        )
        self._intake = self._make_intake()
        self._gateway = state.load_gateway()
        self._configured = asyncio.Event()
        self._identified = asyncio.Event()
        self._ready = asyncio.Event()
        """Batches can be cut: coprocessor and its identity are there."""
        self._relaying = False
        if self._gateway:
            self._identified.set()
        self._nonces = Nonces()
        self._queues: dict[str, ChangeQueue] = {}
        self._queue_counters: dict[str, QueueCounters] = {}
        self._remembered = Remembered()
        """A server's key outlives a new configuration, as on the gateway."""
        self._spools: dict[str, Spool] = {}
        """By target: so does what is undelivered."""
        self._relays = [self._relay(target) for target in config.targets]
        self._statistics = Statistics(self._coprocessor_facts, self._table, start, self._clock)
        self._clock_right_at = self._clock.monotonic() if self._wall.check() else None
        self._notifier = notifier
        self._watch = Watch(
            self._health_facts,
            notifier,
            network_watchdog=config.network_watchdog,
            exit_by_watchdog=config.exit_by_watchdog,
            audit=self._accounts if debug else None,
        )
        self._status_socket = StatusSocket(state.path, self._status)
        self._began = self._clock.monotonic()
        self._answered: dict[str, float] = {}
        """When each coprocessor was last seen to answer; before the first time: looked at."""
        self._hindrance = "it is just starting"

    def _make_intake(self) -> Intake:
        config = self._config
        return Intake(
            self._table,
            AddressFilter(config.filter_addresses, config.filter_allow),
            use_timestamps=config.use_timestamps,
            coprocessors=len(self._coprocessors),
        )

    def _relay(self, target: Target) -> Relay:
        counters = self._queue_counters.setdefault(target.name, QueueCounters())
        queue = self._queues[target.name] = self._table.queue(counters)
        batcher = Batcher(queue, target.period, self._clock.monotonic())
        config, kind = self._config, kind_of(target)
        relay = Relay(
            target.name,
            kind.make_sink(target, self._sink_context()),
            batcher,
            self._known_gateway,
            self._nonces,
            self._clock,
            self._spool(target.name),
            counted=not config.use_timestamps,
            ready=self._ready,
            profile=config.profile,
            pacing=kind.pacing(target),
        )
        log.info("%s: %s every %d s", target.name, kind.public_name(target), target.period)
        return relay

    def _spool(self, name: str) -> Spool:
        spool = self._spools.get(name)
        if spool is None:
            settings, counters = self._config.spool, RelayCounters()
            spool = Spool(self._state.path, name, settings, counters, self._clock)
            self._spools[name] = spool
        spool.settings = self._config.spool
        return spool

    def _sink_context(self) -> SinkContext:
        return SinkContext(self._config, self._remembered)

    def _health_facts(self) -> HostFacts:
        links = [self._link_facts(status) for status in self._coprocessors.statuses]
        targets = [relay.facts() for relay in self._relays]
        return HostFacts(links, targets, self._hindrance)

    def _overview(self) -> Overview:
        most = self._table.missed_most(MOST_MISSED)
        return Overview(
            version=__version__,
            pid=os.getpid(),
            uptime=int(self._clock.monotonic() - self._began),
            health=judge(self._health_facts(), self._clock.monotonic()),
            links=self._coprocessors.statuses,
            intake=self._table.counters,
            sensors=len(self._table),
            missed_most=[(address_text(address), count) for address, count in most],
            targets=[(relay.name, self._target_counters(relay)) for relay in self._relays],
            problems={relay.name: relay.facts().failing for relay in self._relays},
            statistics=self._statistics.counters,
        )

    def _accounts(self) -> list[Account]:
        links = [(status.name, status.counters) for status in self._coprocessors.statuses]
        targets = [(relay.name, self._target_counters(relay)) for relay in self._relays]
        return accounts(links, self._table.counters, targets)

    def _target_counters(self, relay: Relay) -> TargetCounters:
        queue = self._queues[relay.name]
        return TargetCounters(
            *(queue.changed, queue.counters, len(queue), relay.counters, *relay.waiting)
        )

    def _status(self) -> dict[str, Any]:
        return self._overview().document(self._clock.monotonic())

    def _link_facts(self, status: LinkStatus) -> LinkFacts:
        answers = status.state in (LinkState.READY, LinkState.QUIET)
        now = self._clock.monotonic()
        if answers:
            self._answered[status.name] = now
        answered = self._answered.setdefault(status.name, now)
        present = "://" not in status.path and os.path.exists(status.path)
        return LinkFacts(status.name, answers, present, answered, status.heard)

    def _coprocessor_facts(self) -> CoprocessorFacts:
        """Of the first one, which names the gateway."""
        told, status = self._config.nrf_firmware, self._coprocessors.statuses[0]
        counters = status.counters
        return CoprocessorFacts(
            self._known_gateway(),
            semver(told) if told else firmware_version(Generation(status.firmware)),
            answers=status.state in (LinkState.READY, LinkState.QUIET),
            self_reboots=counters.session.reboots,
            resets=counters.resets,
            lost_acks=counters.session.lost_acks,
        )

    async def run(self, standstill: Standstill, **beside: Coroutine[Any, Any, None]) -> None:
        """Receive and relay. When cancelled: last batches out, the rest kept, then return.

        beside: what must run meanwhile: the simulated board, if there is one.
        """
        hang_up = asyncio.Event()

        def hung_up() -> None:
            if self._in_terminal and not has_terminal():
                log.info("the terminal is closed: stopping")
                signal.raise_signal(signal.SIGTERM)
            else:
                hang_up.set()

        with on_signal(signal.SIGHUP, hung_up):  # to the end: it must not kill us on the way
            try:
                await together(
                    coprocessors=self._coprocessors.run(required=not self._has_backlog()),
                    relays=self._run_relays(hang_up),
                    watch=self._watch.run(standstill),
                    status=self._serve_status(),
                    **beside,
                )
            finally:
                self._notifier.stopping()
                await self._finish()
                self._notifier.close()

    async def _serve_status(self) -> None:
        try:
            await self._status_socket.run()
        except OSError as error:
            problem = error.strerror or error
            log.warning("`ruuvi-host status` cannot ask this host: no socket: %s", problem)

    def _has_backlog(self) -> bool:
        """Undelivered data is sent with the coprocessor unplugged, too."""
        return bool(self._gateway) and any(s.path.exists() for s in self._spools.values())

    async def _run_relays(self, hang_up: asyncio.Event) -> None:
        """Nothing is posted before clock, coprocessor and its identity are there."""
        while True:
            # Not a group: told to stop while a new configuration ends it, it would forget that.
            relaying = asyncio.create_task(self._relay_when_ready(), name="relays")
            reading = asyncio.create_task(self._reread(hang_up), name="reload")
            try:
                await asyncio.wait((relaying, reading), return_when=asyncio.FIRST_COMPLETED)
            finally:
                await ended(relaying, reading)
            for task in (relaying, reading):
                if not task.cancelled():
                    task.result()
            await self._start_anew()

    async def _relay_when_ready(self) -> None:
        if self._config.use_timestamps and not self._wall.check():
            self._hindrance = "the clock is not right"
            log.warning(
                "the clock is not synchronised: nothing is relayed until it is (--trust-clock "
                "skips this)"
            )
            while not self._wall.check():  # noqa: ASYNC110 - the kernel tells only who asks
                await asyncio.sleep(CLOCK_CHECK)
            self._clock_right_at = self._clock.monotonic()
            log.info("the clock is right")
        self._relaying = True
        parts = {relay.name: relay.run() for relay in self._relays}
        await together(ready=self._become_ready(), statistics=self._tell_statistics(), **parts)

    async def _become_ready(self) -> None:
        """Nothing new is posted before. What waits from an earlier run is."""
        self._hindrance = "the coprocessor is not configured yet"
        await self._configured.wait()
        if not self._identified.is_set():
            self._hindrance = self._who_is_missing()
            log.warning("%s: nothing is relayed before it has told who it is", self._hindrance)
            await self._identified.wait()
        self._hindrance = ""
        self._ready.set()
        # What lives until the end need not be looked at by the collector again and again.
        gc.collect()
        gc.freeze()
        give_back_memory()

    def _who_is_missing(self) -> str:
        first = self._coprocessors.statuses[0]
        who = "the coprocessor"
        if len(self._coprocessors) > 1:
            who = f"coprocessor {first.name}, which names the gateway,"
        is_there = first.state is not LinkState.CLOSED
        return f"{who} {'does not tell who it is' if is_there else 'is not there'}"

    async def _tell_statistics(self) -> None:
        await self._ready.wait()
        if target := self._config.statistics:
            from ruuvi_host.relay.http.kind import make_poster

            poster = make_poster(target, self._sink_context())
            log.info("statistics: %s every hour", kind_of(target).public_name(target))
            await self._statistics.run(poster, self._clock_right_at)

    async def _reread(self, hang_up: asyncio.Event) -> None:
        """Returns when there is a new configuration that can be used."""
        while True:
            await hang_up.wait()
            hang_up.clear()
            self._notifier.reloading()
            try:
                config = await asyncio.to_thread(self._reload)
            except ConfigError as error:
                self._notifier.ready()
                log.error("the configuration stays as it was: %s", error)
                continue
            if config.coprocessors != self._config.coprocessors:
                log.warning("other settings in [[coprocessor]] count from the next start on")
            self._config = config
            log.info("configuration read again")
            return

    async def _start_anew(self) -> None:
        """Go on with the new configuration, as a gateway does: what waits becomes a last batch, the
        table is emptied, the coprocessor is configured again, and the timers start anew."""
        # Up to the new relays nothing may wait: reports come in all the time.
        retired = self._relays
        for relay in retired:
            relay.cut_last()
        if not self._ready.is_set():
            self._warn_of_unrelayed()
        self._table.reset(self._config.max_sensors)
        self._intake = self._make_intake()
        self._relays = [self._relay(target) for target in self._config.targets]
        # Told to stop meanwhile, it is done all the same: what waits must get to the disk.
        await to_its_end(_retire(retired))
        for name in self._spools.keys() - {target.name for target in self._config.targets}:
            self._log_counters(name, self._spools[name].counters)
            await self._spools.pop(name).close()
        self._coprocessors.reconfigure(self._config.scan)
        if self._config.trust_clock:
            self._wall = WallClock(self._clock, trusted=True)
        self._watch.network_watchdog = self._config.network_watchdog
        self._watch.exit_by_watchdog = self._config.exit_by_watchdog
        self._notifier.ready()

    async def _finish(self) -> None:
        """Last deliveries; what they leave is kept. Raises SpoolError if data is lost."""
        try:
            if self._relaying:
                await together(**{relay.name: relay.finish(GRACE) for relay in self._relays})
        finally:
            if not self._ready.is_set():
                self._warn_of_unrelayed()
            for link in self._coprocessors.statuses:
                self._log_counters(f"coprocessor {link.name}", link.counters)
            self._log_counters("intake", self._intake.counters)
            for relay in self._relays:
                self._log_counters(relay.name, relay.counters)
            self._log_counters("statistics", self._statistics.counters)
            for account in self._accounts():
                level = logging.ERROR if account.unaccounted else logging.INFO
                log.log(level, "accounting: %s", account)

    def _warn_of_unrelayed(self) -> None:
        if len(self._table):
            log.warning("heard and never relayed: sensors %d", len(self._table))

    def _log_counters(self, name: str, counters: Counters) -> None:
        if counted := counters.nonzero():
            log.info("%s: %s", name, ", ".join(f"{k} {v}" for k, v in counted.items()))

    def _known_gateway(self) -> DeviceId:
        assert self._gateway is not None
        return self._gateway

    def _on_event(self, source: int, event: Event, now: float) -> None:
        """What a coprocessor tells. The first one names the gateway."""
        match event:
            case Received(reports):
                self._intake.receive(reports, now, self._wall.utc(), source)
            case Identified(device) if source == 0:
                if device != self._gateway:
                    self._gateway = device
                    self._state.save_gateway(device)
                self._identified.set()
            case Ready():
                self._configured.set()


async def _retire(relays: Sequence[Relay]) -> None:
    for relay in relays:
        await relay.retire()
