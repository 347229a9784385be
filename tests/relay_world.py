"""A relay in a world where time jumps: its sink is played from a script, its spool is a real file.

`jump_through` runs a coroutine in a loop that does not wait, but jumps to its next timer.
"""

import asyncio
import logging
import selectors
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from spooled import rows

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.model import Profile
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch, Batcher
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.gateway_json import BodyFacts, body_slices
from ruuvi_host.relay.gateway_relay import GatewayRelay
from ruuvi_host.relay.pauses import Pacing
from ruuvi_host.relay.relay import HostRelay
from ruuvi_host.relay.sink import Outcome, Verdict
from ruuvi_host.relay.source import BatchSource, Nonces
from ruuvi_host.relay.spool.disk import Disk
from ruuvi_host.relay.spool.spool import Spool

T = TypeVar("T")

GATEWAY = DeviceId(bytes(range(8)), bytes(6))
START = 1_800_000_000
"""Wall seconds at the beginning."""

ACCEPTED = Outcome(Verdict.ACCEPTED)
LATER = Outcome(Verdict.LATER, "status 503")
REFUSED = Outcome(Verdict.REFUSED, "status 400")


# -- a loop that does not wait: it jumps to the time of its next timer ----------------------------


class JumpingSelector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing will ever happen again"
        self.now += max(timeout, 0.0)
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


MEMORY = Path("/dev/shm")
"""Hundreds of spools are made here; a real disk would take a minute to sync them."""
FOLDERS: list[TemporaryDirectory[str]] = []
"""Of the spools of this test."""
SPOOLS: list[Spool] = []
"""Those, to be closed: a relay that was only cancelled leaves its spool open for a successor."""


def jump_through(main: Coroutine[Any, Any, T]) -> T:
    async def and_close() -> T:
        try:
            return await main
        finally:
            while SPOOLS:
                await SPOOLS.pop().close()

    try:
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            return runner.run(and_close())
    finally:
        while FOLDERS:
            FOLDERS.pop().cleanup()


def now() -> float:
    return round(asyncio.get_running_loop().time(), 6)


class LoopClock:
    """A ruuvi_host.clock.Clock that shows the time of the loop."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return START + self.monotonic()

    def uptime(self) -> float:
        return 0.0

    def synchronised(self) -> bool:
        return True


class AtOnce:
    """A Disk of the spool that blocks the loop: its time must not jump meanwhile."""

    def __init__(self, name: str) -> None:
        self.name = name

    def submit(self, job: Callable[[], None]) -> None:
        job()

    def stop(self) -> None:
        pass


# -- the world of a relay -------------------------------------------------------------------------


@dataclass
class Post:
    time: float
    nonce: int
    timestamp: int
    tags: list[int]


Answer = Callable[[Batch], Outcome]


def in_parts(batch: Batch) -> Outcome:
    """Every second report is accepted, then one refused; the rest is kept."""
    reports = batch.advertisements
    if len(reports) < 2:
        return LATER
    remaining, refused = reports[1::2], len(reports) > 2
    return Outcome(Verdict.LATER, "answered in parts", remaining=remaining, refused=refused)


def all_but_one(batch: Batch) -> Outcome:
    """Accepted, but for one report that is refused."""
    return Outcome(Verdict.ACCEPTED, "status 400", refused=bool(batch.advertisements))


@dataclass
class ScriptedSink:
    """Answers from `script`, each time after `takes` seconds. An answer may depend on the batch."""

    script: Iterator[Outcome | Answer]
    takes: Iterator[float] = field(default_factory=lambda: repeat(0.0))
    posts: list[Post] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    closed: bool = False

    async def run(self) -> None:
        pass

    async def deliver(self, batch: Batch, utc: float) -> Outcome:
        assert batch.gateway == GATEWAY
        tags = [int.from_bytes(a.address, "big") for a in batch.advertisements]
        self.posts.append(Post(now(), batch.nonce, int(utc), tags))
        await asyncio.sleep(next(self.takes))
        outcome = next(self.script)
        if not isinstance(outcome, Outcome):
            outcome = outcome(batch)
        _, refused, remaining = outcome.fates(batch)
        left = {int.from_bytes(a.address, "big") for a in remaining}
        ended = [tag for tag in tags if tag not in left]
        self.refused += ended[:refused]
        self.accepted += ended[refused:]
        if refused:
            body = b"".join(body_slices(batch, BodyFacts(), int(utc)))
            return replace(outcome, body=body)
        return outcome

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        self.closed = True

    @property
    def times(self) -> list[float]:
        return [post.time for post in self.posts]

    @property
    def tags(self) -> list[list[int]]:
        return [post.tags for post in self.posts]


class World:
    """A relay with all it needs. Made inside the loop."""

    def __init__(
        self,
        script: Iterable[Outcome | Answer],
        *,
        takes: Iterable[float] = repeat(0.0),
        period: float = 10.0,
        pace: float = 0.05,
        window: float = 0.0,
        in_order: bool = False,
        pacing: Pacing | None = None,
        profile: Profile = Profile.HOST,
        settings: SpoolSettings | None = None,
        folder: Path | None = None,
        ready: asyncio.Event | None = None,
        disk: Callable[[str], Disk] = AtOnce,
    ) -> None:
        if folder is None:
            FOLDERS.append(TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None))
            folder = Path(FOLDERS[-1].name)
        self.folder = folder
        self.table = AdvertisementTable(max_sensors=10_000)
        self.sink = ScriptedSink(iter(script), iter(takes))
        clock = LoopClock()
        self.counters = RelayCounters()
        self.spool = Spool(
            self.folder, "custom", settings or SpoolSettings(), self.counters, clock, disk
        )
        if disk is AtOnce:  # another one may never come back
            SPOOLS.append(self.spool)
        self._more = profile, pacing or Pacing(pace, window, in_order), ready, period
        self.relay = self.successor()

    def successor(self, other: Profile | None = None) -> HostRelay | GatewayRelay:
        """A relay with the same table, sink and spool. other: a profile other than before."""
        profile, pacing, ready, period = self._more
        clock = LoopClock()
        batcher = Batcher(self.table.queue(), period, clock.monotonic())
        source = BatchSource(batcher, lambda: GATEWAY, Nonces(), self.spool, clock, ready=ready)
        make = GatewayRelay if (other or profile) is Profile.GATEWAY else HostRelay
        return make("custom", self.sink, source, self.spool, clock, pacing)

    def hear(self, address: int, data: bytes = b"\x01") -> None:
        raw = address.to_bytes(6, "big")
        timestamp = int(LoopClock().wall())
        self.table.put([Advertisement(raw, data, -60, 1, 15, 37, None, now(), timestamp)])

    def hear_each(self, seconds: float, count: int) -> None:
        """A report of sensor 0 at once, then one of another just before each interval ends."""
        loop = asyncio.get_running_loop()
        self.hear(0)
        for n in range(1, count):
            loop.call_at((n - 0.05) * seconds, self.hear, n)

    async def run(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.relay.run()


def log_of(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= level]


def left(world: World) -> list[list[int]]:
    """The sensors of each batch in the spool, in order."""
    if not world.spool.path.exists():
        return []
    return [
        [int.from_bytes(a.address, "big") for a in row.batch.advertisements]
        for row in rows(world.spool.path)
    ]


def accounted_for(world: World) -> None:
    """Every batch, and every report, that was cut has ended or waits."""
    c = world.counters
    batches, reports = world.relay.waiting
    assert c.batches + c.from_previous_run - c.unreadable - c.lost == batches + sum(
        (c.accepted, c.empty_failed, c.refused, c.overflowed, c.aged_out, c.merged)
    )
    gone = c.overflowed_reports + c.aged_out_reports + c.merged_reports + c.unreadable_reports
    answered = c.accepted_reports + c.refused_reports
    begun = c.batch_reports + c.from_previous_run_reports
    assert begun == reports + answered + gone + c.lost_reports
