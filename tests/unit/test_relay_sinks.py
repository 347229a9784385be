"""What a relay makes of a sink that answers for each report, has mistakes in it, or needs to run.

In a world where time jumps; the sink is played from a script.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path

import pytest
from relay_world import (
    ACCEPTED,
    LATER,
    ScriptedSink,
    World,
    accounted_for,
    all_but_one,
    in_parts,
    jump_through,
    left,
    log_of,
)

from ruuvi_host.config.model import Profile
from ruuvi_host.intake.batch import Batch
from ruuvi_host.lifetime import together
from ruuvi_host.relay.guard import AGAIN
from ruuvi_host.relay.sink import Outcome, Verdict

# -- answers for each report ----------------------------------------------------------------------


def test_what_is_confirmed_in_parts_is_not_delivered_again() -> None:
    async def main() -> None:
        world = World(chain([in_parts, LATER, in_parts], repeat(ACCEPTED)), period=3600)
        for sensor in range(8):
            world.hear(sensor)
        await world.run(3000)
        assert world.sink.tags == [list(range(8)), [1, 3, 5, 7], [1, 3, 5, 7], [3, 7]]
        assert len({post.nonce for post in world.sink.posts}) == 1
        assert world.relay.waiting == (0, 0)
        c = world.counters
        assert (c.batches, c.attempts, c.failed_attempts, c.accepted) == (1, 4, 3, 1)
        assert (c.batch_reports, c.accepted_reports, c.refused_reports) == (8, 6, 2)
        assert (c.refused, c.spooled) == (0, 1)

    jump_through(main())


def test_what_remains_of_a_batch_waits_on_disk() -> None:
    async def main() -> None:
        world = World(chain([in_parts], repeat(LATER)), period=3600)
        for sensor in range(4):
            world.hear(sensor)
        await world.run(5)
        assert left(world) == [[1, 3]]
        accounted_for(world)
        await world.relay.finish(0.1)
        assert (world.counters.kept, world.counters.kept_reports) == (1, 2)

    jump_through(main())


def test_a_gateway_loses_only_what_remains() -> None:
    async def main() -> None:
        world = World(chain([in_parts], repeat(ACCEPTED)), profile=Profile.GATEWAY)
        for sensor in range(4):
            world.hear(sensor)
        await world.run(5)
        assert (world.counters.accepted_reports, world.counters.lost_reports) == (1, 3)
        accounted_for(world)

    jump_through(main())


def test_pauses_start_over_when_a_part_is_accepted() -> None:
    async def main() -> None:
        world = World(chain(repeat(LATER, 5), [in_parts], repeat(ACCEPTED)))
        loop = asyncio.get_running_loop()
        for n in range(100):
            for sensor in (1, 2):
                loop.call_at(n * 10 - 1, world.hear, sensor, bytes([n]))
        await world.run(1000)
        later, part, after = world.sink.times[4:7]
        assert part - later > 100
        assert after - part <= 12.5, "one period, as after the first failure"

    jump_through(main())


def test_reports_that_are_refused_alone_are_counted_and_told(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    async def main() -> None:
        world = World(chain([all_but_one], repeat(ACCEPTED)), folder=tmp_path)
        world.hear(1)
        world.hear(2)
        await world.run(5)
        assert (world.counters.accepted, world.counters.refused) == (1, 0)
        assert world.counters.accepted_reports == world.counters.refused_reports == 1
        accounted_for(world)

    jump_through(main())
    (error,) = log_of(caplog, logging.ERROR)
    assert error.startswith("custom: data refused (status 400): ")
    assert len(list((tmp_path / "custom.refused").iterdir())) == 1


# -- mistakes -------------------------------------------------------------------------------------


def broken(batch: Batch) -> Outcome:
    raise LookupError("SECRET")


@pytest.mark.parametrize("profile", Profile)
def test_a_mistake_in_a_sink_costs_a_retry_and_is_in_the_log_once(
    caplog: pytest.LogCaptureFixture, profile: Profile
) -> None:
    async def main() -> None:
        world = World(chain(repeat(broken, 4), repeat(ACCEPTED)), profile=profile)
        world.hear(1)
        await world.run(300)
        assert world.counters.failed_attempts == 4
        assert world.counters.accepted >= 1
        assert (world.sink.accepted == [1]) is (profile is Profile.HOST)
        await world.relay.finish(1)
        accounted_for(world)

    jump_through(main())
    (error,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert error.getMessage() == "custom: an error in ruuvi-host, please report it"
    assert error.exc_info
    assert log_of(caplog, logging.WARNING)[1].startswith(
        "custom: not delivered (an error in ruuvi-host: LookupError); "
    )


@pytest.mark.parametrize("remaining", [0, 3])
def test_an_answer_that_cannot_be_is_a_mistake(
    caplog: pytest.LogCaptureFixture, remaining: int
) -> None:
    def answer(batch: Batch) -> Outcome:
        return Outcome(Verdict.LATER, "?", remaining=batch.advertisements[:1] * remaining)

    async def main() -> None:
        world = World(chain([answer], repeat(ACCEPTED)), period=3600)
        world.hear(1)
        world.hear(2)
        await world.run(3600)
        assert world.sink.tags == [[1, 2], [1, 2]]
        accounted_for(world)

    jump_through(main())
    assert "please report it" in caplog.text


# -- what runs beside the deliveries --------------------------------------------------------------


@dataclass
class Connected(ScriptedSink):
    """It has a connection that lives as long as `run`. The first one fails."""

    began: int = 0
    lives: int = 0
    lived: list[int] = field(default_factory=list)
    """How many connections there were at each delivery."""

    async def run(self) -> None:
        self.began += 1
        self.lives += 1
        try:
            if self.began == 1:
                raise LookupError("a mistake")
            await asyncio.Event().wait()
        finally:
            self.lives -= 1

    async def deliver(self, batch: Batch, utc: float) -> Outcome:
        await asyncio.sleep(0.1)
        self.lived.append(self.lives)
        return await super().deliver(batch, utc)


@pytest.mark.parametrize("profile", Profile)
def test_what_a_sink_runs_lives_as_long_as_its_relay_delivers(
    caplog: pytest.LogCaptureFixture, profile: Profile
) -> None:
    async def main() -> None:
        world = World([], profile=profile)
        connected = world.sink = Connected(iter(repeat(ACCEPTED)))
        world.relay = world.successor()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(
                together(run=world.relay.run(), connect=world.relay.connect())
            )
            await asyncio.sleep(AGAIN - 1)
            assert (connected.began, connected.lives) == (1, 0)
            await asyncio.sleep(2)
            assert (connected.began, connected.lives) == (2, 1)
            running.cancel()
        assert connected.lives == 0
        world.hear(1)
        await world.relay.finish(3)
        assert connected.accepted == [1]
        assert connected.lived[-1] == 1, "the last batch needs it, too"
        assert connected.lives == 0

    jump_through(main())
    assert "please report it" in caplog.text
