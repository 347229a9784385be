"""A supervisor that runs over a link of a test, and what it told."""

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

QUICK = {"ack_timeout": 0.03, "heartbeat": 0.1}


class Host:
    """A supervisor that runs."""

    def __init__(self, settings: CoprocessorSettings, **options: Any) -> None:
        self.events = Events()
        self.supervisor = Supervisor(
            settings, SetAll(), self.events.on_event, SystemClock(), **options
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


@asynccontextmanager
async def hosting(path: str | Path, options: Any = None, **settings: Any) -> AsyncIterator[Host]:
    host = Host(CoprocessorSettings(str(path), **settings), **(options or {}))
    try:
        yield host
    finally:
        host.running.cancel()
        with suppress(asyncio.CancelledError):
            await host.running
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
    assert not any(record.exc_info for record in ours(log))
    return [record.getMessage() for record in ours(log)]
