"""Which batch is delivered next, and when: the newest one first, then the backlog, paced."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from math import inf

from ruuvi_host.clock import Clock
from ruuvi_host.relay.burst import Burst
from ruuvi_host.relay.drain_rate import DrainRate
from ruuvi_host.relay.outbox import Outbox, Turn
from ruuvi_host.relay.pauses import Pacing
from ruuvi_host.relay.source import BatchSource

AGAIN = 0.05
"""Seconds until the spool is asked again, when all that waits there is just being written."""

AHEAD = 32
"""Batches that are read at a time when they are sent in haste."""

SOON = 30.0
"""Seconds. What waits, and is only wanted as far as it is the newest, goes with the next batch if
that is made so soon: it may have newer reports, and a sensor is told of once."""


class Turns:
    """Chooses the current batch of an outbox.

    burst: settled when nothing else waits. waits: told how long nothing is to be
    delivered, in seconds; inf: until there is a batch.
    """

    def __init__(
        self,
        outbox: Outbox,
        source: BatchSource,
        pacing: Pacing,
        clock: Clock,
        waits: Callable[[float], None],
        burst: Burst,
    ) -> None:
        self._outbox = outbox
        self._source = source
        self._pacing = pacing
        self._clock = clock
        self._waits = waits
        self._burst = burst
        self.rate = DrainRate(outbox.spool.settings.drain_rate) if pacing.adapts else None
        """Where it follows the target."""
        self._last_attempt = -inf
        self._sent = self._made = 0
        """Reports of the last attempt, if it was of the backlog; and those made by then."""
        self._work = asyncio.Event()

    @property
    def hurries(self) -> bool:
        """The current batch is of a backlog that is sent in haste."""
        return bool(self.rate and self.rate.hurries and self._outbox.turn is Turn.BACKLOG)

    @property
    def _gap(self) -> float:
        return self.rate.gap if self.rate else self._pacing.gap

    def new_batch(self) -> None:
        """There is a newest one."""
        self._work.set()

    def attempt_begins(self, reports: int) -> None:
        """reports: of the current batch."""
        self._last_attempt = self._clock.monotonic()
        is_late = self._outbox.turn is Turn.BACKLOG
        self._sent, self._made = reports if is_late else 0, self._source.made

    async def next(self) -> None:
        """Wait until there is something to deliver. It is the current batch then."""
        outbox = self._outbox
        while True:
            self._work.clear()
            turn = self._backlog_turn()
            if outbox.newest and turn is not None and self._backlog_first():
                await outbox.set_newest_aside()
                turn = self._until_allowed() if self._pacing.in_order else 0.0
            elif outbox.take_newest():
                return
            if turn == 0.0:
                if await self._take_oldest():
                    return
                turn = AGAIN
            self._waits(inf if turn is None else turn)
            with suppress(TimeoutError):
                async with asyncio.timeout(turn):
                    await self._work.wait()

    async def next_at_the_end(self) -> bool:
        """The same without waiting, but for the pace. False: there is nothing."""
        if self._pacing.in_order:
            await self._outbox.set_newest_aside()
        if self._outbox.take_newest():
            return True
        if self._outbox.spool.batches:
            await asyncio.sleep(self._until_allowed())
        return await self._take_oldest()

    async def _take_oldest(self) -> bool:
        nonce = self._source.nonces.next
        window, ahead = self._pacing.window, AHEAD if self.rate and self.rate.hurries else 1
        if taken := await self._outbox.take_oldest(window, nonce, ahead):
            return bool(taken)
        if not self._burst.answered:
            return False
        await self._burst.settle()
        return bool(await self._outbox.take_oldest(window, nonce))

    def _backlog_turn(self) -> float | None:
        """Seconds until a batch of the backlog is due, or has to be thought about again. None:
        there is no backlog."""
        if not self._outbox.has_backlog:
            return None
        wait = self._until_allowed()
        to_batch = self._source.due - self._clock.monotonic()
        joins = self._pacing.keeps_newest and not self._source.is_at_once
        if joins and not self._outbox.newest and to_batch <= SOON:
            return max(to_batch, 0.01)
        comes_first = not self._pacing.in_order
        if comes_first and to_batch < wait + self._gap:  # the newest batch
            return max(to_batch, 0.01)
        return wait

    def _until_allowed(self) -> float:
        """Seconds until the target may get another batch."""
        now = self._clock.monotonic()
        wait = self._last_attempt + self._gap - now
        if self._pacing.rate and self._sent:
            # What came in meanwhile is sent on top of the rate, or a backlog would never end.
            surplus = self._sent - (self._source.made - self._made)
            wait = max(wait, self._last_attempt + surplus / self._pacing.rate - now)
        return max(wait, 0.0)

    def _backlog_first(self) -> bool:
        """Is the backlog first? With an interval too short for attempts in between, every other
        one is the backlog's."""
        if self._pacing.in_order:
            return True
        return self._source.period < 2 * self._gap and self._outbox.turn is Turn.NEWEST
