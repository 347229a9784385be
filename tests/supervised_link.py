"""A supervisor that runs over a link of a test, and what it tells."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import ours
from lines import until
from link_events import Events

from firmware_protocol.messages import SetAll
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.device.supervisor import Supervisor
from ruuvi_host.monitoring.counters import LinkCounters

STOP_AT_ONCE = 10.0
"""Seconds: more than closing a port takes on a slow machine, less than the longest pause."""
QUICK: dict[str, Any] = {"ack_timeout": 0.03, "heartbeat": 0.1}


class Supervised:
    """A supervisor that runs, and what it tells.

    options: of the supervisor. settings: of the coprocessor, beside its path.
    """

    def __init__(
        self, path: str | Path, options: dict[str, Any] | None = None, **settings: Any
    ) -> None:
        self.events = Events()
        self.supervisor = Supervisor(
            *(CoprocessorSettings(str(path), **settings), SetAll()),
            *(self.events.on_event, SystemClock()),
            **(options or {}),
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
async def supervised(
    path: str | Path, options: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[Supervised]:
    """Until it is left; then every byte and report must be accounted for."""
    host = Supervised(path, options, **settings)
    try:
        yield host
    finally:
        await host.stop()
        counters = host.counters
        scanned = counters.session.scanner
        assert scanned.bytes_received == scanned.bytes_in_frames + scanned.bytes_skipped
        assert counters.session.reports == len(host.events.reports)


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "tty"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, "ruuvi_host"):
        yield caplog


def lines(log: pytest.LogCaptureFixture) -> list[str]:
    """What a user has read, each line behind its level."""
    assert not any(record.exc_info for record in ours(log))
    return [f"{record.levelname} {record.getMessage()}" for record in ours(log)]
