"""The undelivered batches of one target: at most three in hand, the others in the spool.

A batch lives in memory only as long as it is the newest, or its first attempt is under way. It goes
to the spool before anything else happens to it.
"""

import asyncio
import logging
from collections.abc import Callable
from enum import Enum

from ruuvi_host.errors import SpoolError
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.relay.spool.spool import Spool
from ruuvi_host.relay.spool.unwritten import Waiting

log = logging.getLogger(__name__)

DISK_GRACE = 1.0
"""Seconds for the disk at the end, once for writing and once for closing; it may hang, and the stop
of the host must not."""


class Turn(Enum):
    """Whose batch was, or is, delivered."""

    NEWEST = "newest"
    BACKLOG = "backlog"


class Outbox:
    """Knows where each batch is, and moves them.

    durable: each batch is to be on disk before its first attempt.
    """

    def __init__(self, name: str, spool: Spool, *, durable: bool = False) -> None:
        self.spool = spool
        self.newest: Waiting | None = None
        """Made last, and not tried yet."""
        self.current: Waiting | None = None
        """The one whose attempt is under way."""
        self.busy = False
        """An attempt, or the pause after one, is under way."""
        self.turn = Turn.BACKLOG
        """Of the attempt under way, or of the last one."""
        self._before_newest: Waiting | None = None
        """At the end: made before the newest one, and not tried either."""
        self._lost_before = 0
        """Reports that were lost before the end began."""
        self._name = name
        self._durable = durable

    @property
    def waiting(self) -> tuple[int, int]:
        """Batches and reports that are undelivered, in hand or in the spool."""
        in_hand = [w for w in (self.newest, self.current) if w and not w.kept]
        return (
            self.spool.batches + len(in_hand),
            self.spool.reports + sum(len(w.batch.advertisements) for w in in_hand),
        )

    @property
    def has_backlog(self) -> bool:
        """Is there anything to deliver besides the newest batch?"""
        return self.spool.batches > bool(self.newest and self.newest.kept)

    @property
    def only_in_memory(self) -> bool:
        """Has something that should be on disk not been written?"""
        return self.spool.only_in_memory[0] > 0

    # --- while the relay runs

    async def put(self, waiting: Waiting) -> None:
        """A new batch. On disk at once if it cannot be tried at once; so is the one before it."""
        before, self.newest = self.newest, waiting
        if before:
            await self._set_aside(before)
        # Meanwhile it may be the current one.
        wanted = waiting is self.newest and (self.busy or self._durable)
        if wanted and waiting.batch.advertisements:
            await self.keep(waiting)

    async def set_newest_aside(self) -> None:
        """It waits like all others from now on."""
        waiting, self.newest = self.newest, None
        if waiting:
            await self._set_aside(waiting)

    async def keep(self, waiting: Waiting) -> None:
        """In the spool, at its place."""
        self.spool.hold(waiting)
        await self.spool.add(waiting)
        if waiting not in (self.newest, self.current):
            self.spool.put_back(waiting)

    def take_newest(self) -> Waiting | None:
        """It is the current one then."""
        waiting, self.newest = self.newest, None
        if waiting:
            self.current, self.busy, self.turn = waiting, True, Turn.NEWEST
        return waiting

    async def take_oldest(
        self, window: float, nonce: Callable[[], int], ahead: int = 1
    ) -> Waiting | None:
        """The batch that waits longest is the current one then. None: there is none. As in
        Spool.oldest."""
        self.busy, self.turn = True, Turn.BACKLOG
        waiting = await self.spool.oldest(window, nonce, ahead)
        self.current, self.busy = waiting, bool(waiting)
        return waiting

    # --- after an attempt with the current one

    async def done(self) -> None:
        """It needs no further attempt, and is counted."""
        waiting, self.current = self.current, None
        if waiting and waiting.kept:
            await self.spool.remove(waiting)

    async def shorten(self, remaining: tuple[Advertisement, ...]) -> None:
        """Only these reports of it still have to be delivered."""
        if self.current:
            await self.spool.shorten(self.current, remaining)

    async def put_back(self) -> None:
        """It is to be tried again. An empty one is not."""
        waiting = self.current
        if waiting and waiting.batch.advertisements:
            await self.keep(waiting)  # before anything else
            self.spool.put_back(waiting)
        elif waiting:
            self._drop_empty()
        self.current = None

    # --- at the end

    def put_last(self, waiting: Waiting | None) -> None:
        """The last batch; None: nothing has changed. No empty one is delivered any more."""
        self._lost_before = self.spool.counters.lost_reports
        if self.newest and not self.newest.batch.advertisements:
            self.newest = None
            self._drop_empty()
        if waiting:
            self._before_newest, self.newest = self.newest, waiting

    async def keep_all(self) -> None:
        """What is in hand goes to the spool, the oldest first."""
        todo = [w for w in (self.current, self._before_newest, self.newest) if w]
        self.current = self._before_newest = None
        try:
            async with asyncio.timeout(DISK_GRACE):
                while todo:
                    await self._set_aside(todo[0])
                    del todo[0]
        except TimeoutError:
            self._disk_hangs()
        for waiting in todo:
            if not waiting.kept and waiting is not self.newest:
                self._lose(waiting)

    def let_go(self) -> None:
        """Nothing is in hand any more. What is in no spool is lost."""
        for waiting in (self.current, self.newest, self._before_newest):
            if waiting and not waiting.kept:
                self._lose(waiting)
        self.current = self.newest = self._before_newest = None
        self.spool.put_back()

    async def close(self) -> None:
        """Nothing is delivered any more. Raises SpoolError if something could not be written."""
        in_hand = [w for w in (self.current, self._before_newest, self.newest) if w]
        try:
            async with asyncio.timeout(DISK_GRACE):
                for waiting in in_hand:  # perhaps the disk was only slow before
                    if waiting.batch.advertisements and not waiting.kept:
                        await self.spool.add(waiting)
                await self.spool.close()
        except TimeoutError:
            self._disk_hangs()
        self.let_go()
        (batches, reports), counters = self.spool.only_in_memory, self.spool.counters
        counters.lost += batches
        counters.lost_reports += reports
        counters.kept = self.spool.batches - batches
        counters.kept_reports = self.spool.reports - reports
        if counters.kept:
            log.warning("%s: kept for the next run: batches %d", self._name, counters.kept)
        if lost := counters.lost_reports - self._lost_before:
            log.error("%s: reports lost %d", self._name, lost)
            raise SpoolError(str(self.spool.path), "undelivered data could not be written")

    async def _set_aside(self, waiting: Waiting) -> None:
        if waiting.batch.advertisements:
            await self.keep(waiting)
        else:
            self._drop_empty()  # its time is over before it could be tried

    def _drop_empty(self) -> None:
        self.spool.counters.empty_failed += 1

    def _lose(self, waiting: Waiting) -> None:
        if waiting.batch.advertisements:
            self.spool.counters.lost += 1
            self.spool.counters.lost_reports += len(waiting.batch.advertisements)
        else:
            self._drop_empty()

    def _disk_hangs(self) -> None:
        log.error("%s: the disk does not answer", self._name)
