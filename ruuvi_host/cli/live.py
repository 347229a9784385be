"""The live tables of `ruuvi-host listen`: all sensors on one screen, redrawn twice a second."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from firmware_protocol.messages import address_text
from ruuvi_host.clock import SystemClock
from ruuvi_host.formats.summary import summary
from ruuvi_host.intake.advertisement import RSSI_NOT_AVAILABLE
from ruuvi_host.intake.sensors import Sensor, Sensors
from ruuvi_host.lifetime import together
from ruuvi_host.logs import printable

INTERVAL = 0.5
"""Seconds between two pictures."""
LOG_LINES = 3
"""Of the log, below the table."""
NARROW = 64
"""Columns of a terminal that has no room for more than sensors and readings."""


class Picture(Protocol):
    """Draws what there is to see now, as large as the console is."""

    def __call__(self, console: Console, now: float, log: deque[str]) -> Segments: ...


async def show_table(sensors: Sensors, listening: Coroutine[Any, Any, None]) -> None:
    """Show what `sensors` while `listening` fills it. The terminal is as before afterwards."""
    await show(lambda console, now, log: picture(console, sensors, now, log), listening)


async def show(picture: Picture, listening: Coroutine[Any, Any, None]) -> None:
    """Show it, again and again, while `listening` runs. The terminal is as before afterwards."""
    console = Console()
    clock = SystemClock()
    log: deque[str] = deque(maxlen=LOG_LINES)

    async def redraw(live: Live) -> None:
        while True:
            live.update(picture(console, clock.monotonic(), log), refresh=True)
            await asyncio.sleep(INTERVAL)

    with (
        _logging_into(log),
        Live(console=console, screen=True, auto_refresh=False, redirect_stderr=False) as live,
    ):
        await together(listen=listening, redraw=redraw(live))


def picture(console: Console, sensors: Sensors, now: float, log: deque[str]) -> Segments:
    """As much of the table as there is room for, then what was counted and the end of the log."""
    room = max(console.height - len(log) - 1, 1)
    columns = 2 if console.width < NARROW else 6
    table = Table(box=None, pad_edge=False)
    for title in ("Sensor", "Reading", "DF", "dBm", "Age", "Lost")[:columns]:
        table.add_column(title, no_wrap=title != "Reading")
    # A row has one line or more, so there is no use for more rows than lines.
    for sensor in list(sensors.by_address.values())[:room]:
        # Text, not markup: names come from the air.
        row = _row(sensor, sensors.known.name(sensor.address), now)
        table.add_row(*(Text(cell) for cell in row[:columns]))
    lines = console.render_lines(table)
    said = sensors.summary() + "; not all fit in here" * (len(lines) > room)
    return below(console, lines[:room], [*log, said])


def below(console: Console, lines: list[list[Segment]], texts: Iterable[str]) -> Segments:
    """Lines of a picture, and texts below them, each of them one line."""
    lines = lines + [
        console.render_lines(Text(line, no_wrap=True, overflow="ellipsis"))[0] for line in texts
    ]
    segments: list[Segment] = []
    for line in lines:
        segments += [*line, Segment.line()]
    return Segments(segments[:-1])


def _row(sensor: Sensor, given: str, now: float) -> tuple[str, ...]:
    """given: its name, as a person has given it."""
    name = f" {printable(given or sensor.name or '', 24)}".rstrip()
    measurement = sensor.measurement
    total = sensor.measurements + sensor.missed
    return (
        address_text(sensor.address) + name,
        summary(measurement) if measurement else sensor.error or "",
        f"{measurement.data_format:X}" if measurement else "-",
        "-" if sensor.rssi == RSSI_NOT_AVAILABLE else f"{sensor.rssi}",
        f"{now - sensor.received:.0f} s",
        f"{100 * sensor.missed / total:.0f} %" if total else "-",
    )


class _LastLines(logging.Handler):
    """Keeps the last lines of the log."""

    def __init__(self, lines: deque[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


@contextmanager
def _logging_into(lines: deque[str]) -> Iterator[None]:
    """Keep the log out of the picture, unless it goes to a file anyway."""
    root = logging.getLogger()
    before = root.handlers
    if sys.stderr.isatty():
        instead = _LastLines(lines)
        instead.setFormatter(before[0].formatter if before else None)
        root.handlers = [instead]
    try:
        yield
    finally:
        root.handlers = before
