"""A supervisor that runs, and what it tells."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from lines import until
from link_events import Events

from firmware_protocol.messages import SetAll
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.device.supervisor import Supervisor
from ruuvi_host.monitoring.counters import LinkCounters

STOP_AT_ONCE = 10.0
"""Seconds: more than closing a port takes on a slow machine, less than the longest pause."""


class Supervised:
    """A supervisor that runs, and what it tells."""

    def __init__(self, path: str) -> None:
        self.events = Events()
        self.supervisor = Supervisor(
            CoprocessorSettings(path), SetAll(), self.events.on_event, SystemClock()
        )
        self.running = asyncio.create_task(self.supervisor.run())

    @property
    def counters(self) -> LinkCounters:
        return self.supervisor.counters

    async def until(self, condition: Callable[[], object]) -> None:
        await until(lambda: self.running.done() or condition())
        assert not self.running.done(), self.running

    async def ready(self, times: int = 1) -> None:
        await self.until(lambda: self.events.times_ready >= times)

    async def received(self, count: int) -> None:
        await self.until(lambda: len(self.events.reports) >= count)
        assert len(self.events.reports) == count

    async def stop(self) -> None:
        self.running.cancel()
        async with asyncio.timeout(STOP_AT_ONCE):
            with suppress(asyncio.CancelledError):
                await self.running


@asynccontextmanager
async def supervised(path: str | Path) -> AsyncIterator[Supervised]:
    host = Supervised(str(path))
    try:
        yield host
    finally:
        await host.stop()
        counters = host.counters
        scanned = counters.session.scanner
        assert scanned.bytes_received == scanned.bytes_in_frames + scanned.bytes_skipped
        assert counters.session.reports == len(host.events.reports)
