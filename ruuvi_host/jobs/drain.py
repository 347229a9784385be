"""Delivering what waits in a spool, once and by hand, without a coprocessor."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ruuvi_host.clock import SystemClock
from ruuvi_host.config.model import Config
from ruuvi_host.config.targets import Target
from ruuvi_host.errors import SpoolError
from ruuvi_host.intake.batch import Batcher
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.jobs.state import set_aside
from ruuvi_host.lifetime import ended
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.kinds import SinkContext, kind_of
from ruuvi_host.relay.relay import HostRelay
from ruuvi_host.relay.source import BatchSource, Nonces
from ruuvi_host.relay.spool.spool import Spool

LOOK = 0.1
"""Seconds between two looks at how far it is."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of it."""

    accepted: int
    """Batches; likewise the others."""
    refused: int
    aged_out: int
    unreadable: int
    left: int
    set_aside: bool
    """The file was damaged; there may have been more in it."""

    @property
    def dropped(self) -> bool:
        """Something is undelivered, and not in the spool any more."""
        return bool(self.refused + self.aged_out + self.unreadable) or self.set_aside

    def __str__(self) -> str:
        dropped = {
            "refused": self.refused,
            "too old": self.aged_out,
            "unreadable": self.unreadable,
        }
        said = "".join(f", {why} {count}" for why, count in dropped.items() if count)
        return f"batches accepted {self.accepted}{said}, left {self.left}"


async def drain(
    folder: Path,
    name: str,
    target: Target,
    config: Config,
    passed: Callable[[int], None] = lambda count: None,
) -> Drained:
    """Deliver the spool `name` of the state folder to `target`, until a batch is not accepted.

    passed: told how many batches are done with, several times a second.

    The folder must be locked: a spool has one user at a time. Raises SpoolError if what is left
    could not be kept.
    """
    clock, counters, kind = SystemClock(), RelayCounters(), kind_of(target)
    spool = Spool(folder, name, config.spool, counters, clock)
    never = asyncio.Event()
    source = BatchSource(
        Batcher(AdvertisementTable().queue(), target.period, clock.monotonic()),
        _nobody,
        Nonces(),
        spool,
        clock,
        ready=never,  # there are no new batches
    )
    sink = kind.make_sink(target, SinkContext(config))
    relay = HostRelay(name, sink, source, spool, clock, kind.pacing(target))
    before = set_aside(folder)
    try:
        await spool.open()
        if spool.failure:
            raise SpoolError(str(spool.path), spool.failure.why)
        telling = asyncio.create_task(_tell(counters, passed), name="progress")
        try:
            await relay.drain()
        finally:
            await ended(telling)
    finally:
        await relay.finish(0)
    return Drained(
        *(counters.accepted, counters.refused, counters.aged_out, counters.unreadable),
        counters.kept,
        set_aside(folder) != before,
    )


async def _tell(counters: RelayCounters, passed: Callable[[int], None]) -> NoReturn:
    told = 0
    while True:
        await asyncio.sleep(LOOK)
        done = counters.accepted + counters.refused + counters.aged_out + counters.unreadable
        passed(done - told)
        told = done


def _nobody() -> NoReturn:
    raise AssertionError("there are no new batches here")
