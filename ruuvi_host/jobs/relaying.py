"""What relays: when batches may be made and posted, one relay per target, and the statistics."""

import asyncio
import gc
import logging
from collections.abc import Callable
from pathlib import Path

from ruuvi_host.config.model import Config
from ruuvi_host.intake.readings import Readings
from ruuvi_host.jobs.receiving import Receiving
from ruuvi_host.jobs.relays import Relays
from ruuvi_host.lifetime import beat, to_its_end, together
from ruuvi_host.logs import Repeated
from ruuvi_host.monitoring.machine import give_back_memory
from ruuvi_host.monitoring.starts import Start
from ruuvi_host.relay.kinds import SinkContext, kind_of
from ruuvi_host.relay.statistics import Statistics

log = logging.getLogger(__name__)

GRACE = 3.0
"""Seconds for the last deliveries on shutdown; five in all are promised."""

CLOCK_CHECK = 1.0
"""Seconds between two questions whether the clock is right at last."""
CLOCK_WATCH = 5.0
"""Seconds between two questions whether it still is. Timestamps ask for themselves."""
CLOCK_TOLD = 600.0
"""Seconds in which a clock that jumps all the time gets one line of each kind."""


class _ClockWrong(Exception):  # noqa: N818 - an event, not an error
    """It was right, and has jumped."""


class Relaying:
    """The network side of a host, from the table on.

    folder: of the spools. readings: as for Relays.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        receiving: Receiving,
        start: Start,
        readings: Callable[[], Readings] | None = None,
    ) -> None:
        self._config = config
        self._receiving = receiving
        self._ready = asyncio.Event()
        """Batches can be made: the clock is right, the coprocessor configured and known."""
        self.relays = Relays(
            *(folder, receiving.table, receiving.gateway, self._ready, receiving.wall),
            readings=readings,
            other_gateway=receiving.other_gateway,
        )
        self.relays.begin(config)
        self.statistics = Statistics(
            lambda: receiving.coprocessor_facts(self._config.nrf_firmware),
            *(receiving.table, start, receiving.clock),
        )
        self._clock_right_at = receiving.clock.monotonic() if receiving.wall.check() else None
        self._clock_lines = [Repeated(CLOCK_TOLD, receiving.clock.monotonic) for _ in range(3)]
        self._begun = False
        self.hindrance = "it is just starting"
        """Why nothing is relayed yet; empty: it is."""

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong with the present configuration."""
        return self._config.faults

    async def run(self) -> None:
        """Until cancelled. Nothing is posted while the clock is not right; connections that are
        kept need no clock, but TLS, which is refused then."""
        while True:
            try:
                await together(connections=self.relays.connect(), relays=self._relay())
            except _ClockWrong:
                # What waits has times from before the jump: it is kept.
                await self.reconfigure(self._config)

    async def _relay(self) -> None:
        """Raises _ClockWrong."""
        await self._until_clock_is_right()
        self._begun = True
        await together(
            ready=self._become_ready(),
            statistics=self._post_statistics(),
            relays=self.relays.run(),
            clock=self._while_clock_is_right(),
        )

    async def keep(self, config: Config) -> None:
        """Go on as before with a configuration in which only what others use is another; but files
        of certificates may be."""
        self._config = config
        await self.relays.refresh()

    async def reconfigure(self, config: Config) -> None:
        """After `run` was cancelled: go on with `config`, as a gateway does. What waits becomes a
        last batch, the table is emptied, and the intervals start anew."""
        # Up to the new relays nothing may wait: reports are received all the time.
        retired = self.relays.make_last()
        if not self._ready.is_set():
            self._warn_of_unrelayed()
        self._receiving.empty(config)
        self._config = config
        self.relays.begin(config)
        # If it is cancelled meanwhile, it is done all the same: what waits must get to the disk.
        await to_its_end(self.relays.retire(retired))

    async def finish(self) -> None:
        """Last deliveries; what they leave is kept. Raises SpoolError if data is lost."""
        try:
            if self._begun:
                await self.relays.finish(GRACE)
            else:
                await self.relays.disconnect()
        finally:
            if not self._ready.is_set():
                self._warn_of_unrelayed()

    async def _until_clock_is_right(self) -> None:
        wall = self._receiving.wall
        if not self._config.use_timestamps or wall.check():
            return
        wrong, right, _ = self._clock_lines
        self.hindrance = f"the clock is not right: {wall.problem}"
        if wrong.due():
            log.warning(
                "the clock is not right: %s. Nothing is relayed until it is (--trust-clock skips "
                "this; restart ruuvi-host if it was wrong before and is right now)",
                wall.problem,
            )
        while not wall.check():  # noqa: ASYNC110 - the kernel tells only who asks
            await asyncio.sleep(CLOCK_CHECK)
        if self._clock_right_at is None:
            self._clock_right_at = self._receiving.clock.monotonic()
        if right.due():
            log.info("the clock is right")

    async def _while_clock_is_right(self) -> None:
        """Raises _ClockWrong when it is not any more."""
        wall, jumps = self._receiving.wall, self._clock_lines[-1]
        while self._config.use_timestamps:
            right = wall.check()
            if (news := wall.take_news()) and jumps.due():
                log.warning("%s", news)
            if not right:
                raise _ClockWrong
            await beat(CLOCK_WATCH)

    async def _become_ready(self) -> None:
        """Nothing new is posted before. The backlog of a previous run is."""
        self.hindrance = "the coprocessor is not configured yet"
        await self._receiving.configured.wait()
        if not self._receiving.identified.is_set():
            self.hindrance = self._receiving.missing()
            log.warning("%s: nothing is relayed before it has sent its address", self.hindrance)
            await self._receiving.identified.wait()
        self.hindrance = ""
        self._ready.set()
        # What lives until the end need not be looked at by the collector again and again.
        gc.collect()
        gc.freeze()
        give_back_memory()

    async def _post_statistics(self) -> None:
        await self._ready.wait()
        if target := self._config.statistics:
            from ruuvi_host.relay.http.kind import make_poster

            poster = make_poster(target, SinkContext(self._config, self.relays.remembered))
            log.info("statistics: %s every hour", kind_of(target).public_name(target))
            await self.statistics.run(poster, self._clock_right_at)

    def _warn_of_unrelayed(self) -> None:
        if sensors := len(self._receiving.table):
            log.warning("received and never relayed: sensors %d", sensors)
