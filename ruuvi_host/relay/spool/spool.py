"""The one queue of a relay: batches that wait for their server, durable, bounded, the oldest leave.

This is the event loop's side. What is written and read goes to a thread of the spool's own as jobs
(jobs.py) for the worker there (worker.py), which owns the file; the loop never waits for a disk.
There is no thread and no file until the first batch has to be kept. All that is counted here is
counted when an answer comes, whether anybody still waits for it or not.

A disk that is full or cannot be written is no reason to lose what a server may take in a minute:
such batches stay in memory (unwritten.py), and are tried again with the next one. On a full disk
the order is: the ballast, then memory, and then the oldest leave the file.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

from ruuvi_host.clock import Clock
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.spool import refused
from ruuvi_host.relay.spool.contents import Contents
from ruuvi_host.relay.spool.disk import Disk, DiskExecutor, DiskThread
from ruuvi_host.relay.spool.jobs import Job, Merge, Move, Oldest, OpenFile, Remove, Write, failure
from ruuvi_host.relay.spool.spool_log import SpoolLog
from ruuvi_host.relay.spool.unwritten import Waiting
from ruuvi_host.relay.spool.values import Answer, Entry, Failure, JobContext
from ruuvi_host.relay.spool.worker import Worker

log = logging.getLogger(__name__)

T = TypeVar("T")


class Spool:
    """The spool of the target `name`, in `folder`. Used by one relay at a time."""

    def __init__(
        self,
        folder: Path,
        name: str,
        settings: SpoolSettings,
        counters: RelayCounters,
        clock: Clock,
        disk: Callable[[str], Disk] = DiskThread,
    ) -> None:
        self.path = folder / f"{name}.spool"
        self.settings = settings
        self.counters = counters
        self._now = _SteadyClock(clock)
        self._places = count(1)
        self._contents = Contents(counters)
        self._unwritten = self._contents.unwritten
        self._worker = Worker(self.path)
        """Only for the jobs of the disk."""
        self._executor = DiskExecutor(f"{name} spool", disk)
        self._log = SpoolLog(self.path, self._state, clock.monotonic)
        self._opened = False
        self._ahead: deque[Waiting] = deque()
        """Read with the oldest, and in hand."""
        self.failure: Failure | None = None
        """Why the last job that failed could not be done."""

    @property
    def batches(self) -> int:
        """In it, on disk and in memory."""
        return self._contents.batches

    @property
    def reports(self) -> int:
        """In those."""
        return self._contents.reports

    @property
    def in_hand(self) -> frozenset[Waiting]:
        """What the relay is about to send: it does not leave for others."""
        return frozenset(self._contents.in_hand)

    @property
    def unkept(self) -> Failure | None:
        """Why batches are only in memory; None: none is."""
        return self.failure if self._unwritten.counts[0] else None

    @property
    def only_in_memory(self) -> tuple[int, int]:
        """Batches and reports that the end of the process would cost."""
        return self._unwritten.counts

    # --- what the relay does

    def hold(self, waiting: Waiting) -> None:
        """It is in hand from now on."""
        self._contents.in_hand.add(waiting)

    def put_back(self, *waiting: Waiting) -> None:
        """It is in hand no more; without any: nothing is. So is what was read ahead: what is put
        back may come before it."""
        self._contents.in_hand.difference_update(waiting or self.in_hand, self._ahead)
        self._ahead.clear()

    def new(self, batch: Batch) -> Waiting:
        """A batch that was made now. It is not in the spool yet."""
        return Waiting(batch, self._now(), next(self._places))

    async def open(self) -> None:
        """OpenFile for what the previous run left. Once; the other methods do it by themselves."""
        if self._opened:
            return
        self._opened = True
        if self.path.exists() or self.path.with_suffix(".jsonl").exists():
            await self._do(OpenFile(), lambda _: None)

    async def add(self, waiting: Waiting) -> None:
        """Keep a batch, at its place. When this returns it is on disk, if that can be."""
        await self.open()
        if not waiting.kept:
            self._contents.enter(waiting)
        await self._write()

    async def remove(self, waiting: Waiting) -> None:
        """A batch was delivered, or is counted by the caller. It does not come back in this run
        even if the disk cannot be written."""
        await self.remove_all((waiting,))

    async def remove_all(self, batches: Iterable[Waiting]) -> None:
        """The same with several."""
        for waiting in batches:
            self._contents.leave(waiting)
        to_delete = frozenset(self._unwritten.to_delete)

        def removed(answer: Answer[bool]) -> None:
            if answer.result:
                self._unwritten.to_delete -= to_delete

        await self._do(Remove(to_delete), removed)

    async def shorten(self, waiting: Waiting, remaining: tuple[Advertisement, ...]) -> None:
        """Of a batch that was confirmed in parts, `remaining` is still to be delivered: at least
        one report. It keeps its nonce and its place, in the spool or not; the rest does not come
        back in this run even if the disk cannot be written."""
        done = waiting.reports - len(remaining)
        waiting.batch = replace(waiting.batch, advertisements=remaining)
        if waiting.kept:
            self._contents.shorten(waiting, done)
            await self._write()

    async def oldest(
        self, window: float, nonce: Callable[[], int], ahead: int = 1
    ) -> Waiting | None:
        """The batch that has waited longest and is not in hand; it is now. None: there is none.

        window: seconds; batches made within it are merged into a new one, with a nonce of its own
        and the newest report of each sensor. ahead: so many are read at a time, where there is no
        window.
        """
        await self.open()
        if self._ahead and not window:
            return self._ahead.popleft()
        group: list[Waiting] = []
        wanted = True

        def given(answer: Answer[tuple[Entry, ...]]) -> None:
            if wanted:
                group.extend(self._contents.taken(answer.result or ()))

        try:
            if self.batches > self.only_in_memory[0] or self.path.exists():
                held = self._contents.held() | self._unwritten.to_delete
                await self._do(Oldest(self._now(), window, held, ahead), given)
            if window and len(group) > 1:
                await self._merge(group, nonce())
        except BaseException:  # nobody waits for them any more
            wanted = False
            self._contents.in_hand.difference_update(group)
            raise
        if window:
            self._contents.in_hand.difference_update(group[1:])
        else:
            self._ahead.extend(group[1:])
        first = group[0] if group else self._unwritten.first(besides=self._contents.in_hand)
        if first:
            self.hold(first)
        return first

    async def postpone(self, waiting: Waiting) -> None:
        """Put a batch behind all others."""
        later = next(self._places)
        if self._unwritten.at(waiting.place) is waiting:
            self._unwritten.move(waiting, later)
            return
        waiting.later = later

        def moved(answer: Answer[bool]) -> None:
            waiting.later = None
            if self._unwritten.at(waiting.place) is waiting:  # the file was lost meanwhile
                self._unwritten.move(waiting, later)
            elif answer.result:
                waiting.place = later

        await self._do(Move(waiting.place, later), moved)

    async def keep_refused(self, batch: Batch, status: int | None, body: bytes) -> None:
        """Write a body that the server refused where a person can look at it."""
        folder, limit = self.path.with_suffix(".refused"), self.settings.refused_bytes
        name = f"{batch.nonce}-{status or 'refused'}.json"

        def told(failure: str | None) -> None:
            if failure:
                log.warning("%s: cannot be written: %s", folder / name, failure)

        await self._executor.run(partial(refused.keep, folder, name, body, limit), told)

    async def close(self) -> None:
        """All that was begun is done then. The spool can be used again."""
        if not self._executor.is_idle:
            await self._executor.run(self._worker.close, lambda _: None)
            self._executor.stop()

    # --- jobs, and what is made of their answers

    async def _do(self, job: Job[T], then: Callable[[Answer[T]], None]) -> None:
        context = JobContext(self._now(), self.settings, frozenset(self._unwritten.to_delete))

        def answered(answer: Answer[T]) -> None:
            for event in answer.events:
                self._contents.apply(event)
            self._log.report(answer.events, answer.error)
            if answer.error:
                self.failure = failure(answer.error)
            then(answer)

        await self._executor.run(partial(self._worker.do, job, context), answered)

    async def _write(self) -> None:
        """Write what is in memory only, in order."""
        if self.only_in_memory[0]:
            # If all of it is under way already, this waits until that is done.
            await self._write_these(self._unwritten.start_writing(), oldest_leave=False)
        if too_many := self._unwritten.overflow():
            entries = self._unwritten.start_writing(too_many)
            await self._write_these(entries, oldest_leave=True)

    async def _write_these(self, entries: tuple[Entry, ...], *, oldest_leave: bool) -> None:
        def answered(answer: Answer[tuple[Failure, ...]]) -> None:
            self._unwritten.finish_writing(entries)
            for each in answer.result or ():
                self.failure = each
                self._log.trouble(each.sentence)
            if oldest_leave:
                self._contents.bound_memory()

        await self._do(Write(entries, self._contents.held(), oldest_leave), answered)

    async def _merge(self, group: list[Waiting], nonce: int) -> None:
        """Make one batch of several. If that cannot be written, they stay as they are."""
        first, *others = group
        newest = {a.address: a for w in group for a in w.batch.advertisements}
        batch = replace(first.batch, nonce=nonce, advertisements=tuple(newest.values()))
        merged = Entry(first.place, first.made, batch)

        def answered(answer: Answer[bool]) -> None:
            if answer.result:
                self._contents.merged(first, others, merged)

        await self._do(Merge(tuple(waiting.place for waiting in group), merged), answered)

    def _state(self) -> str:
        return (
            f"batches only in memory {self.only_in_memory[0]}, "
            f"lost because there was no room {self.counters.overflowed}"
        )


class _SteadyClock:
    """UTC, seconds, from when it was first asked: ages must not jump with the clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset: float | None = None

    def __call__(self) -> float:
        if self._offset is None:
            self._offset = self._clock.wall() - self._clock.monotonic()
        return self._offset + self._clock.monotonic()
