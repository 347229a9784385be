"""What the relay tells: an account of every report, few lines in the log, nonces, its backlog."""

import asyncio
import logging
import re
from collections.abc import Iterator
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relay_log import all_log_lines as all_log_lines
from relay_world import (
    ACCEPTED,
    LATER,
    REFUSED,
    Answer,
    World,
    accounted_for,
    all_but_one,
    in_parts,
    jump_through,
    left,
    log_of,
    now,
)

from ruuvi_host.config.model import Profile
from ruuvi_host.config.spool import SpoolSettings, Sync
from ruuvi_host.errors import SpoolError
from ruuvi_host.relay.sink import Outcome, Verdict
from ruuvi_host.relay.source import Nonces

# -- nothing is lost silently ---------------------------------------------------------------------


verdicts = st.sampled_from([Verdict.ACCEPTED, Verdict.LATER, Verdict.FIX, Verdict.REFUSED])
outcomes = st.builds(
    Outcome,
    verdicts,
    period=st.none() | st.integers(1, 40),
    wait=st.none() | st.floats(0, 50),
)


@given(
    heard=st.lists(st.floats(0, 200), max_size=60),
    script=st.lists(outcomes | st.sampled_from([in_parts, all_but_one]), max_size=40),
    takes=st.lists(st.sampled_from([0.0, 0.01, 4.0, 30.0]), max_size=40),
    last=outcomes,
    max_bytes=st.sampled_from([20_000, 553_000, 557_000, 561_000, 2**28]),
    max_age=st.sampled_from([30.0, 1e6]),
    window=st.sampled_from([0.0, 55.0]),
    pace=st.sampled_from([0.05, 15.0]),
    sync=st.sampled_from(Sync),
    profile=st.sampled_from(Profile),
    stop=st.floats(1, 250),
    grace=st.floats(0.1, 60),
)
def test_every_report_is_accounted_for(
    heard: list[float],
    script: list[Outcome | Answer],
    takes: list[float],
    last: Outcome,
    max_bytes: int,
    max_age: float,
    window: float,
    pace: float,
    sync: Sync,
    profile: Profile,
    stop: float,
    grace: float,
) -> None:
    async def main() -> None:
        world = World(
            chain(script, repeat(last)),
            takes=chain(takes, repeat(0.5)),
            settings=SpoolSettings(max_bytes, max_age, sync),
            window=window,
            pace=pace,
            profile=profile,
        )
        loop = asyncio.get_running_loop()
        reports = [time for time in heard if time < stop]
        for sensor, time in enumerate(reports):
            loop.call_at(time, world.hear, sensor)
        await world.run(stop)
        accounted_for(world)
        lost = False
        try:
            await world.relay.finish(grace)
        except SpoolError:
            lost = True
        counters, sink = world.counters, world.sink
        assert counters.attempts == len(sink.posts)
        kept = left(world)
        waiting = [sensor for batch in kept for sensor in batch]
        assert (counters.kept, counters.kept_reports) == (len(kept), len(waiting))
        assert lost is (profile is Profile.HOST and counters.lost > 0)
        ends = [
            *(counters.accepted, counters.empty_failed, counters.refused, counters.overflowed),
            *(counters.aged_out, counters.merged, counters.lost, counters.kept),
        ]
        assert counters.batches == sum(ends)
        dropped = counters.overflowed_reports + counters.aged_out_reports + counters.lost_reports
        dropped += counters.merged_reports
        # The gateway makes no difference between refused and failed, as long as all is refused.
        done = sink.accepted + (sink.refused if profile is Profile.HOST else [])
        if profile is Profile.GATEWAY:
            dropped += counters.refused_reports
        assert len(reports) == counters.batch_reports == dropped + len(done) + len(waiting)
        assert len(done) == len(set(done)), "nothing goes out again after a final answer"
        assert not set(waiting) & set(done)
        verdicts = {o.verdict for o in script if isinstance(o, Outcome)}
        if not counters.merged and not verdicts & {Verdict.LATER, Verdict.FIX}:
            assert waiting == sorted(waiting, key=lambda sensor: reports[sensor])
        tags_of: dict[int, list[int]] = {}
        for post in sink.posts:
            assert set(tags_of.setdefault(post.nonce, post.tags)) >= set(post.tags)
            tags_of[post.nonce] = post.tags

    jump_through(main())


# -- what is said about it ------------------------------------------------------------------------


def test_a_dead_server_gets_at_most_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> float:
        world = World(chain(repeat(LATER, 50), repeat(ACCEPTED)), period=1)
        world.hear(1)
        await world.run(20_000)
        return world.sink.times[50]

    end = jump_through(main())
    first, *others = log_of(caplog)
    pause = first.rpartition("next try in ")[2]
    assert first == (
        "custom: not delivered (status 503); waiting: batches 1, reports 1, next try in " + pause
    )
    again = [line for line in others if "not delivered" in line]
    assert 10 < len(again) <= end / 60
    # Within a minute: 1 + 2 + 4 + 8 + 16 + 32 s, more or less.
    assert re.search("[67] times since the last message", again[0])
    assert others[-1].startswith("custom: batches are accepted after 50 failed attempts; waiting: ")


def test_a_server_that_comes_and_goes_does_not_flood_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        world = World(chain.from_iterable(repeat([LATER, REFUSED, ACCEPTED])), period=0.5)
        world.hear_each(0.5, 2000)
        await world.run(1000)
        assert world.counters.failed_attempts > 500

    jump_through(main())
    lines = log_of(caplog)
    assert len(lines) <= 3 * (1000 / 60 + 2)
    assert sum("not delivered" in line for line in lines) >= 10
    assert sum("refused" in line for line in lines) >= 10


# -- nonces ---------------------------------------------------------------------------------------


def test_nonces_run_on_and_start_over() -> None:
    nonces = Nonces()
    first = nonces.next()
    assert 0 <= first < 2**32
    assert nonces.next() == (first + 1) % 2**32
    nonces._last = 0xFFFFFFFF
    assert [nonces.next(), nonces.next()] == [0, 1]


def test_nonces_begin_anywhere() -> None:
    assert len({Nonces().next() for _ in range(5)}) > 1


# -- a batch that the server can never take --------------------------------------------------------


def test_a_batch_that_always_fails_does_not_hold_up_the_rest() -> None:
    """A server that answers 500 to one batch, was down for a while, and takes everything else."""

    def verdicts() -> Iterator[Outcome]:
        while True:
            takes_it = now() >= 45 and 0 not in worlds[0].sink.posts[-1].tags
            yield ACCEPTED if takes_it else Outcome(Verdict.LATER, "status 500")

    async def main() -> None:
        world = World(verdicts())
        worlds.append(world)
        world.hear_each(10, 20)
        await world.run(300)
        assert sorted(world.sink.accepted) == list(range(1, 20))
        assert world.relay.waiting[1] == 1, "the one that cannot be delivered is still kept"

    worlds: list[World] = []
    jump_through(main())


# -- a backlog that grows -------------------------------------------------------------------------


def test_a_server_that_accepts_too_slowly_is_told_with_the_rate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        world = World(repeat(ACCEPTED), takes=repeat(15.0))
        world.hear_each(10, 200)
        await world.run(1900)
        facts = world.relay.facts()
        assert facts.failing == ""
        assert facts.growth == pytest.approx(120, rel=0.2)
        assert facts.waiting == world.relay.waiting[0] > 50

    jump_through(main())
    told = [line for line in log_of(caplog, logging.WARNING) if "more slowly" in line]
    assert len(told) == 2, "one in 15 minutes"
    assert re.fullmatch(
        r"custom: batches are accepted more slowly than they are made; waiting: batches \d+, "
        r"reports \d+, growing by 1\d\d an hour",
        told[-1],
    )


def test_what_is_lost_is_in_the_facts() -> None:
    async def main() -> None:
        world = World(repeat(LATER))
        world.counters.overflowed, world.counters.unreadable = 2, 3
        assert world.relay.facts().lost == 5

    jump_through(main())
