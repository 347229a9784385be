"""The live tables of `ruuvi-host listen`: all sensors on one screen, redrawn twice a second."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from firmware_protocol.messages import address_text
from ruuvi_host.cli.scroll import QUIT, Scroll, single_keys
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
    """Show `sensors` while `listening` fills it. The terminal is as before afterwards, with all of
    the last table on it."""
    scroll = Scroll()
    try:
        await show(
            lambda console, now, log: picture(console, sensors, now, log, scroll),
            *(listening, scroll.press),
        )
    finally:
        if sensors.by_address:
            console = Console()
            console.print(_table(console, sensors, SystemClock().monotonic()), end="")


async def show(
    picture: Picture,
    listening: Coroutine[Any, Any, None],
    press: Callable[[bytes], bool] = lambda typed: typed == QUIT,
) -> None:
    """Show it, again and again, while `listening` runs. The terminal is as before afterwards.

    press: told what is typed; returns whether to stop, as with Ctrl-C.
    """
    console = Console()
    clock = SystemClock()
    log: deque[str] = deque(maxlen=LOG_LINES)

    typed = asyncio.Event()

    def read() -> None:
        try:
            keys = os.read(0, 1024)
        except OSError:
            keys = b""
        if not keys:  # there is nobody any more
            loop.remove_reader(0)
        elif press(keys):
            signal.raise_signal(signal.SIGINT)
        typed.set()

    async def redraw(live: Live) -> None:
        while True:
            typed.clear()
            live.update(picture(console, clock.monotonic(), log), refresh=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await typed.wait()

    loop = asyncio.get_running_loop()
    with (
        _logging_into(log),
        single_keys() as has_keys,
        Live(console=console, screen=True, auto_refresh=False, redirect_stderr=False) as live,
    ):
        if has_keys:
            loop.add_reader(0, read)
        try:
            await together(listen=listening, redraw=redraw(live))
        finally:
            if has_keys:
                loop.remove_reader(0)


def picture(
    console: Console, sensors: Sensors, now: float, log: deque[str], scroll: Scroll
) -> Segments:
    """As much of the table as there is room for, then what was counted and the end of the log."""
    room = max(console.height - len(log) - 1, 1)
    rows = len(sensors.by_address)
    # A row has one line or more, so there is no use for more rows than lines.
    lines = console.render_lines(_table(console, sensors, now, scroll.first, room))
    shown = min(room, rows - scroll.first)
    scroll.settle(rows, (room - 1) * shown // max(len(lines) - 1, 1))
    said = sensors.summary()
    if len(lines) > room or scroll.first:
        said += f"; from {scroll.first + 1} of {rows} on (space, b, arrows: others)"
    return below(console, lines[:room], [*log, said])


def _table(
    console: Console, sensors: Sensors, now: float, first: int = 0, most: int | None = None
) -> Table:
    """At most so many sensors from that one on; None: all."""
    columns = 2 if console.width < NARROW else 6
    table = Table(box=None, pad_edge=False)
    for title in ("Sensor", "Reading", "DF", "dBm", "Age", "Lost")[:columns]:
        table.add_column(title, no_wrap=title != "Reading")
    end = None if most is None else first + most
    for sensor in islice(sensors.by_address.values(), first, end):
        # Text, not markup: names come from the air.
        row = _row(sensor, sensors.known.name(sensor.address), now)
        table.add_row(*(Text(cell) for cell in row[:columns]))
    return table


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
