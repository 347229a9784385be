"""What the log says of a backlog that is sent in haste, in a world where time jumps."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from relay_world import ACCEPTED, GATEWAY, LATER, START, World, accounted_for, jump_through, log_of

from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.pauses import ADAPTING
from ruuvi_host.relay.sink import Outcome, Settled
from ruuvi_host.relay.spool.file import SpoolFile
from ruuvi_host.relay.spool.values import Entry

COUNT = 300


@dataclass
class HurriedSink:
    """An own server, which fails once, while it is hurried, before the attempt `failing`."""

    failing: int
    settles: Iterator[Settled]
    attempts: int = 0
    accepted: list[int] = field(default_factory=list)

    async def run(self) -> None: ...

    async def deliver(self, batch: Batch, utc: float) -> Outcome:
        self.attempts += 1
        if self.attempts == self.failing:
            return replace(LATER, own=True)
        self.accepted.append(batch.nonce)
        return replace(ACCEPTED, own=True)

    async def deliver_hurried(self, batch: Batch, utc: float) -> Outcome:
        return replace(await self.deliver(batch, utc), unsettled=True)

    async def goes_on(self) -> bool:
        return True

    async def settle(self) -> Settled:
        return next(self.settles)

    async def pause(self, seconds: float) -> None: ...

    async def close(self) -> None: ...


def filled(folder: Path) -> None:
    file = SpoolFile.open(folder / "custom.spool", SpoolSettings(), START)
    report = Advertisement(bytes(6), b"\1", -60, 1, 15, 37, None, 0.0, START)
    for n in range(1, COUNT + 1):
        file.add(Entry(n, START - 60.0, Batch(n, GATEWAY, (report,))))
    file.close()


@pytest.mark.parametrize("first", [Settled.ALL, Settled.ALL_BUT_THE_LAST, Settled.NONE])
def test_it_is_told_that_batches_are_accepted_again_when_that_is_certain(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, first: Settled
) -> None:
    caplog.set_level(logging.INFO)
    filled(tmp_path)

    def settles() -> Iterator[Settled]:
        yield Settled.ALL  # of what came before the failure
        yield first
        while True:
            yield Settled.ALL

    async def main() -> None:
        world = World([], pacing=ADAPTING, folder=tmp_path, period=3600.0)
        world.sink = HurriedSink(100, settles())  # type: ignore[assignment]
        world.relay = world.successor()
        await world.run(300)
        assert world.counters.accepted >= COUNT
        assert world.spool.batches == 0
        accounted_for(world)

    jump_through(main())
    lines = [line for line in log_of(caplog) if "accepted" in line or "not delivered" in line]
    assert [line.partition(" (")[0].partition(";")[0] for line in lines] == [
        "custom: batches are accepted",
        "custom: not delivered",
        "custom: batches are accepted after 1 failed attempts",
    ]
