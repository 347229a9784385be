"""Delivering what waits in a spool, once and by hand, without a coprocessor."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ruuvi_host.clock import SystemClock
from ruuvi_host.config.model import Config
from ruuvi_host.config.targets import Target
from ruuvi_host.intake.batch import Batcher
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.kinds import SinkContext, kind_of
from ruuvi_host.relay.relay import HostRelay
from ruuvi_host.relay.source import BatchSource, Nonces
from ruuvi_host.relay.spool.spool import Spool


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of it."""

    accepted: int
    """Batches; likewise the others."""
    refused: int
    left: int

    def __str__(self) -> str:
        refused = f", refused {self.refused}" if self.refused else ""
        return f"batches accepted {self.accepted}{refused}, left {self.left}"


async def drain(folder: Path, name: str, target: Target, config: Config) -> Drained:
    """Deliver the spool `name` of the state folder to `target`, until a batch is not accepted.

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
    try:
        await relay.drain()
    finally:
        await relay.finish(0)
    return Drained(counters.accepted, counters.refused, counters.kept)


def _nobody() -> NoReturn:
    raise AssertionError("there are no new batches here")
