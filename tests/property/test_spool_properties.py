"""The spool under any sequence of events, over a real file, against a list in memory.

Order is kept, the bound is kept, each report is conserved, and a crash loses nothing that was
kept.
"""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from conftest import ManualClock
from hypothesis import event, given, settings
from hypothesis import strategies as st

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.spool.schema import LOG_ROOM
from ruuvi_host.relay.spool.spool import Spool
from ruuvi_host.relay.spool.unwritten import Waiting

GATEWAY = DeviceId(bytes(range(8)), bytes(6))
MEMORY = Path("/dev/shm")
BOUND = 700_000
MAX_AGE = 1000.0


class AtOnce:
    """A ruuvi_host.relay.spool.spool.Disk without a thread."""

    def __init__(self, name: str) -> None:
        self.name = name

    def submit(self, job: Callable[[], None]) -> None:
        job()

    def stop(self) -> None:
        pass


def batch(nonce: int, sensors: int, size: int) -> Batch:
    """Its data cannot be compressed, and tells the batch."""
    data = Random(nonce).randbytes(sensors * (size + 1))
    return Batch(
        nonce,
        GATEWAY,
        tuple(
            Advertisement(
                n.to_bytes(6, "big"),
                data[n * (size + 1) : (n + 1) * (size + 1)],
                *(-60, 1, 15, 37, None, 0.0, 1_800_000_000),
            )
            for n in range(sensors)
        ),
    )


events = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 120), st.integers(0, 200)),
    st.tuples(st.just("add"), st.integers(60, 120), st.integers(100, 200)),
    st.tuples(st.just("add late"), st.integers(1, 120), st.integers(0, 200)),
    st.tuples(st.just("deliver"), st.integers(1, 5), st.just(0)),
    st.tuples(st.just("fail"), st.just(0), st.just(0)),
    st.tuples(st.just("crash"), st.just(0), st.just(0)),
    st.tuples(st.just("stop"), st.just(0), st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 800), st.just(0)),
)


class World:
    """A spool, and what ought to be in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(1_800_000_000)
        self.lives = 0
        self.dropped = 0
        self.next_nonce = 0
        self.model: list[Batch] = []
        self.counters = RelayCounters()
        self.spool = self.make()

    def make(self) -> Spool:
        bounds = SpoolSettings(max_bytes=BOUND, max_age=MAX_AGE)
        return Spool(self.folder, "custom", bounds, self.counters, self.clock, AtOnce)

    def new(self, sensors: int, size: int) -> Waiting:
        self.next_nonce += 1
        return self.spool.new(batch(self.next_nonce, sensors, size))

    async def event(self, what: str, number: int, size: int) -> None:
        await getattr(self, what.replace(" ", "_"))(number, size)
        for end, bound in (("", BOUND - LOG_ROOM), ("-wal", LOG_ROOM)):
            file = self.folder / f"custom.spool{end}"
            assert not file.exists() or file.stat().st_size <= bound

    async def add(self, sensors: int, size: int) -> None:
        waiting = self.new(sensors, size)
        await self.spool.add(waiting)
        self.model.append(waiting.batch)

    async def add_late(self, sensors: int, size: int) -> None:
        """It is cut first, and gets to the disk after the next one."""
        first, second = self.new(sensors, size), self.new(1, 1)
        await self.spool.add(second)
        await self.spool.add(first)
        self.model += [first.batch, second.batch]

    async def deliver(self, number: int, _: int) -> None:
        for _ in range(number):
            waiting = await self.spool.oldest(0.0, int)
            self.drop_as_counted()
            if waiting is None:
                assert self.model == []
                return
            assert waiting.batch == self.model.pop(0), "the oldest first"
            await self.spool.remove(waiting)

    async def fail(self, *_: int) -> None:
        waiting = await self.spool.oldest(0.0, int)
        self.drop_as_counted()
        if waiting:
            assert waiting.batch == self.model[0]
            await self.spool.add(waiting)
            self.spool.put_back(waiting)

    async def wait(self, seconds: int, _: int) -> None:
        self.clock.advance(seconds)

    async def stop(self, *_: int) -> None:
        await self.spool.close()
        self.spool = self.make()
        await self.spool.open()

    async def crash(self, *_: int) -> None:
        """Another process finds what lies on the disk, log and all; this one is no more."""
        self.lives += 1
        copy = self.folder.with_name(f"life{self.lives}")
        shutil.copytree(self.folder, copy)
        await self.spool.close()
        self.folder = copy
        self.spool = self.make()
        await self.spool.open()

    def drop_as_counted(self) -> None:
        """The oldest may have left, but only as many as were counted."""
        gone = self.counters.overflowed + self.counters.aged_out
        assert self.counters.unreadable == self.counters.merged == self.counters.lost == 0
        while self.dropped < gone:
            self.model.pop(0)
            self.dropped += 1


@settings(max_examples=60)
@given(st.lists(events, min_size=10, max_size=60))
def test_any_sequence_of_events(sequence: list[tuple[str, int, int]]) -> None:
    async def main(folder: Path) -> None:
        world = World(folder)
        await world.spool.open()
        for what, number, size in sequence:
            await world.event(what, number, size)
            world.drop_as_counted()
            assert world.spool.batches == len(world.model)
            assert world.spool.reports == sum(len(b.advertisements) for b in world.model)
        event(f"overflowed: {world.counters.overflowed > 0}")
        event(f"aged out: {world.counters.aged_out > 0}")
        await world.deliver(10_000, 0)
        await world.spool.close()

    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as temporary:
        folder = Path(temporary) / "life0"
        folder.mkdir()
        asyncio.run(main(folder))
