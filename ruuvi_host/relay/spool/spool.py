"""The one queue of a relay: batches that wait for their server, durable, bounded, the oldest leave.

This is the event loop's side: what is written and read goes to a thread of the spool's own, which
owns the file (spool_file.py), and the loop never waits for a disk. There is no thread and no file
until the first batch has to be kept.

A disk that is full or cannot be written is no reason to lose what a server may take in a minute:
such batches stay in memory, a bounded number of them, and are tried again with the next one.
"""

import asyncio
import logging
from bisect import insort
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ruuvi_host.clock import EARLIEST, Clock
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.errors import SpoolError
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.logs import Repeated
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.spool import jsonl, refused
from ruuvi_host.relay.spool.disk import Disk, DiskThread

if TYPE_CHECKING:  # imported when a spool is first needed: sqlite takes 2 MB
    from ruuvi_host.relay.spool.file import SpoolFile
    from ruuvi_host.relay.spool.reading import Row

log = logging.getLogger(__name__)

T = TypeVar("T")

MEMORY_REPORTS = 20_000
"""Reports in batches that could not be written: about 6 MB; half an hour of 100 sensors."""


@dataclass(eq=False, slots=True)
class Waiting:
    """A batch on its way to the server."""

    batch: Batch
    made: float
    """When it was cut: UTC, seconds, of a clock that does not jump (see Spool.now)."""
    order: int = 0
    """Among the batches of this run; they are sent in this order, whenever they got to the disk."""
    kept: bool = False
    """It is in the spool, and counted there."""
    seq: int | None = None
    """Its place on disk, from when it first got one."""
    on_disk: bool = False
    """As the disk's thread knows it."""


class Spool:
    """The spool of the target `name`, in `folder`. Used by one relay at a time.

    batches, reports: what is in it, on disk and in memory.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        settings: SpoolSettings,
        counters: RelayCounters,
        clock: Clock,
        disk: Callable[[str], Disk] = DiskThread,
    ) -> None:
        self.counters = counters
        self.settings = settings
        self.batches = 0
        self.reports = 0
        self.in_hand: set[Waiting] = set()
        """What the relay is about to send: it does not leave for others."""
        self._folder = folder
        self._name = name
        self._clock = clock
        self._make_disk = disk
        self._disk: Disk | None = None
        self._file: SpoolFile | None = None
        self._orders = count(1)
        self._base = -1
        """The last place on disk before this run's batches; the disk's thread knows it."""
        self._opened = False
        self._memory: list[Waiting] = []
        """Kept, and not on disk as far as the loop knows."""
        self._gone: set[Waiting] = set()
        """Those that left, and are not deleted yet."""
        self._trouble = Repeated(clock=clock.monotonic)
        self._offset: float | None = None

    @property
    def path(self) -> Path:
        return self._folder / f"{self._name}.spool"

    @property
    def only_in_memory(self) -> tuple[int, int]:
        """Batches and reports that the end of the process would cost."""
        return len(self._memory), sum(len(w.batch.advertisements) for w in self._memory)

    def now(self) -> float:
        """UTC, seconds, from when it was first asked: ages must not jump with the clock."""
        if self._offset is None:
            self._offset = self._clock.wall() - self._clock.monotonic()
        return self._offset + self._clock.monotonic()

    def new(self, batch: Batch) -> Waiting:
        """A batch that was cut now. It is not in the spool yet."""
        return Waiting(batch, self.now(), next(self._orders))

    async def open(self) -> None:
        """Look for what an earlier run left. Once; the other methods do it by themselves."""
        if self._opened:
            return
        self._opened = True
        if self.path.exists() or self._old_path.exists():
            await self._do(lambda file: None, lambda _: None)
            self.counters.from_previous_run += self.batches
            self.counters.from_previous_run_reports += self.reports

    async def add(self, waiting: Waiting) -> None:
        """Keep a batch, at its place. When this returns it is on disk, if that can be."""
        await self.open()
        if not waiting.kept:
            waiting.kept = True
            self.batches += 1
            self.reports += len(waiting.batch.advertisements)
            insort(self._memory, waiting, key=attrgetter("order"))
            self.counters.spooled += 1
        await self._write_memory()

    async def remove(self, waiting: Waiting) -> None:
        """Let go of a batch: delivered, or counted by whoever lets it go. It does not come back
        in this run even if the disk cannot be written."""
        waiting.kept = False
        self.in_hand.discard(waiting)
        self._left(1, len(waiting.batch.advertisements))
        if waiting in self._memory:
            self._memory.remove(waiting)
        self._gone.add(waiting)
        gone = set(self._gone)
        await self._do(
            lambda file: file.remove(_places(gone)),
            lambda _: self._gone.difference_update(gone),
        )

    async def shorten(self, waiting: Waiting, remaining: tuple[Advertisement, ...]) -> None:
        """Of a batch that was confirmed in parts, `remaining` is still to be delivered: at least
        one report. It keeps its nonce and its place, in the spool or not; the rest does not come
        back in this run even if the disk cannot be written."""
        done = len(waiting.batch.advertisements) - len(remaining)
        waiting.batch = replace(waiting.batch, advertisements=remaining)
        if not waiting.kept:
            return
        self._left(0, done)
        waiting.on_disk = False  # not as it is now
        if waiting not in self._memory:
            insort(self._memory, waiting, key=attrgetter("order"))
        await self._write_memory()

    async def oldest(self, window: float, nonce: Callable[[], int]) -> Waiting | None:
        """The batch that has waited longest and is not in hand; it is now. None: there is none.

        window: seconds; batches cut within it are made one, of the newest report of each sensor.
        It is a new batch then, with a nonce of its own.
        """
        await self.open()
        group: list[Row] = []
        # What is in memory may be on disk as it was before it was shortened.
        now, others = self.now(), self.in_hand | self._gone | set(self._memory)
        if self.batches > len(self._memory) or self.path.exists():
            await self._do(
                lambda file: file.oldest(now, window=window, held=_places(others)), group.extend
            )
        if group:
            first = Waiting(group[0].batch, group[0].made, 0, True, group[0].seq, True)
            if len(group) > 1:
                await self._merge(group, first, nonce())
        else:
            memory = next((w for w in self._memory if w not in self.in_hand), None)
            if memory is None:
                return None
            first = memory
        self.in_hand.add(first)
        return first

    async def postpone(self, waiting: Waiting) -> None:
        """Put a batch behind all others."""
        waiting.order = next(self._orders)
        self._memory.sort(key=attrgetter("order"))

        def work(file: "SpoolFile") -> None:
            if waiting.on_disk and waiting.seq is not None:
                later = self._base + waiting.order
                file.postpone(waiting.seq, later)
                waiting.seq = later

        await self._do(work, lambda _: None)

    async def keep_refused(self, batch: Batch, status: int | None, body: bytes) -> None:
        """Write a body that the server refused where a person can look at it."""
        folder, limit = self._folder / f"{self._name}.refused", self.settings.refused_bytes
        name = f"{batch.nonce}-{status or 'refused'}.json"

        def work() -> None:
            try:
                refused.keep(folder, name, body, limit)
            except OSError as error:
                log.warning("%s: cannot be written: %s", folder / name, error.strerror)

        await self._in_thread(work, lambda _, __: None)

    async def close(self) -> None:
        """All that was begun is done then. The spool can be used again."""
        if self._disk is None:
            return

        def work() -> None:
            if self._file is not None:  # it may be on the way of being opened only now
                self._file.close()

        await self._in_thread(work, lambda _, __: None)
        self._file = None
        self._disk.stop()
        self._disk = None

    # --- in the loop's thread

    @property
    def _old_path(self) -> Path:
        return self._folder / f"{self._name}.jsonl"

    async def _write_memory(self) -> None:
        """Write what is in memory only, in order."""
        if not self._memory:
            return
        todo, failures = list(self._memory), list[Exception]()
        in_hand = set(self.in_hand)

        def work(file: "SpoolFile") -> None:
            from ruuvi_host.relay.spool.trouble import DamagedError

            for waiting in todo:
                if waiting.kept and not waiting.on_disk:
                    held = _places(in_hand)
                    try:
                        if waiting.seq is None:
                            waiting.seq = self._base + waiting.order
                        file.add(waiting.seq, waiting.batch, waiting.made, held)
                        waiting.on_disk = True
                    except ValueError as error:  # a batch that no coprocessor can have sent
                        failures.append(error)
                    except DamagedError:
                        raise
                    except SpoolError as error:
                        failures.append(error)
                        break

        def written(_: None) -> None:
            self._memory = [waiting for waiting in self._memory if not waiting.on_disk]
            for error in failures:
                self._complain(error)

        await self._do(work, written)
        self._bound_memory()

    def _bound_memory(self) -> None:
        _, reports = self.only_in_memory
        for waiting in list(self._memory):
            if reports <= MEMORY_REPORTS:
                break
            if waiting not in self.in_hand:
                size = len(waiting.batch.advertisements)
                waiting.kept = False
                self._memory.remove(waiting)
                self._gone.add(waiting)  # should it be on its way to the disk
                reports -= size
                self._left(1, size)
                self.counters.overflowed += 1
                self.counters.overflowed_reports += size

    async def _merge(self, group: "list[Row]", first: Waiting, nonce: int) -> None:
        """Make one batch of several. If that cannot be written, `first` stays as it is."""
        newest = {a.address: a for row in group for a in row.batch.advertisements}
        batch = replace(first.batch, nonce=nonce, advertisements=tuple(newest.values()))
        merged = sum(len(row.batch.advertisements) for row in group) - len(newest)

        def counted(_: None) -> None:
            self.counters.merged += len(group) - 1
            self.counters.merged_reports += merged
            self._left(len(group) - 1, merged)
            first.batch = batch

        await self._do(lambda file: file.replace(group, batch), counted)

    def _left(self, batches: int, reports: int) -> None:
        self.batches -= batches
        self.reports -= reports

    def _complain(self, error: Exception) -> None:
        if times := self._trouble.due():
            log.error(
                "%s: %s%s; batches only in memory %d, lost because there was no room %d",
                *(self._name, error),
                f" ({times} times since the last message)" if times > 1 else "",
                *(len(self._memory), self.counters.overflowed),
            )

    async def _do(self, work: "Callable[[SpoolFile], T]", then: Callable[[T], None]) -> None:
        """Do `work` with the file, in its thread, and `then` here, even if nobody waits any more.

        A file that turns out to be damaged is set aside, and the work is done with a new one.
        """
        now, found_out = self.now(), _FoundOut()

        def in_thread() -> T:
            from ruuvi_host.relay.spool.trouble import DamagedError

            try:
                return work(self._open_file(now, found_out))
            except DamagedError as error:
                self._set_aside(error, now, found_out)
                return work(self._open_file(now, found_out))

        def finished(result: T | None, error: Exception | None) -> None:
            self._account(found_out)
            if error is None:
                then(result)  # type: ignore[arg-type]  # T may be None itself
            else:
                self._complain(error)

        await self._in_thread(in_thread, finished)

    def _account(self, found_out: "_FoundOut") -> None:
        """Take over into counters what has happened in the file."""
        self._left(-found_out.found[0], -found_out.found[1])
        for sentence in found_out.said:
            log.error("%s: %s", self._name, sentence)
        self._memory += [w for w in found_out.revived if w not in self._memory]
        self._memory.sort(key=attrgetter("order"))
        self._left(*found_out.vanished)
        self.counters.unreadable += found_out.vanished[0]
        self.counters.unreadable_reports += found_out.vanished[1]
        file = self._file
        if file is None:
            return
        dropped, counters = file.take_dropped(), self.counters
        for left in (dropped.full, dropped.aged, dropped.unreadable):
            self._left(len(left), sum(left))
        counters.overflowed += len(dropped.full)
        counters.overflowed_reports += sum(dropped.full)
        counters.aged_out += len(dropped.aged)
        counters.aged_out_reports += sum(dropped.aged)
        counters.unreadable += len(dropped.unreadable)
        counters.unreadable_reports += sum(dropped.unreadable)
        if file.was_full:
            file.was_full = False
            self._complain(SpoolError(str(self.path), "the disk is full, the oldest batches leave"))
        elif dropped.full:
            self._complain(SpoolError(str(self.path), "it is full, the oldest batches leave"))
        if dropped.aged:
            log.warning("%s: too old to be sent: batches %d", self._name, len(dropped.aged))
        if dropped.unreadable:
            log.error("%s: unreadable: batches %d", self._name, len(dropped.unreadable))

    async def _in_thread(
        self, work: Callable[[], T], then: Callable[[T | None, Exception | None], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def finished(result: T | None, error: Exception | None) -> None:
            fault = None
            if error is None or isinstance(error, SpoolError):
                then(result, error)
            else:
                fault = error
            if done.done():
                return
            if fault:
                done.set_exception(fault)
            else:
                done.set_result(None)

        def job() -> None:
            result, failure = None, None
            try:
                result = work()
            except Exception as error:  # handed to whoever waits, as every executor does
                failure = error
            with suppress(RuntimeError):  # the loop has ended, and the process does
                loop.call_soon_threadsafe(finished, result, failure)

        if self._disk is None:
            self._disk = self._make_disk(f"{self._name} spool")
        self._disk.submit(job)
        await done

    # --- in the disk's thread

    def _open_file(self, now: float, found_out: "_FoundOut") -> "SpoolFile":
        if self._file is not None:
            self._file.settings = self.settings  # they may have changed
            return self._file
        from ruuvi_host.relay.spool.file import SpoolFile
        from ruuvi_host.relay.spool.trouble import DamagedError

        try:
            file = SpoolFile.open(self.path, self.settings, now)
        except SpoolError as error:
            in_the_way = self.path.exists() and not self.path.is_file()
            if not isinstance(error, DamagedError) and not in_the_way:
                raise
            file = self._replace_file(error, now, (), found_out)
        try:
            self._take_over(file, now, found_out)
        except BaseException:
            file.abandon()
            raise
        if self._base < 0:
            self._base = file.last_seq
        found_out.found = file.batches, file.reports
        self._file = file
        return file

    def _take_over(self, file: "SpoolFile", now: float, found_out: "_FoundOut") -> None:
        """What an earlier version left undelivered. A crash in between costs nothing: what is
        here already is told by its nonce."""
        path = self._old_path
        if not path.exists():
            return
        from ruuvi_host.relay.spool.file import set_aside

        known, damaged = file.nonces(), 0
        try:
            for batch in jsonl.read(path):
                if batch is None:
                    damaged += 1
                elif batch.nonce not in known:
                    newest = max(a.timestamp for a in batch.advertisements)
                    made = newest if EARLIEST <= newest <= now else now
                    file.add(file.last_seq + 1, batch, made)
        except SpoolError as error:  # the rest comes over at the next start
            found_out.said.append(f"{path} cannot be taken over: {error}")
            return
        except (OSError, ValueError) as error:
            found_out.said.append(f"{path} cannot be read ({error}); {set_aside(path)[1]}")
            return
        if damaged:
            found_out.said.append(f"{path}: damaged lines {damaged}; {set_aside(path)[1]}")
        else:
            path.unlink(missing_ok=True)

    def _set_aside(self, error: Exception, now: float, found_out: "_FoundOut") -> None:
        """Go on with a new file in the place of one that turned out to be damaged."""
        alive = [w for w in self.in_hand | set(self._memory) if w.kept and w.on_disk]
        gone = [w for w in tuple(self._gone) if w.on_disk]
        had = 0, 0
        if (file := self._file) is not None:
            known = [len(w.batch.advertisements) for w in alive + gone]
            had = file.batches - len(known), file.reports - sum(known)
            file.abandon()
            self._file = None
        for waiting in alive + gone:
            waiting.on_disk = False
        found_out.revived = alive
        self._file = file = self._replace_file(error, now, _places(alive + gone), found_out)
        found_out.vanished = had[0] - file.batches, had[1] - file.reports

    def _replace_file(
        self, error: Exception, now: float, without: Collection[int], found_out: "_FoundOut"
    ) -> "SpoolFile":
        from ruuvi_host.relay.spool.file import SpoolFile, set_aside

        aside, sentence = set_aside(self.path)
        found_out.said.append(f"{error}; {sentence}")
        file = SpoolFile.open(self.path, self.settings, now)
        if aside and aside.is_file():
            try:
                file.salvage(aside, without)
            except BaseException:
                file.abandon()
                raise
            if file.batches:
                found_out.said.append(f"batches saved from {aside.name}: {file.batches}")
        return file


class _FoundOut:
    """What happened in the disk's thread, to be accounted for in the loop's."""

    def __init__(self) -> None:
        self.found = (0, 0)
        """Batches and reports in a file that was opened."""
        self.vanished = (0, 0)
        """The same, of one that was set aside; without what is still in memory."""
        self.revived: list[Waiting] = []
        """Those."""
        self.said: list[str] = []


def _places(waiting: Iterable[Waiting]) -> set[int]:
    return {w.seq for w in waiting if w.seq is not None}
