"""Statistics: how the gateway is, posted when it becomes ready and every hour.

One task. A post that fails is not tried again before the next hour, and nothing is kept of it:
the next one tells the same, but for the reports counted meanwhile. What the server asks for (a
rate) is ignored, as on the gateway.

Source: ruuvi.gateway_esp.c adv_post_statistics.c, http_post_stat.c.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from ruuvi_host import __version__
from ruuvi_host.clock import Clock
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.machine import RouteWatch, memory_available
from ruuvi_host.relay.relay import Nonces
from ruuvi_host.relay.sink import Sink, Verdict
from ruuvi_host.relay.status_document import CoprocessorFacts, StatusFacts, document, semver
from ruuvi_host.starts import Start
from ruuvi_host.status import StatisticsCounters

log = logging.getLogger(__name__)

PERIOD = 3600.0
"""Seconds between two posts."""
AGAIN = 30.0
"""Seconds after the clock first became right: the first document tells little of the sensors."""
LOOK = 10.0
"""Seconds between two looks at the network: a shorter loss is not seen."""


class Statistics:
    """Posts documents to `sink` as long as `run` runs.

    coprocessor: what is known about it now. start: this start of the process; its info is told
    once, in a post that is accepted.
    """

    def __init__(
        self,
        sink: Sink,
        coprocessor: Callable[[], CoprocessorFacts],
        table: AdvertisementTable,
        start: Start,
        clock: Clock,
        *,
        period: float = PERIOD,
        again: float = AGAIN,
    ) -> None:
        self.counters = StatisticsCounters()
        self._sink = sink
        self._coprocessor = coprocessor
        self._table = table
        self._start = start
        self._clock = clock
        self._period = period
        self._again = again
        self._began = clock.monotonic()
        self._nonces = Nonces()
        self._route = RouteWatch()
        self._delivering = False
        """The last word in the log was that a post was delivered."""
        self._changed = asyncio.Event()
        self._next_sink: Sink | None = None

    async def run(self, clock_right_at: float | None = None) -> None:
        """Everything is ready: post now, and so on until cancelled.

        clock_right_at: monotonic seconds at which the clock first became right, if it has.
        """
        try:
            again = None if clock_right_at is None else clock_right_at + self._again
            while True:
                begun = self._clock.monotonic()
                await self._post()
                due = begun + self._period
                if again is not None and begun < again:
                    due, again = again, None
                await self._until(due)
                if self._next_sink:
                    await self._sink.close()
                    self._sink, self._next_sink = self._next_sink, None
        finally:
            await self._sink.close()

    def configuration_changed(self, sink: Sink | None = None) -> None:
        """Post at once, to `sink` from now on; the hour begins anew."""
        self._next_sink = sink
        self._changed.set()

    async def _until(self, due: float) -> None:
        """Wait for `due` or for a changed configuration, with an eye on the network."""
        while not self._changed.is_set() and (left := due - self._clock.monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK)):
                    await self._changed.wait()
            self._route.look()
        self._changed.clear()

    async def _post(self) -> None:
        facts = self._facts()
        self.counters.posts += 1
        outcome = await self._sink.deliver(document(facts), facts.coprocessor.device)
        if outcome.verdict is Verdict.ACCEPTED:
            self.counters.accepted += 1
            self._start.info = ""
            if not self._delivering:
                log.info("statistics: delivered")
            self._delivering = True
            return
        self.counters.failed += 1
        self._delivering = False
        log.warning("statistics: not delivered (%s); next try in an hour", outcome.reason)

    def _facts(self) -> StatusFacts:
        self._route.look()
        return StatusFacts(
            coprocessor=self._coprocessor(),
            version=semver(__version__),
            uptime=int(self._clock.monotonic() - self._began),
            nonce=self._nonces.next(),
            wireless=self._route.wireless,
            connections_lost=self._route.losses,
            start=self._start,
            memory=memory_available(),
            samples=self._table.take_samples(),
        )
