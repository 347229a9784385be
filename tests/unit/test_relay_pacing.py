"""The relay's manners: profile gateway, Ruuvi Cloud, write-ahead, readiness, and its successor."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, pairwise, repeat
from pathlib import Path

import pytest
from relay_world import (
    ACCEPTED,
    GATEWAY,
    LATER,
    START,
    AtOnce,
    LoopClock,
    World,
    accounted_for,
    jump_through,
    left,
    now,
)

from ruuvi_host.config.model import Profile
from ruuvi_host.config.spool import SpoolSettings, Sync
from ruuvi_host.errors import SpoolError
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch, Gatherer
from ruuvi_host.relay.outbox import Outbox
from ruuvi_host.relay.pauses import Pacing
from ruuvi_host.relay.relay import HostRelay
from ruuvi_host.relay.sink import Outcome, Verdict
from ruuvi_host.relay.source import BatchSource, Nonces

# -- profile gateway ------------------------------------------------------------------------------


def test_the_gateway_loses_what_failed_and_waits_67_seconds() -> None:
    async def main() -> None:
        world = World(chain([ACCEPTED, LATER, LATER], repeat(ACCEPTED)), profile=Profile.GATEWAY)
        world.hear_each(10, 20)
        await world.run(180)
        # After a failure 67 s from the last batch, after the next success the usual period.
        assert world.sink.times == [0, 10, 77, 144, 154, 164, 174]
        assert world.sink.tags[:3] == [[0], [1], [2, 3, 4, 5, 6, 7]]
        assert world.counters.lost == 2
        assert world.counters.lost_reports == 7
        assert list(world.folder.iterdir()) == []
        accounted_for(world)

    jump_through(main())


def test_a_interval_during_its_own_post_is_lost_on_the_gateway() -> None:
    async def main() -> None:
        takes = chain([25.0], repeat(0.0))
        world = World(repeat(ACCEPTED), takes=takes, profile=Profile.GATEWAY)
        world.hear_each(10, 4)
        await world.run(35)
        assert [(post.time, post.tags) for post in world.sink.posts] == [(0, [0]), (30, [1, 2, 3])]

    jump_through(main())


def test_a_failure_that_takes_long_counts_from_the_last_interval() -> None:
    async def main() -> None:
        script, takes = chain([LATER], repeat(ACCEPTED)), chain([15.0], repeat(0.0))
        world = World(script, takes=takes, profile=Profile.GATEWAY)
        await world.run(100)
        assert world.sink.times[:2] == [0, 77]  # the batch at 10 was the last one

    jump_through(main())


def test_a_post_that_was_not_begun_changes_neither_timer_nor_nonce() -> None:
    async def main() -> None:
        missing = Outcome(Verdict.FIX, "no such file", begun=False)
        world = World(chain([missing, missing], repeat(ACCEPTED)), profile=Profile.GATEWAY)
        world.hear(1)
        await world.run(35)
        assert world.sink.times == [0, 10, 20, 30]
        nonces = [post.nonce for post in world.sink.posts]
        assert nonces[0] == nonces[1] == nonces[2] == nonces[3] - 1
        assert world.counters.attempts == 2
        assert world.counters.lost_reports == 1

    jump_through(main())


def test_the_rate_takes_effect_with_a_success_on_the_gateway() -> None:
    async def main() -> None:
        slower = Outcome(Verdict.LATER, "status 429", period=20)
        world = World(chain([slower], repeat(ACCEPTED)), profile=Profile.GATEWAY)
        await world.run(110)
        assert world.sink.times == [0, 67, 87, 107]

    jump_through(main())


# -- Ruuvi Cloud ----------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [10.0, 20.0, 60.0])
def test_the_cloud_gets_a_backlog_slowly_and_merged(period: float) -> None:
    async def main() -> None:
        world = World(repeat(LATER), period=period, pace=15.0, window=55.0)
        loop = asyncio.get_running_loop()
        for second in range(0, 6000, 5):
            loop.call_at(second + 0.5, world.hear, 1, second.to_bytes(2, "big"))
        await world.run(1800)
        waiting = world.relay.waiting[0]
        assert waiting > 1700 / period - 2
        del world.sink.posts[:]
        world.sink.script = repeat(ACCEPTED)
        await world.relay.retire()
        world.relay = world.successor()
        await world.run(3005)
        gaps = [b - a for a, b in pairwise(world.sink.times)]
        # Only where the server's own interval is shorter can a post come sooner.
        assert min(gaps) >= min(15.0, period) - 1e-6
        assert world.relay.waiting[0] <= 1, "it is through"
        backlog = [post for post in world.sink.posts if post.tags and post.time < 2400]
        assert backlog
        if period < 55:
            assert world.counters.merged > 0
        accounted_for(world)

    jump_through(main())


@pytest.mark.parametrize("in_order", [False, True])
def test_the_newest_batch_waits_for_the_backlog_where_the_order_counts(in_order: bool) -> None:
    async def main() -> None:
        world = World(chain([LATER] * 4, repeat(ACCEPTED)), in_order=in_order, pace=0.0)
        world.hear_each(10, 40)
        await world.run(395)
        accepted = world.sink.accepted
        assert sorted(accepted) == list(range(len(accepted)))
        assert len(accepted) > 10
        assert (accepted == sorted(accepted)) is in_order
        accounted_for(world)

    jump_through(main())


def test_a_live_batch_is_not_late_for_a_backlog() -> None:
    async def main() -> None:
        world = World(chain(repeat(LATER, 3), repeat(ACCEPTED)), period=60.0, pace=15.0)
        world.hear_each(60, 20)
        await world.run(1200)
        live = [post for post in world.sink.posts if post.time % 60 == 0]
        assert len(live) >= 6
        assert sorted(world.sink.accepted) == list(range(20))

    jump_through(main())


# -- write-ahead ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sync", Sync)
def test_what_is_on_disk_during_the_first_attempt(sync: Sync) -> None:
    async def main() -> None:
        world = World(repeat(ACCEPTED), takes=repeat(5.0), settings=SpoolSettings(sync=sync))
        world.hear(1)
        await world.run(2.5)
        assert world.sink.tags == [[1]]
        assert left(world) == ([[1]] if sync is Sync.ALWAYS else [])
        assert world.relay.waiting == (1, 1)
        await world.relay.finish(10)
        assert world.counters.accepted_reports == 1
        assert left(world) == []

    jump_through(main())


def test_what_fails_is_on_disk_before_the_pause() -> None:
    async def main() -> None:
        world = World(repeat(LATER))
        world.hear(1)
        await world.run(0.5)
        assert len(world.sink.posts) == 1
        assert left(world) == [[1]]

    jump_through(main())


def test_what_is_cut_during_an_attempt_is_on_disk_at_once() -> None:
    async def main() -> None:
        world = World(repeat(ACCEPTED), takes=repeat(100.0))
        world.hear_each(10, 4)
        await world.run(35)
        # Not the one under way, which is in memory.
        assert left(world) == [[1], [2], [3]]
        await world.relay.finish(0.1)
        assert left(world) == [[0], [1], [2], [3]]
        accounted_for_at_the_end(world)

    jump_through(main())


def accounted_for_at_the_end(world: World) -> None:
    c = world.counters
    assert c.batches == c.accepted + c.empty_failed + c.kept + c.lost


class Hanging(AtOnce):
    """A disk that does not come back."""

    def submit(self, job: Callable[[], None]) -> None:
        pass


def test_a_disk_that_hangs_does_not_hold_up_the_end(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        world = World(repeat(LATER), disk=Hanging)
        world.hear(1)
        await world.run(25)
        world.hear(2)
        began = now()
        with pytest.raises(SpoolError, match="undelivered data could not be written"):
            await world.relay.finish(3)
        assert now() - began <= 4.5
        assert world.counters.lost_reports == 2

    jump_through(main())
    assert "the disk does not answer" in caplog.text


class SlowAtFirst(AtOnce):
    """A disk whose first job takes longer than the end waits for it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._free = 0.0

    def submit(self, job: Callable[[], None]) -> None:
        if not self._free:
            self._free = now() + 1.5
        asyncio.get_running_loop().call_at(max(self._free, now()), job)


def test_a_disk_that_is_slow_at_the_end_gets_what_was_never_handed_to_it() -> None:
    async def main() -> None:
        world = World(repeat(ACCEPTED), takes=repeat(100.0), disk=SlowAtFirst)
        world.hear(1)
        await world.run(1)  # an attempt that hangs
        world.hear(2)
        await world.relay.finish(3)
        assert world.counters.kept == world.counters.kept_reports == 2
        assert world.counters.lost == 0
        assert left(world) == [[1], [2]]

    jump_through(main())


# -- readiness ------------------------------------------------------------------------------------


def test_nothing_is_cut_before_it_is_ready_and_a_backlog_goes_out(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(repeat(LATER), folder=tmp_path)
        world.hear(1)
        await world.run(5)
        await world.relay.finish(0.1)
        ready = asyncio.Event()
        world = World(repeat(ACCEPTED), folder=tmp_path, ready=ready)
        asyncio.get_running_loop().call_at(now() + 100, ready.set)
        began = now()
        world.hear(2)
        await world.run(105)
        assert [(post.time - began, post.tags) for post in world.sink.posts] == [
            (0, [1]),
            (100, [2]),
        ]

    jump_through(main())


def test_an_end_before_it_is_ready_costs_nothing_that_waits(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(repeat(LATER), folder=tmp_path)
        world.hear(1)
        await world.run(5)
        await world.relay.finish(0.1)
        world = World(repeat(LATER), folder=tmp_path, ready=asyncio.Event())
        await world.run(5)
        await world.relay.finish(1)
        assert left(world) == [[1]]
        assert world.counters.kept == 1

    jump_through(main())


# -- a successor ----------------------------------------------------------------------------------


def test_a_successor_goes_on_with_the_spool() -> None:
    async def main() -> None:
        world = World(repeat(LATER))
        world.hear_each(10, 3)
        await world.run(25)
        world.hear(3)
        posts = len(world.sink.posts)
        await world.relay.retire()
        assert world.sink.closed
        assert len(world.sink.posts) == posts, "it delivers nothing"
        assert left(world) == [[0], [1], [2], [3]]
        world.sink.script = repeat(ACCEPTED)
        world.relay = world.successor()
        await world.run(20)
        await world.relay.finish(5)
        assert world.sink.accepted == [0, 1, 2, 3]
        assert left(world) == []
        assert world.counters.lost == 0

    jump_through(main())


def test_timestamps_are_those_of_the_attempt() -> None:
    async def main() -> None:
        world = World(chain([LATER], repeat(ACCEPTED)))
        world.hear(1)
        await world.run(40)
        for post in world.sink.posts:
            assert post.timestamp == START + int(post.time)

    jump_through(main())


def test_a_successor_of_profile_gateway_leaves_the_spool_closed(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(repeat(LATER), folder=tmp_path)
        world.hear(1)
        await world.run(5)
        await world.relay.retire()
        log = tmp_path / "custom.spool-wal"
        assert log.exists()
        world.relay = world.successor(Profile.GATEWAY)
        await world.relay.finish(0.1)
        assert not log.exists(), "who closes a database last ends its log"
        assert left(world) == [[1]]

    jump_through(main())


def test_what_a_disk_that_hangs_did_not_take_is_counted() -> None:
    """Three batches in hand, and not one of them is on disk yet."""

    async def main() -> None:
        world = World([], disk=Hanging)
        outbox = Outbox("custom", world.spool)
        reports = [Advertisement(bytes(6), b"x", -60, 1, 15, 37, None, 0.0, START)]
        first, second, third = (
            world.spool.new(Batch(nonce, GATEWAY, tuple(reports))) for nonce in range(3)
        )
        await outbox.put(first)
        outbox.take_newest()
        outbox.busy = False
        await outbox.put(second)
        outbox.put_last(third)
        await outbox.keep_all()
        with pytest.raises(SpoolError):
            await outbox.close()
        assert world.counters.lost == world.counters.lost_reports == 3
        assert world.counters.kept == 0

    jump_through(main())


@pytest.mark.parametrize("takes", [0.0, 30.0])
@pytest.mark.parametrize("newest", [True, False])
def test_where_every_report_is_wanted_none_gives_way_to_the_next(
    newest: bool, takes: float
) -> None:
    """To a target that is told at once, and is away: it says so, or hangs first."""

    async def main() -> None:
        world = World(repeat(LATER), takes=repeat(takes))
        changed, clock = asyncio.Event(), LoopClock()
        queue = world.table.queue(tell=changed.set)
        source = BatchSource(
            *(Gatherer(queue, now()), lambda: GATEWAY, Nonces(), world.spool, clock),
            changed=changed,
        )
        pacing = Pacing(gap=0.0, in_order=True, rate=200.0, keeps_newest=newest)
        relay = HostRelay("custom", world.sink, source, world.spool, clock, pacing)
        for number in range(40):
            asyncio.get_running_loop().call_later(0.25 * number, world.hear, 1, bytes([number]))
        with suppress(TimeoutError):
            async with asyncio.timeout(20):
                await relay.run()
        assert bool(queue.counters.replaced) is newest
        if newest:
            assert world.counters.batches < 20, "they go to the disk"
        else:
            assert sum(map(len, left(world))) + bool(takes) == 40

    jump_through(main())
