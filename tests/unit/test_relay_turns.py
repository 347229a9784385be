"""A backlog that is sent at a rate, and one that is reduced while it waits."""

import asyncio
from collections.abc import Iterator
from itertools import chain, repeat
from math import inf

from relay_world import ACCEPTED, LATER, Answer, World, accounted_for, jump_through

from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.pauses import Pacing
from ruuvi_host.relay.relay import MOST_UNMERGED
from ruuvi_host.relay.sink import Outcome

RATE = 5.0
IN_ORDER = Pacing(gap=0.0, in_order=True, rate=RATE)
NEWEST = Pacing(gap=0.0, window=inf, in_order=True, rate=RATE, keeps_newest=True)


def while_away(end: float) -> Iterator[Answer]:
    """LATER up to then."""

    def answer(batch: Batch) -> Outcome:
        return LATER if asyncio.get_running_loop().time() < end else ACCEPTED

    return repeat(answer)


def test_what_waits_is_sent_at_the_rate_beyond_what_comes_in() -> None:
    async def main() -> None:
        world = World(while_away(105.0), pacing=IN_ORDER)
        loop = asyncio.get_running_loop()
        for second in range(300):
            loop.call_at(second + 0.5, world.hear, second)
        await world.run(600)
        posts = [post for post in world.sink.posts if post.time >= 105.0]
        assert [tag for post in posts for tag in post.tags] == [*range(300)]
        back = posts[0].time
        caught_up = next(p.time for p in posts if p.tags[-1] > p.time - 10.0)
        # One report for each second that it was away; those that come in meanwhile are for nothing.
        assert 0.8 <= (caught_up - back) / (back / RATE) <= 1.5
        accounted_for(world)

    jump_through(main())


def test_without_a_rate_it_is_sent_as_fast_as_it_is_taken() -> None:
    async def main() -> None:
        world = World(while_away(105.0), pacing=Pacing(gap=0.0, in_order=True))
        world.hear_each(10, 11)
        await world.run(500)
        times = [post.time for post in world.sink.posts if post.tags and post.time >= 105.0]
        assert times[-1] - times[0] < 1.0

    jump_through(main())


def test_an_outage_leaves_one_report_of_each_sensor() -> None:
    async def main() -> None:
        world = World(while_away(3600.0), pacing=NEWEST, period=1.0)
        most = 0
        loop = asyncio.get_running_loop()
        for second in range(3600):
            data = second.to_bytes(2, "big")
            loop.call_at(second + 0.5, world.hear, second % 7, data)
        running = asyncio.create_task(world.run(4200))
        while loop.time() < 3590:
            await asyncio.sleep(10)
            most = max(most, world.relay.waiting[0])
        await running
        assert most <= MOST_UNMERGED + 2  # the newest, and one that is tried
        accepted = world.sink.accepted
        assert sorted(set(accepted)) == [*range(7)]
        assert len(accepted) <= 7 + 7  # those in the newest batches come with them
        counters = world.counters
        assert counters.merged_reports == counters.batch_reports - counters.accepted_reports
        accounted_for(world)

    jump_through(main())


def test_a_backlog_of_one_kind_is_not_merged_where_everything_is_wanted() -> None:
    async def main() -> None:
        world = World(chain(repeat(LATER, 3), repeat(ACCEPTED)), pacing=IN_ORDER, period=1.0)
        for second in range(30):
            data = second.to_bytes(2, "big")
            asyncio.get_running_loop().call_at(second + 0.5, world.hear, 1, data)
        await world.run(100)
        assert world.counters.merged == 0
        assert len(world.sink.accepted) == 30
        accounted_for(world)

    jump_through(main())
