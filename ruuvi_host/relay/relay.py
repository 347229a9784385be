"""A relay: makes a batch at each interval, and delivers them to its sink until they are accepted.

Two tasks. *fill* makes a batch at each interval, whatever the target does, so that intervals are
never merged. *drain* delivers: the newest batch first as long as it has not been tried, then what
waits in the spool, in order and paced. While the target accepts, a batch lives in memory only. What
is not accepted at its first attempt goes to the spool before anything else happens to it; so does
what is made while an attempt or a pause is under way. A target that is down is a normal state.

`gateway_relay.py` is the other profile.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from math import inf

from ruuvi_host.clock import Clock
from ruuvi_host.config.spool import Sync
from ruuvi_host.intake.batch import GATHERING
from ruuvi_host.monitoring.backlog import Backlog
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.monitoring.health import TargetFacts
from ruuvi_host.relay.attempts import Attempts
from ruuvi_host.relay.burst import Burst
from ruuvi_host.relay.delivery import Delivery
from ruuvi_host.relay.delivery_log import DeliveryLog
from ruuvi_host.relay.outbox import Outbox
from ruuvi_host.relay.pauses import TO_OWN_SERVER, BackOff, Pacing
from ruuvi_host.relay.sink import Sink
from ruuvi_host.relay.source import BatchSource
from ruuvi_host.relay.spool.spool import Spool
from ruuvi_host.relay.turns import Turns

GATHERING_FOR_DISK = 1.0
"""Seconds; as GATHERING, for batches that wait for their target."""
UNTIL_STUCK = 0.2
"""Seconds that an attempt may take where every report is wanted, before those that come meanwhile
are kept apart: an answer from far away takes no longer."""
LEAVING = 1.5
"""Seconds for what still goes over a connection that is left, and for the rest after a burst.
Others wait meanwhile."""
MOST_UNMERGED = 20
"""Batches that wait, where only the newest report of each sensor is wanted."""


class HostRelay:
    """One target, with a queue, a timer and failures of its own."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        source: BatchSource,
        spool: Spool,
        clock: Clock,
        pacing: Pacing = TO_OWN_SERVER,
        *,
        network: bool = True,
    ) -> None:
        self.name = name
        self._source = source
        self._outbox = Outbox(name, spool, durable=spool.settings.sync is Sync.ALWAYS)
        self._delivery = Delivery(name, sink, spool.counters, clock, network=network)
        self._log = DeliveryLog(name, clock, source.period)
        self._burst = Burst(self._delivery.sink, self._outbox, spool.counters, clock, self._log)
        self._turns = Turns(self._outbox, source, pacing, clock, self._delivery.wait, self._burst)
        self._back_off = BackOff(pacing)
        self._attempts = Attempts(
            *(self._outbox, source, self._delivery, clock, self._back_off, self._log),
            *(self._burst, self._turns.rate),
        )
        self._backlog = Backlog()
        self._clock = clock
        self._keeps_newest = pacing.keeps_newest
        self._idle = asyncio.Event()
        """No attempt is under way, nor the pause after one."""

    @property
    def counters(self) -> RelayCounters:
        return self._delivery.counters

    @property
    def waiting(self) -> tuple[int, int]:
        """Batches and reports that are undelivered, in memory or in the spool."""
        return self._outbox.waiting

    def facts(self) -> TargetFacts:
        """For the judgement of health."""
        unkept, counters = self._outbox.spool.unkept, self.counters
        facts = self._delivery.facts(
            self._source.due, self.waiting[0], unkept=self._outbox.only_in_memory
        )
        return replace(
            facts,
            unkept_why=unkept.why if unkept else "",
            no_room=bool(unkept and unkept.room),
            lost=counters.overflowed + counters.aged_out + counters.unreadable + counters.lost,
            growth=self._backlog.growth,
            connection=self._delivery.sink.state,
        )

    # --- its life

    async def connect(self) -> None:
        """What the target needs between deliveries, until cancelled. It runs beside `run`, and may
        begin long before."""
        await self._delivery.sink.run()

    async def run(self) -> None:
        """Relay until cancelled. What is undelivered then is still here: see `finish`, `retire`."""
        await self._outbox.spool.open()
        self._log.opened(self.waiting)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fill(), name=f"{self.name} fill")
            tasks.create_task(self._drain(), name=f"{self.name} drain")

    def make_last(self) -> None:
        """The last batch, unless nothing has changed."""
        self._outbox.put_last(None if self._source.is_empty else self._source.make())

    async def finish(self, seconds: float) -> None:
        """After `run`: keep all that is undelivered, then try for so long to deliver it.

        No empty batch is sent any more. What is not delivered is in the spool. Raises SpoolError
        when it could not be written there.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        self.make_last()
        await self._outbox.keep_all()
        await self._settle()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline), self._delivery.sink.running():
                await self._deliver_all(in_haste=False)
        await self._delivery.sink.close()
        await self._outbox.close()

    async def retire(self) -> None:
        """After `run`: keep all that is undelivered. Another relay with this one's spool goes on
        with it. Only where a connection is left, some of it still goes over that."""
        self.make_last()
        await self._outbox.keep_all()
        await self._settle()
        if self._delivery.sink.is_leaving and self.waiting[0]:
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAVING):
                    await self._deliver_all(in_haste=False)
            await self._outbox.keep_all()
        self._outbox.let_go()
        await self._delivery.sink.close()

    async def refresh(self) -> None:
        """Files of certificates may be others now."""
        await self._delivery.sink.refresh()

    async def disconnect(self) -> None:
        """In place of `finish`, when only `connect` ran."""
        await self._delivery.sink.close()

    async def drain(self) -> bool:
        """Deliver what is in the spool, and nothing else. False: it was not all accepted."""
        await self._outbox.spool.open()
        async with self._delivery.sink.running():
            return await self._deliver_all()

    async def _deliver_all(self, *, in_haste: bool = True) -> bool:
        """False: one was not accepted. in_haste: there is time to find out what was accepted."""
        while await self._turns.next_at_the_end():
            if not await self._attempt(in_haste=in_haste):
                return False
        return True

    async def _settle(self) -> None:
        """What was accepted in haste is not sent again after the end."""
        if self._burst.answered:
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAVING):
                    await self._burst.settle()

    # --- fill

    async def _fill(self) -> None:
        await self._source.until_ready()
        stuck = False
        while True:
            await self._source.until_due()
            stuck = await self._until_wanted(stuck=stuck)
            await self._outbox.put(self._source.make())
            self._turns.new_batch()
            self._look_at_backlog()
            if self._keeps_newest:
                await self._reduce()

    async def _until_wanted(self, *, stuck: bool) -> bool:
        """Where batches are made at once, what changes during an attempt waits in the table for its
        end, and need not go to the disk. Not for long; and while the target is away, batches are
        made less often, for they do go there. But not where every report is wanted: in the table
        one gives way to the next one of its sensor.

        stuck: it has waited in vain before. Returns whether it has again.
        """
        if not self._source.is_at_once:
            return False
        failing = self._back_off.failures > 0
        seconds = GATHERING_FOR_DISK
        if not self._keeps_newest:
            seconds = GATHERING if failing or stuck else UNTIL_STUCK
        self._source.period = seconds if failing else GATHERING
        if self._outbox.busy:
            try:
                async with asyncio.timeout(seconds):
                    await self._idle.wait()
            except TimeoutError:
                return True
        return False

    async def _reduce(self) -> None:
        """Of what waits only the newest report of each sensor is wanted: so an outage takes no
        more room, however long it lasts."""
        spool = self._outbox.spool
        if spool.batches > MOST_UNMERGED and self._outbox.busy:
            merged = await spool.oldest(inf, self._source.nonces.next)
            if merged:
                spool.put_back(merged)

    def _look_at_backlog(self) -> None:
        backlog = self._backlog
        backlog.look(self._clock.monotonic(), self.waiting[0], self._source.period)
        if backlog.growth and backlog.growth > 0 and not self._back_off.failures:
            self._log.growing(self.waiting, backlog.growth)

    # --- drain

    async def _drain(self) -> None:
        while True:
            await self._turns.next()
            self._idle.clear()
            if not await self._attempt():
                pause = self._back_off.pause
                self._delivery.wait(pause)
                await self._delivery.sink.pause(pause)
            self._outbox.busy = False
            self._idle.set()

    async def _attempt(self, *, in_haste: bool = True) -> bool:
        assert self._outbox.current
        self._turns.attempt_begins(self._outbox.current.reports)
        hurried = in_haste and self._turns.hurries and self._delivery.sink.can_hurry
        return await self._attempts.attempt(hurried=hurried)
