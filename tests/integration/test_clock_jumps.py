"""A clock that jumps under a running host: what is posted has the right time, or waits."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from conftest import ours
from lines import PATIENCE, until
from lines import run as run_async

from ruuvi_host.clock import EARLIEST, SystemClock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.model import Config
from ruuvi_host.config.targets import HttpTarget
from ruuvi_host.jobs.receiving import Receiving
from ruuvi_host.jobs.relaying import Relaying
from ruuvi_host.jobs.reporting import Reporting
from ruuvi_host.jobs.sensor_care import SensorCare
from ruuvi_host.jobs.state import StateDirectory
from ruuvi_host.lifetime import ended, together
from ruuvi_host.monitoring.accounting import unaccounted
from ruuvi_host.monitoring.health import Health, Level, judge
from ruuvi_host.monitoring.starts import ResetReason, Start
from ruuvi_host.receiver import Batch, Receiver, Settings
from ruuvi_host.simulator.board import Board
from ruuvi_host.simulator.pty import PtyServer


class Clock(SystemClock):
    """This machine's, and as far off as the test says. The kernel calls it synchronised."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def wall(self) -> float:
        return SystemClock.wall() + self.ahead

    def synchronised(self) -> bool:
        return True


class World:
    """A host without its process: one simulated coprocessor, one server."""

    def __init__(self, board: PtyServer, receiver: Receiver, state: StateDirectory) -> None:
        self.receiver = receiver
        self.clock = Clock()
        config = Config(targets=(HttpTarget("custom", receiver.url, 1),))
        self.receiving = Receiving([CoprocessorSettings(board.path)], config, state, self.clock)
        start = Start(1, ResetReason.POWER_ON, "")
        self.relaying = Relaying(config, state.path, self.receiving, start)
        sensors = SensorCare(config, self.receiving)
        self.reporting = Reporting(self.receiving, self.relaying, sensors)

    async def told(self, expected: str) -> None:
        """Wait until health says so."""
        while expected not in self.health().sentence:  # noqa: ASYNC110 - it tells only who asks
            await asyncio.sleep(0.05)

    def health(self) -> Health:
        return judge(self.reporting.facts(), self.clock.monotonic())

    async def dropped(self) -> None:
        """Wait until a report was, for want of a time."""
        counters = self.receiving.table.counters
        while not counters.clock_not_synchronised:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def accepted(self) -> list[Batch]:
        """Wait for some more batches; all that were accepted so far."""
        await self.receiver.accepted(len(self.receiver.batches) + 3)
        return [r.verdict.batch for r in self.receiver.batches if r.verdict.batch]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    async with asyncio.timeout(2 * PATIENCE), Receiver(Settings()) as receiver:
        with PtyServer(Board(tags=3)) as board, closing(StateDirectory.open(folder)) as state:
            world = World(board, receiver, state)
            parts = together(
                board=board.run(),
                receiving=world.receiving.run(required=True),
                relaying=world.relaying.run(),
            )
            life = asyncio.create_task(parts)
            try:
                yield world
            finally:
                await ended(life)
                await world.relaying.finish()
        assert unaccounted(world.reporting.accounts()) == []


def times(batch: Batch) -> list[int]:
    """All of them."""
    assert batch.timestamp is not None
    return [batch.timestamp, *(int(str(tag["timestamp"])) for tag in batch.tags.values())]


@pytest.mark.parametrize("to", [EARLIEST - 365 * 86_400.0, 2_095_000_000.0])
def test_nothing_has_a_time_that_cannot_be(
    tmp_path: Path, to: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ruuvi_host")

    async def check() -> None:
        async with running(tmp_path) as world:
            began = SystemClock.wall()
            await world.accepted()
            world.clock.ahead = to - began
            await world.told("nothing is relayed: the clock is not right: it has jumped from")
            assert world.health().level is Level.DEGRADED
            await world.dropped()
            world.clock.ahead = 0.0
            await world.told("batches are accepted")
            batches = await world.accepted()
            now = SystemClock.wall()
            assert all(began - 2 < time < now + 2 for batch in batches for time in times(batch))

    run_async(check())
    told = [r.getMessage() for r in ours(caplog) if "the clock" in r.getMessage()]
    assert len(told) == 2
    assert told[0].startswith("the clock is not right: it has jumped from 20")
    assert told[1] == "the clock is right"


def test_a_small_jump_is_followed_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def check() -> None:
        async with running(tmp_path) as world:
            await world.accepted()
            world.clock.ahead = 7200.0
            batches = await world.accepted()
            assert max(times(batches[-1])) > SystemClock.wall() + 7000
            assert world.receiving.table.counters.clock_not_synchronised == 0
            await until(jumps_told)

    def jumps_told() -> list[str]:
        return [r.getMessage() for r in ours(caplog) if "jumped" in r.getMessage()]

    run_async(check())
    told = jumps_told()
    assert len(told) == 1
    assert told[0].endswith("timestamps follow it")
