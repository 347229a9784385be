"""The relays of a configuration, and what of them outlives it: spools, counters, servers' keys."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from firmware_protocol.messages import DeviceId
from ruuvi_host.clock import Clock
from ruuvi_host.config.model import Config, Profile
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.config.targets import Target
from ruuvi_host.intake.batch import Batcher, Gatherer
from ruuvi_host.intake.readings import Readings
from ruuvi_host.intake.table import AdvertisementTable, ChangeQueue
from ruuvi_host.lifetime import together
from ruuvi_host.monitoring.counters import QueueCounters, RelayCounters, TargetCounters
from ruuvi_host.monitoring.health import TargetFacts
from ruuvi_host.relay.gateway_relay import GatewayRelay
from ruuvi_host.relay.kinds import Remembered, SinkContext, kind_of
from ruuvi_host.relay.relay import HostRelay
from ruuvi_host.relay.source import BatchSource, Nonces
from ruuvi_host.relay.spool.spool import Spool

Relay: TypeAlias = HostRelay | GatewayRelay

log = logging.getLogger(__name__)


class Relays:
    """One relay for each target of the present configuration.

    folder: of the spools. gateway: who we are; asked for each batch. ready: set when there
    can be batches. readings: what people say about their sensors, as of now; None: as the
    configuration has it. other_gateway: who we are, once it is known, and another one than that.
    """

    def __init__(
        self,
        folder: Path,
        table: AdvertisementTable,
        gateway: Callable[[], DeviceId],
        ready: asyncio.Event,
        clock: Clock,
        readings: Callable[[], Readings] | None = None,
        other_gateway: Callable[[DeviceId | None], Awaitable[DeviceId]] | None = None,
    ) -> None:
        self._readings = readings
        self._other_gateway = other_gateway
        self._folder = folder
        self._table = table
        self._gateway = gateway
        self._ready = ready
        self._clock = clock
        self._nonces = Nonces()
        self.remembered = Remembered()
        """A server's key outlives a new configuration, as on the gateway."""
        self.host: Callable[[], dict[str, Any]] = dict
        """What the host tells of itself; asked when something is sent."""
        self._spools: dict[str, Spool] = {}
        """By target: so does what is undelivered."""
        self._queue_counters: dict[str, QueueCounters] = {}
        self._queues: dict[str, ChangeQueue] = {}
        self._relays: list[Relay] = []

    @property
    def has_backlog(self) -> bool:
        """Something waits from the previous run."""
        return any(spool.path.exists() for spool in self._spools.values())

    def begin(self, config: Config) -> None:
        """Make the relays of `config`, with new queues of the table."""
        self._relays = [self._relay(target, config) for target in config.targets]

    def make_last(self) -> Sequence[Relay]:
        """The present relays, each with a last batch, to be retired when others have begun."""
        for relay in self._relays:
            relay.make_last()
        return self._relays

    async def retire(self, relays: Sequence[Relay]) -> None:
        """Keep what these have not delivered. Spools that no relay uses any more are closed."""
        await together(**{relay.name: relay.retire() for relay in relays})
        for name in self._spools.keys() - {relay.name for relay in self._relays}:
            spool = self._spools.pop(name)
            # The target may come back. What it has taken from the table belongs to the counters
            # of this spool, which end here.
            del self._queue_counters[name], self._queues[name]
            log.info("%s: %s", name, spool.counters, extra={"counters": spool.counters.nonzero()})
            await spool.close()

    async def connect(self) -> None:
        """What their targets need between deliveries, until cancelled; it runs beside `run`."""
        if not self._relays:
            await asyncio.Event().wait()
        await together(**{f"{relay.name} connection": relay.connect() for relay in self._relays})
        await asyncio.Event().wait()

    async def run(self) -> None:
        """All of them, until cancelled."""
        if not self._relays:  # nothing is sent anywhere: the local API has it so
            await asyncio.Event().wait()
        await together(**{relay.name: relay.run() for relay in self._relays})

    async def finish(self, seconds: float) -> None:
        """After `run`: keep what is undelivered, then try for so long to deliver it.

        Raises SpoolError if data is lost.
        """
        ends = (relay.finish(seconds) for relay in self._relays)
        # A disk that fails for one must not cut short the end of the others.
        for failure in await asyncio.gather(*ends, return_exceptions=True):
            if failure:
                raise failure

    async def refresh(self) -> None:
        """Files of certificates may be others now."""
        await together(**{relay.name: relay.refresh() for relay in self._relays})

    async def disconnect(self) -> None:
        """In place of `finish`, when only `connect` ran."""
        await together(**{relay.name: relay.disconnect() for relay in self._relays})

    def facts(self) -> list[TargetFacts]:
        """Of each, for the judgement of health."""
        return [relay.facts() for relay in self._relays]

    def counters(self) -> list[tuple[str, TargetCounters]]:
        """(target, counters)"""
        return [(relay.name, self._target_counters(relay)) for relay in self._relays]

    def _target_counters(self, relay: Relay) -> TargetCounters:
        queue = self._queues[relay.name]
        return TargetCounters(
            *(queue.changed, queue.counters, len(queue), relay.counters, *relay.waiting)
        )

    def _relay(self, target: Target, config: Config) -> Relay:
        kind, spool = kind_of(target), self._spool(target.name, config.spool)
        counters = self._queue_counters.setdefault(target.name, QueueCounters())
        changed = None if target.period else asyncio.Event()
        tell = changed.set if changed else None
        queue = self._queues[target.name] = self._table.queue(counters, tell)
        now = self._clock.monotonic()
        batcher: Batcher | Gatherer = Gatherer(queue, now)
        if target.period:
            first = now if kind.begins_at_once else now + target.period
            batcher = Batcher(queue, target.period, first)
        source = BatchSource(
            *(batcher, self._gateway, self._nonces, spool, self._clock),
            ready=self._ready,
            counted=not config.use_timestamps,
            changed=changed,
        )
        is_lossy = config.profile is Profile.GATEWAY and not kind.is_always_kept
        make = GatewayRelay if is_lossy else HostRelay
        context = SinkContext(
            *(config, self.remembered, self._readings, self._other_gateway),
            host=lambda: self.host(),
            folder=self._folder,
        )
        relay = make(
            target.name,
            kind.make_sink(target, context),
            *(source, spool, self._clock, kind.pacing(target)),
            network=kind.is_network,
        )
        when = f"every {target.period} s" if target.period else "at each change"
        log.info("%s: %s %s", target.name, kind.public_name(target), when)
        return relay

    def _spool(self, name: str, settings: SpoolSettings) -> Spool:
        spool = self._spools.get(name)
        if spool is None:
            spool = Spool(self._folder, name, settings, RelayCounters(), self._clock)
            self._spools[name] = spool
        spool.settings = settings
        return spool
