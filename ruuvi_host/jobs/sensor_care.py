"""What a running host does with what people say about their sensors, besides the table."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ruuvi_host.config.model import Config
from ruuvi_host.intake.readings import Readings
from ruuvi_host.intake.watched import SensorWatch
from ruuvi_host.jobs.receiving import Receiving
from ruuvi_host.monitoring.health import LinkFacts
from ruuvi_host.monitoring.sensor_log import SensorLog
from ruuvi_host.monitoring.sensor_status import SensorStatus

if TYPE_CHECKING:
    from ruuvi_host.intake.history import History, Points

log = logging.getLogger(__name__)

SAMPLING = 10.0
"""Seconds between two looks at the table for the history. The first of a sensor is seen soon."""


class SensorCare:
    """Names and offsets, who is silent, and what was measured in the last hours."""

    def __init__(self, config: Config, receiving: Receiving) -> None:
        self.readings = Readings(config.sensors)
        self.history: History | None = None
        """None: the API is off, so nobody can ask for plots."""
        self._history_wanted = asyncio.Event()
        self._receiving = receiving
        self._watch = SensorWatch(receiving.clock.monotonic())
        self._log = SensorLog()
        self._use_timestamps = config.use_timestamps
        self.reconfigure(config)

    def reconfigure(self, config: Config) -> None:
        """What was heard stays known."""
        self.readings = Readings(config.sensors)
        self._use_timestamps = config.use_timestamps
        if config.api is None:
            self.history = None
            self._history_wanted.clear()
        elif self.history is None:
            self.history = _history()
            self._history_wanted.set()

    def look(self, links: Sequence[LinkFacts]) -> list[SensorStatus]:
        """The sensors that a person has said something about. What has changed is logged."""
        receiving = self._receiving
        now = receiving.clock.monotonic()
        listening = any(link.answers for link in links)
        if self._use_timestamps and receiving.wall.utc() is None:
            listening = False  # all that comes is dropped
        statuses, news = self._watch.look(self.readings, receiving.table, now, listening=listening)
        for is_bad, line in self._log.lines(statuses, news, now):
            log.log(logging.WARNING if is_bad else logging.INFO, "%s", line)
        return statuses

    async def sample(self) -> None:
        """Keep the history up to date, until cancelled."""
        clock = self._receiving.clock
        while True:
            await self._history_wanted.wait()
            if self.history is not None:
                now, uptime = clock.monotonic(), clock.uptime()
                self.history.sample(self.readings, self._receiving.table, now, uptime)
            await asyncio.sleep(SAMPLING)

    def series(self, address: bytes, quantity: str, since: float) -> "Points":
        """What a sensor measured; (UTC, value) with None for gaps. since: UTC seconds."""
        if self.history is None:
            return []
        wall = self._receiving.wall
        return self.history.series(address, quantity, since, wall.uptime(), wall.wall())


def _history() -> "History":
    # Imported only when the API is on.
    from ruuvi_host.intake.history import History

    return History()
