"""Makes the batches of one target: a new one at each interval."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from math import inf

from firmware_protocol.messages import DeviceId
from ruuvi_host.clock import Clock
from ruuvi_host.intake.batch import Batch, Batcher, Gatherer
from ruuvi_host.relay.spool.spool import Spool
from ruuvi_host.relay.spool.unwritten import Waiting


class Nonces:
    """One running number for all targets, random at start, as on the gateway."""

    def __init__(self) -> None:
        self._last = random.getrandbits(32)

    def next(self) -> int:
        self._last = (self._last + 1) & 0xFFFFFFFF
        return self._last

    def give_back(self, nonce: int) -> None:
        """It was not used. The next batch may have it, unless others are on their way."""
        if nonce == self._last:
            self._last = (nonce - 1) & 0xFFFFFFFF


class BatchSource:
    """The batches of one target.

    gateway: the coprocessor's identity once it is known; asked for each batch.
    spool: counts what is made, and knows its place in the order.
    ready: set when there can be batches; None: always.
    counted: batches have running numbers in place of times.
    changed: set when there is something to tell, which is told at once; None: at each interval.
    """

    def __init__(
        self,
        batcher: Batcher | Gatherer,
        gateway: Callable[[], DeviceId],
        nonces: Nonces,
        spool: Spool,
        clock: Clock,
        *,
        ready: asyncio.Event | None = None,
        counted: bool = False,
        changed: asyncio.Event | None = None,
    ) -> None:
        self.nonces = nonces
        self._batcher = batcher
        self._gateway = gateway
        self._spool = spool
        self._clock = clock
        self._ready = ready
        self._counted = counted
        self._period_changed = asyncio.Event()
        self._changed = changed

    @property
    def is_at_once(self) -> bool:
        """There is a batch whenever something has changed, and none otherwise."""
        return self._changed is not None

    @property
    def made(self) -> int:
        """Reports in all batches so far."""
        return self._spool.counters.batch_reports

    @property
    def is_ready(self) -> bool:
        return self._ready is None or self._ready.is_set()

    @property
    def is_empty(self) -> bool:
        """Is there nothing that a batch would tell?"""
        return not self.is_ready or self._batcher.is_empty

    @property
    def period(self) -> float:
        """Seconds between two batches. A new value counts from the last one."""
        return self._batcher.period

    @period.setter
    def period(self, seconds: float) -> None:
        if self._batcher.period != seconds:
            self._batcher.period = seconds
            self._period_changed.set()

    @property
    def due(self) -> float:
        """Monotonic seconds of the next batch; inf: not known yet."""
        return self._batcher.due if self.is_ready else inf

    async def until_ready(self) -> None:
        if self._ready:
            await self._ready.wait()

    async def until_due(self) -> None:
        while self._changed and self._batcher.is_empty:
            self._changed.clear()
            await self._changed.wait()
        while (pause := self._batcher.due - self._clock.monotonic()) > 0:
            self._period_changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._period_changed.wait()

    def make(self) -> Waiting:
        """What has changed since the last batch; may be nothing."""
        advertisements = self._batcher.take(self._clock.monotonic())
        self._spool.counters.batches += 1
        self._spool.counters.batch_reports += len(advertisements)
        batch = Batch(self.nonces.next(), self._gateway(), advertisements, self._counted)
        return self._spool.new(batch)

    def skip_missed(self) -> None:
        """No batches for the intervals that have passed meanwhile."""
        self._batcher.skip(self._clock.monotonic())
