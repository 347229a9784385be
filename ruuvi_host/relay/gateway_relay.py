"""A relay as the official gateway does it: one at a time, no spool, a batch that fails is lost."""

import asyncio
import logging
from contextlib import suppress
from math import inf

from ruuvi_host.clock import Clock
from ruuvi_host.intake.batch import Batch
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.monitoring.health import TargetFacts
from ruuvi_host.relay.delivery import Delivery
from ruuvi_host.relay.delivery_log import DeliveryLog
from ruuvi_host.relay.outbox import DISK_GRACE
from ruuvi_host.relay.pauses import TO_OWN_SERVER, Pacing
from ruuvi_host.relay.sink import Outcome, Sink, Verdict
from ruuvi_host.relay.source import BatchSource
from ruuvi_host.relay.spool.spool import Spool

log = logging.getLogger(__name__)

GATEWAY_PAUSE = 67.0
"""Seconds from one batch to the next after a failure. The gateway's own rule."""


class GatewayRelay:
    """One target. See HostRelay for what its methods promise.

    spool: only looked at, and closed; what the other profile left there stays.
    """

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
        self._spool = spool
        self._delivery = Delivery(name, sink, spool.counters, clock, network=network)
        self._log = DeliveryLog(name, clock, source.period)
        self._current: Batch | None = None
        """Its only attempt is under way."""
        self._last: Batch | None = None
        """At the end: not tried yet."""
        self._usual_period = source.period
        self._failures = 0
        """Failed attempts in a row."""

    @property
    def counters(self) -> RelayCounters:
        return self._delivery.counters

    @property
    def waiting(self) -> tuple[int, int]:
        in_hand = [batch for batch in (self._current, self._last) if batch]
        return len(in_hand), sum(len(batch.advertisements) for batch in in_hand)

    def facts(self) -> TargetFacts:
        # What the gateway loses by design is no fault.
        return self._delivery.facts(self._source.due, self.waiting[0], unkept=False)

    async def connect(self) -> None:
        await self._delivery.sink.run()

    async def run(self) -> None:
        if self._spool.path.exists():
            log.warning(
                "%s: batches from profile host wait in %s; this profile does not send them "
                "(ruuvi-host spool drain %s)",
                *(self.name, self._spool.path, self.name),
            )
        await self._relay()

    def make_last(self) -> None:
        if not self._source.is_empty:
            self._lose(self._last)
            self._last = self._source.make().batch

    async def finish(self, seconds: float) -> None:
        self.make_last()
        self._let_go_of_current()
        last, self._last = self._last, None
        if last:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds), self._delivery.sink.running():
                    await self._attempt(last)
        self._let_go_of_current()
        await self._delivery.sink.close()
        with suppress(TimeoutError):  # a disk that hangs must not hold up the end
            async with asyncio.timeout(DISK_GRACE):
                await self._spool.close()

    async def refresh(self) -> None:
        await self._delivery.sink.refresh()

    async def disconnect(self) -> None:
        await self._delivery.sink.close()

    async def retire(self) -> None:
        self.make_last()
        self._let_go_of_current()
        self._lose(self._last)
        self._last = None
        await self._delivery.sink.close()

    async def _relay(self) -> None:
        await self._source.until_ready()
        while True:
            await self._source.until_due()
            outcome = await self._attempt(self._source.make().batch)
            self._delivery.wait(inf)
            self._source.skip_missed()  # an interval that ends during an attempt gets no batch
            if outcome.verdict is not Verdict.ACCEPTED and outcome.begun:
                self._source.period = GATEWAY_PAUSE

    async def _attempt(self, batch: Batch) -> Outcome:
        self._current = batch
        outcome = await self._delivery.attempt(batch)
        self._current = None
        if outcome.verdict is Verdict.ACCEPTED:
            self._accepted(batch, outcome)
        else:
            self._failed(batch, outcome)
        return outcome

    def _accepted(self, batch: Batch, outcome: Outcome) -> None:
        accepted, refused, _ = outcome.fates(batch)
        self.counters.accepted += 1
        self.counters.accepted_reports += accepted
        self.counters.refused_reports += refused
        self._failures = 0
        self._log.accepted(self.waiting, first=self.counters.accepted == 1)
        if self._delivery.period is not None:
            self._log.period(self._delivery.period)
            self._usual_period = self._delivery.period
        self._source.period = self._usual_period

    def _failed(self, batch: Batch, outcome: Outcome) -> None:
        """What was not accepted is lost, whatever the reason."""
        accepted, _, _ = outcome.fates(batch)
        self.counters.accepted_reports += accepted
        self._lose(batch, len(batch.advertisements) - accepted)
        self._failures += 1
        if not outcome.begun:
            self._source.nonces.give_back(batch.nonce)
        what_next = f"reports lost so far {self.counters.lost_reports}"
        self._log.failed(outcome, self._failures, self.waiting, what_next)

    def _let_go_of_current(self) -> None:
        self._lose(self._current)
        self._current = None

    def _lose(self, batch: Batch | None, reports: int | None = None) -> None:
        """reports: as far as not accepted; None: all of them."""
        if batch and batch.advertisements:
            self.counters.lost += 1
            self.counters.lost_reports += len(batch.advertisements) if reports is None else reports
        elif batch:
            self.counters.empty_failed += 1
