"""Statistics: how the gateway is, posted when it becomes ready and every hour.

One task. A post that fails is not tried again before the next hour, and nothing is kept of it:
the next one tells the same, but for the reports counted meanwhile. What the server asks for (a
rate) is ignored, as on the gateway.

Source: ruuvi.gateway_esp.c adv_post_statistics.c, http_post_stat.c.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from ruuvi_host import __version__
from ruuvi_host.clock import Clock
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.monitoring.counters import StatisticsCounters
from ruuvi_host.monitoring.machine import RouteWatch, memory_available
from ruuvi_host.monitoring.starts import Start
from ruuvi_host.relay.sink import Verdict
from ruuvi_host.relay.source import Nonces
from ruuvi_host.relay.status_document import CoprocessorFacts, StatusFacts, document_slices, semver

if TYPE_CHECKING:  # imported by whoever makes one: it takes some megabytes
    from ruuvi_host.relay.http.poster import Poster

log = logging.getLogger(__name__)

PERIOD = 3600.0
"""Seconds between two posts."""
AGAIN = 30.0
"""Seconds after the clock first became right: the first document tells little of the sensors."""
LOOK = 10.0
"""Seconds between two looks at the network: a shorter loss is not seen."""


class Statistics:
    """Posts documents as long as `run` runs.

    coprocessor: what is known about it now. start: this start of the process; its info is told
    once, in a post that is accepted.
    """

    def __init__(
        self,
        coprocessor: Callable[[], CoprocessorFacts],
        table: AdvertisementTable,
        start: Start,
        clock: Clock,
        *,
        period: float = PERIOD,
        again: float = AGAIN,
    ) -> None:
        self.counters = StatisticsCounters()
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

    async def run(self, poster: "Poster", clock_right_at: float | None = None) -> None:
        """Everything is ready: post now, and so on until cancelled. Again after each change of
        the configuration; nonce and counters go on.

        clock_right_at: monotonic seconds at which the clock first became right, if it has.
        """
        try:
            again = None if clock_right_at is None else clock_right_at + self._again
            while True:
                begun = self._clock.monotonic()
                await self._post(poster)
                due = begun + self._period
                if again is not None and begun < again:
                    due, again = again, None
                await self._until(due)
        finally:
            await poster.close()

    async def _until(self, due: float) -> None:
        """Wait for `due`, with an eye on the network."""
        while (left := due - self._clock.monotonic()) > 0:
            await asyncio.sleep(min(left, LOOK))
            self._route.look()

    async def _post(self, poster: "Poster") -> None:
        facts = self._facts()
        pieces = []
        for piece in document_slices(facts):
            pieces.append(piece)
            await asyncio.sleep(0)  # others get their turn while there are many sensors
        self.counters.posts += 1
        outcome = await poster.post(b"".join(pieces), facts.coprocessor.device)
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
