"""The two sides of a spool: the disk works late, fails, loses its file, and those who wait are
cancelled.

Whatever happens in whatever order, each batch and each report is in one place at each moment; and
when the disk has caught up, what is counted is what is on the disk.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from conftest import ManualClock
from full_disk import nothing_can_be_written
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st
from spooled import rows

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.spool.spool import Spool
from ruuvi_host.relay.spool.unwritten import Waiting

GATEWAY = DeviceId(bytes(range(8)), bytes(6))
MEMORY = Path("/dev/shm")
BOUND = 600_000
"""Room for a few batches."""
PHASES = set(Phase) - {Phase.explain}
"""It takes minutes to explain a failure of so many steps."""


class LateDisk:
    """A ruuvi_host.relay.spool.disk.Disk that does its jobs when the test says so."""

    def __init__(self) -> None:
        self.jobs: deque[Callable[[], None]] = deque()

    def __call__(self, name: str) -> "LateDisk":
        return self

    def submit(self, job: Callable[[], None]) -> None:
        self.jobs.append(job)

    def stop(self) -> None:
        pass

    def work(self, number: int, *, can_write: bool = True) -> None:
        for _ in range(min(number, len(self.jobs))):
            if can_write:
                self.jobs.popleft()()
            else:
                with nothing_can_be_written():
                    self.jobs.popleft()()


class World:
    """A spool; what its relay has in hand, and what it has counted itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(1_800_000_000)
        self.disk = LateDisk()
        self.counters = RelayCounters()
        self.spool = self.make()
        self.adding: list[asyncio.Task[None]] = []
        self.draining: asyncio.Task[None] | None = None
        self.in_hand: list[Waiting] = []
        self.nonce = 0
        self.entered = self.delivered = 0
        """Reports; batches are counted by the counters, and below."""
        self.removed = 0
        self.times = dict.fromkeys(("cancelled", "failed", "damaged"), 0)

    def make(self) -> Spool:
        bounds = SpoolSettings(max_bytes=BOUND, max_age=300.0, ballast=0)
        return Spool(self.folder, "custom", bounds, self.counters, self.clock, self.disk)

    def next_nonce(self) -> int:
        self.nonce += 1
        return self.nonce

    def batch(self, sensors: int) -> Batch:
        nonce = self.next_nonce()
        data = Random(nonce)  # cannot be compressed
        return Batch(
            nonce,
            GATEWAY,
            tuple(
                Advertisement(
                    *(n.to_bytes(6, "big"), data.randbytes(200), -60, 1, 15, 37, None, 0.0),
                    nonce,
                )
                for n in range(sensors)
            ),
        )

    # -- what a relay does: one fills, one drains

    def add(self, number: int) -> None:
        waiting = self.spool.new(self.batch(1 + number % 60))
        self.adding.append(asyncio.ensure_future(self.enter(waiting)))

    async def enter(self, waiting: Waiting) -> None:
        self.entered += len(waiting.batch.advertisements)
        await self.spool.add(waiting)

    def drain(self, step: Coroutine[Any, Any, None]) -> None:
        if self.draining and not self.draining.done():
            step.close()  # it does one thing after the other
        else:
            self.draining = asyncio.ensure_future(step)

    def take(self, number: int) -> None:
        self.drain(self.oldest(50.0 if number % 2 else 0.0))

    async def oldest(self, window: float) -> None:
        if waiting := await self.spool.oldest(window, self.next_nonce):
            assert waiting.kept
            self.in_hand.append(waiting)

    def deliver(self, number: int) -> None:
        self.drain(self.remove(number))

    async def remove(self, number: int) -> None:
        if self.in_hand:
            waiting = self.in_hand.pop(number % len(self.in_hand))
            self.delivered += len(waiting.batch.advertisements)
            self.removed += 1
            await self.spool.remove(waiting)

    def confirm_in_parts(self, number: int) -> None:
        self.drain(self.shorten(number))

    async def shorten(self, number: int) -> None:
        if self.in_hand:
            waiting = self.in_hand[number % len(self.in_hand)]
            remaining = waiting.batch.advertisements[::2]
            self.delivered += len(waiting.batch.advertisements) - len(remaining)
            await self.spool.shorten(waiting, remaining)

    def fail(self, number: int) -> None:
        self.drain(self.keep(number))

    async def keep(self, number: int) -> None:
        if self.in_hand:
            waiting = self.in_hand.pop(number % len(self.in_hand))
            try:
                await self.spool.add(waiting)
            finally:
                self.spool.put_back(waiting)

    def let_others_pass(self, number: int) -> None:
        self.drain(self.postpone(number))

    async def postpone(self, number: int) -> None:
        if self.in_hand:
            await self.spool.postpone(self.in_hand[number % len(self.in_hand)])

    # -- what befalls it

    def work(self, number: int) -> None:
        self.disk.work(number % 4)

    def work_in_vain(self, number: int) -> None:
        self.times["failed"] += 1
        self.disk.work(number % 4, can_write=False)

    def damage(self, number: int) -> None:
        path = self.spool.path
        if path.exists() and (size := path.stat().st_size) > 8192:
            self.times["damaged"] += 1
            with open(path, "r+b") as file:
                file.seek(4096 * (1 + number % 4))
                file.write(b"\x55" * size)

    def cancel(self, number: int) -> None:
        tasks = [t for t in (*self.adding, self.draining) if t and not t.done()]
        if tasks:
            self.times["cancelled"] += tasks[number % len(tasks)].cancel()

    def wait(self, number: int) -> None:
        self.clock.advance(number)

    def close(self, number: int) -> None:
        self.adding.append(asyncio.ensure_future(self.spool.close()))

    # -- what must be so

    def check(self) -> None:
        spool, counters = self.spool, self.counters
        ends = (counters.overflowed, counters.aged_out, counters.unreadable, counters.merged)
        came = counters.spooled + counters.from_previous_run
        assert came == spool.batches + self.removed + sum(ends)
        reports = (
            *(counters.overflowed_reports, counters.aged_out_reports),
            *(counters.unreadable_reports, counters.merged_reports),
        )
        entered = self.entered + counters.from_previous_run_reports
        assert entered == spool.reports + self.delivered + sum(reports)
        assert spool.only_in_memory[0] <= spool.batches
        assert spool.only_in_memory[1] <= spool.reports

    async def another_run(self, batches: int) -> None:
        """One that leaves so many batches, and then this one."""
        for number in range(batches):
            self.add(number)
        self.close(0)
        await self.settle()
        self.entered = self.counters.spooled = 0
        self.spool = self.make()
        opening = asyncio.ensure_future(self.spool.open())
        await self.settle()
        assert opening.done()
        assert self.spool.batches == self.counters.from_previous_run == batches

    async def settle(self) -> None:
        """All that was begun is done."""
        while True:
            for _ in range(5):
                await asyncio.sleep(0)
            if not self.disk.jobs:
                break
            self.disk.work(1)
        assert all(task.done() for task in self.adding)
        for task in self.adding:
            assert task.cancelled() or task.exception() is None

    async def compare(self) -> None:
        """What is counted is what is on disk, when it can be written again."""
        await self.settle()
        self.spool.put_back()
        self.in_hand.clear()
        self.add(1)
        await self.settle()
        self.take(0)
        await self.settle()
        self.deliver(0)
        await self.settle()
        self.check()
        spool = self.spool
        assert spool.in_hand == set()
        assert spool.only_in_memory == (0, 0)
        if not self.times["damaged"]:  # else nobody may have noticed yet
            found = [row.batch for row in rows(spool.path)] if spool.path.exists() else []
            assert spool.batches == len(found) == len({b.nonce for b in found})
            assert spool.reports == sum(len(b.advertisements) for b in found)
        before = spool.batches
        while spool.batches:
            self.take(1)
            await self.settle()
            assert self.in_hand or not spool.batches
            self.deliver(0)
            await self.settle()
            self.check()
        assert spool.reports == 0
        event(f"left at the end: {before > 0}")
        self.close(0)
        await self.settle()
        assert not spool.path.exists()


steps = (
    *("add", "add", "take", "take", "deliver", "confirm in parts", "fail"),
    "let others pass",
    *("work", "work", "work"),
)
faults = ("work in vain", "work in vain", "damage", "cancel", "cancel", "wait", "close")
events = st.tuples(
    st.sampled_from([*steps, *steps, *faults]), st.integers(0, 200), st.integers(0, 3)
)


@settings(max_examples=150, phases=PHASES)
@given(st.integers(0, 9), st.lists(events, min_size=10, max_size=100))
def test_any_order_of_events(before: int, sequence: list[tuple[str, int, int]]) -> None:
    async def main(folder: Path) -> None:
        world = World(folder)
        await world.another_run(before)
        for what, number, turns in sequence:
            getattr(world, what.replace(" ", "_"))(number)
            for _ in range(turns):
                await asyncio.sleep(0)
            world.check()
        await world.compare()
        for what, times in world.times.items():
            event(f"{what}: {times > 0}")
        for name in ("merged", "overflowed", "aged_out", "unreadable"):
            event(f"{name}: {getattr(world.counters, name) > 0}")

    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        asyncio.run(main(Path(folder)))
