"""The relay's two tasks, in a world where time jumps: intervals, retries, order, and the end.

The sink is played by the test, from a script. HttpSink and real servers: tests/integration.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from itertools import chain, pairwise, repeat
from pathlib import Path

import pytest
from relay_log import all_log_lines as all_log_lines
from relay_world import (
    ACCEPTED,
    LATER,
    REFUSED,
    START,
    AtOnce,
    World,
    accounted_for,
    jump_through,
    left,
    log_of,
    now,
)

from ruuvi_host.config.spool import SpoolSettings, Sync
from ruuvi_host.relay.sink import Outcome, Verdict


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


# -- when -----------------------------------------------------------------------------------------


def test_the_first_batch_goes_out_at_once_and_then_one_at_each_interval() -> None:
    async def main() -> None:
        world = World(repeat(ACCEPTED), takes=repeat(3.0))
        world.hear_each(10, 3)
        await world.run(35)
        assert world.sink.times == [0, 10, 20, 30]
        assert world.sink.tags == [[0], [1], [2], []]  # an empty one is posted like any other
        c = world.counters
        assert c.batches == c.attempts == c.accepted == 4
        assert c.batch_reports == c.accepted_reports == 3
        assert list(world.folder.iterdir()) == [], "nothing is written while the server answers"

    jump_through(main())


def test_a_slow_server_does_not_merge_intervals() -> None:
    async def main() -> None:
        world = World(repeat(ACCEPTED), takes=chain([25.0], repeat(1.0)))
        world.hear_each(10, 3)
        await world.run(29)
        # While the first post was under way two intervals have passed: the newest goes first.
        assert [(post.time, post.tags) for post in world.sink.posts] == [
            (0, [0]),
            (25, [2]),
            (26, [1]),
        ]

    jump_through(main())


def test_a_server_sets_the_period_with_its_next_success() -> None:
    async def main() -> None:
        longer = Outcome(Verdict.LATER, "status 429", period=60)
        world = World(chain([longer], repeat(ACCEPTED)))
        await world.run(125)
        # Failed at 0, and an empty batch is not tried again: the batch at 10 still has the old
        # period, and waits for the end of the pause.
        first, second, third = world.sink.times
        assert first == 0
        assert 10 <= second <= 12.5
        assert third == 70

    jump_through(main())


def test_a_shorter_period_counts_from_the_last_interval() -> None:
    async def main() -> None:
        shorter = Outcome(Verdict.ACCEPTED, period=2)
        world = World(repeat(shorter), takes=chain([3.0], repeat(0.0)), period=3600)
        await world.run(7)
        assert world.sink.times == [0, 3, 4, 6]

    jump_through(main())


def test_a_period_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        await World(repeat(Outcome(Verdict.ACCEPTED, period=20))).run(100)

    jump_through(main())
    assert log_of(caplog) == [
        "custom: batches are accepted; nothing is waiting",
        "custom: the server asks for a batch every 20 s",
    ]


# -- again ----------------------------------------------------------------------------------------


def test_a_failed_batch_is_posted_again_as_it_was_but_for_the_time() -> None:
    async def main() -> None:
        world = World(chain([LATER, LATER], repeat(ACCEPTED)), period=3600)
        world.hear(7)
        await world.run(1000)
        first, second, third = world.sink.posts
        assert first.tags == second.tags == third.tags == [7]
        assert first.nonce == second.nonce == third.nonce
        assert first.timestamp < second.timestamp < third.timestamp
        for post in world.sink.posts:
            assert post.timestamp == START + int(post.time)
        assert world.counters.failed_attempts == 2
        assert world.relay.waiting == (0, 0)

    jump_through(main())


def test_after_an_outage_the_newest_goes_first_then_the_rest_in_order() -> None:
    async def main() -> None:
        failure = Outcome(Verdict.LATER, "no answer", wait=2.0)
        script, takes = chain([failure], repeat(ACCEPTED)), chain([35.0], repeat(0.0))
        world = World(script, takes=takes, pace=0.5)
        world.hear_each(10, 4)
        await world.run(39)
        assert [(post.time, post.tags) for post in world.sink.posts] == [
            (0, [0]),
            (37, [3]),  # after the pause; all that follows is the backlog, at its pace
            (37.5, [0]),
            (38, [1]),
            (38.5, [2]),
        ]
        assert world.sink.posts[2].nonce == world.sink.posts[0].nonce

    jump_through(main())


class SlowDisk(AtOnce):
    """Each job is done seven seconds later."""

    def submit(self, job: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(7, job)


def test_what_was_delivered_while_another_batch_was_written_is_not_kept(folder: Path) -> None:
    async def main() -> None:
        no_folder = folder / "file"
        no_folder.touch()  # so that what is kept stays in memory, and is written again and again
        takes, always = chain([16.0], repeat(0.0)), SpoolSettings(sync=Sync.ALWAYS)
        world = World(
            repeat(ACCEPTED), takes=takes, folder=no_folder, disk=SlowDisk, settings=always
        )
        world.hear_each(10, 3)
        # The third one is made at 20, delivered at 23, and the second one is written until 27.
        await world.run(60)
        assert [tags for tags in world.sink.tags if tags] == [[0], [2], [1]]
        accounted_for(world)

    jump_through(main())


def test_new_data_does_not_wait_behind_a_backlog() -> None:
    async def main() -> None:
        failure = Outcome(Verdict.LATER, "no answer", wait=1.0)
        script, takes = chain([failure], repeat(ACCEPTED)), chain([58.0], repeat(0.0))
        world = World(script, takes=takes, pace=0.4)
        world.hear_each(10, 7)
        await world.run(61)
        assert world.sink.tags == [[0], [5], [0], [6], [1], [2]]

    jump_through(main())


def test_a_wait_that_the_target_asks_for_is_honoured() -> None:
    async def main() -> None:
        asked = [Outcome(Verdict.LATER, "status 503", wait=s) for s in (120.0, 0.001, 7.0)]
        world = World(chain(asked, repeat(ACCEPTED)), period=3600)
        world.hear(1)
        await world.run(200)
        # A server that asks for next to nothing gets the first pause.
        assert world.sink.times == [0, 120, 121, 128]

    jump_through(main())


def pauses_of_a_dead_server(period: float, pace: float = 0.05) -> list[float]:
    async def main() -> list[float]:
        world = World(repeat(LATER), period=period, pace=pace)
        await world.run(7200)
        times = world.sink.times
        return [later - earlier for earlier, later in pairwise(times)]

    return jump_through(main())


@pytest.mark.parametrize("period", [1.0, 10.0, 60.0])
def test_pauses_grow_from_one_period_to_five_minutes_and_vary(period: float) -> None:
    pauses = pauses_of_a_dead_server(period)
    assert len(pauses) > 20
    for n, pause in enumerate(pauses):
        due = min(300.0, period * 2.0**n)
        low, high = (due, 1.25 * due) if 1.25 * due <= 300 else (0.75 * due, due)
        assert low - 1e-5 <= pause <= high + 1e-5
    assert pauses != pauses_of_a_dead_server(period), "many hosts must not come back at once"


def test_a_server_that_wants_few_posts_gets_them_when_it_is_down_too() -> None:
    assert min(pauses_of_a_dead_server(1.0, pace=15.0)) >= 15


def test_pauses_start_over_after_a_success() -> None:
    async def main() -> None:
        script = chain(repeat(LATER, 5), [ACCEPTED], repeat(LATER))
        world = World(script)
        await world.run(1000)
        failed_again = world.sink.posts[6].time
        assert 10 <= world.sink.posts[7].time - failed_again <= 12.5

    jump_through(main())


def test_what_a_person_has_to_fix_is_tried_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        fix = Outcome(Verdict.FIX, "status 401", code=401)
        world = World(chain(repeat(fix, 5), repeat(ACCEPTED)))
        world.hear_each(10, 20)
        await world.run(600)
        assert all(60 <= b - a <= 75 for a, b in pairwise(world.sink.times[:6]))
        assert sorted(world.sink.accepted) == list(range(20))

    jump_through(main())
    errors = log_of(caplog, logging.ERROR)
    assert len(errors) == 5
    assert errors[0].startswith("custom: needs fixing (status 401); waiting: batches 1, ")


def test_a_post_that_was_not_begun_is_no_post() -> None:
    async def main() -> None:
        missing = Outcome(Verdict.FIX, "no such file", begun=False)
        world = World(chain(repeat(missing, 3), repeat(ACCEPTED)))
        world.hear(1)
        await world.run(600)
        assert world.sink.accepted == [1]
        assert world.counters.attempts == len(world.sink.posts) - 3

    jump_through(main())


def test_an_empty_batch_that_failed_is_not_kept() -> None:
    async def main() -> None:
        world = World(chain([LATER], repeat(ACCEPTED)))
        await world.run(15)
        first, second = world.sink.posts
        assert 10 <= second.time <= 12.5
        assert second.nonce != first.nonce
        c = world.counters
        assert (c.batches, c.attempts, c.accepted) == (2, 2, 1)
        assert (c.failed_attempts, c.empty_failed, c.spooled) == (1, 1, 0)

    jump_through(main())


def test_an_empty_batch_that_could_not_be_tried_in_its_time_is_counted_once() -> None:
    async def main() -> None:
        script, takes = repeat(ACCEPTED), chain([25.0], repeat(0.0))
        world = World(script, takes=takes)
        await world.run(29)
        assert world.sink.times == [0, 25]
        c = world.counters
        assert (c.batches, c.attempts, c.accepted, c.empty_failed) == (3, 2, 2, 1)

    jump_through(main())


def test_what_the_server_refuses_is_counted_and_kept_for_inspection(
    caplog: pytest.LogCaptureFixture, folder: Path
) -> None:
    async def main() -> None:
        world = World([REFUSED, ACCEPTED, REFUSED], folder=folder)
        world.hear_each(10, 3)
        await world.run(25)
        assert world.sink.tags == [[0], [1], [2]]
        assert world.relay.waiting == (0, 0)
        assert world.counters.refused == world.counters.refused_reports == 2
        assert world.counters.accepted_reports == 1

    jump_through(main())
    (error,) = log_of(caplog, logging.ERROR)
    assert error == (
        "custom: data refused (status 400): 1 batches with dropped data since the last message; "
        f"the newest are in {folder}/custom.refused"
    )
    kept = [json.loads(path.read_bytes()) for path in (folder / "custom.refused").iterdir()]
    assert sorted(next(iter(body["data"]["tags"]))[-2:] for body in kept) == ["00", "02"]


# -- the end --------------------------------------------------------------------------------------


def test_the_last_batch_is_delivered_at_the_end() -> None:
    async def main() -> None:
        world = World(repeat(ACCEPTED))
        await world.run(5)
        world.hear(1)
        await world.relay.finish(3)
        assert world.sink.tags == [[], [1]]
        assert world.sink.closed
        assert world.relay.waiting == (0, 0)

    jump_through(main())


def test_no_empty_batch_is_posted_at_the_end() -> None:
    async def main() -> None:
        # Empty ones are on their way and waiting when the end comes, before a backlog.
        failure = Outcome(Verdict.LATER, "no answer", wait=8.0)
        script, takes = chain([failure], repeat(ACCEPTED)), chain([5.0], repeat(25.0))
        world = World(script, takes=takes)
        world.hear(1)
        await world.run(22)
        await world.relay.finish(100)
        assert world.sink.tags == [[1], [], [1]]
        assert world.relay.waiting == (0, 0)

    jump_through(main())


@pytest.mark.parametrize(
    ("script", "takes"), [(repeat(ACCEPTED), 100.0), (repeat(LATER), 0.0)], ids=["hangs", "is down"]
)
def test_what_cannot_be_delivered_in_time_stays(script: Iterator[Outcome], takes: float) -> None:
    async def main() -> None:
        world = World(script, takes=repeat(takes))
        world.hear_each(10, 2)
        await world.run(15)
        world.hear(2)
        before, posts = now(), len(world.sink.posts)
        await world.relay.finish(3)
        assert now() - before <= 3
        assert len(world.sink.posts) == posts + 1, "a server that is down is not asked again"
        assert left(world) == [[0], [1], [2]]
        assert world.counters.kept_reports == 3
        assert world.sink.closed

    jump_through(main())


def test_the_backlog_is_delivered_at_its_pace_to_the_end() -> None:
    async def main() -> None:
        world = World(chain([LATER], repeat(ACCEPTED)), takes=chain([35.0], repeat(0.0)), pace=1.0)
        world.hear_each(10, 4)
        await world.run(35.5)
        world.hear(4)
        await world.relay.finish(3.0)
        assert world.sink.tags[1:] == [[4], [0], [1]]
        assert left(world) == [[2], [3]]

    jump_through(main())
