"""What a running host gathers for the report of a fault: last log lines, a few seconds of the port.

It costs nothing until it is asked for, but for the last lines of the log.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ruuvi_host.bundle.evidence import NAME, SECONDS, Evidence
from ruuvi_host.clock import Clock
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.show import lines
from ruuvi_host.device.port import Tap
from ruuvi_host.lifetime import ended
from ruuvi_host.logs import RecentLines
from ruuvi_host.monitoring.socket import PATIENCE, listening
from ruuvi_host.monitoring.starts import Start

if TYPE_CHECKING:
    from ruuvi_host.capture.memory import Recording
    from ruuvi_host.capture.pcapng import Record

MOST = 2
"""Who may ask at the same time. The rest is sent away."""


class Gathering:
    """Asked by the API, and over a Unix socket by `ruuvi-host doctor --bundle`.

    recent: has the last lines of the log. ports: how many. taps: of each, those that record all
    the time; or none.
    """

    def __init__(
        self,
        start: Start,
        clock: Clock,
        recent: RecentLines | None,
        ports: int,
        taps: Sequence[Tap] = (),
    ) -> None:
        self._starts = {
            "starts_since_boot": start.count,
            "previous_run": str(start.reason),
            "told": start.info,
        }
        self._clock = clock
        self._recent = recent
        self._recordings: list[Recording] = []
        self._hearing: asyncio.Task[list[Record]] | None = None
        """Who asks meanwhile gets the same: many who ask take no more than one."""
        self._asking: set[asyncio.Task[None]] = set()
        self.taps = [
            _PassingOn(number, self._recordings, taps[number] if taps else None)
            for number in range(ports)
        ]

    async def evidence(self, loaded: Loaded) -> Evidence:
        """After listening to the ports for SECONDS, or for the rest of them."""
        if self._hearing is None or self._hearing.done():
            self._hearing = asyncio.create_task(self._hear(), name="evidence")
        records = await asyncio.shield(self._hearing)
        config = [line for line in lines(loaded.sources) if not line.is_kept_only]
        return Evidence(config, self.log_lines(), self._starts, records)

    async def _hear(self) -> "list[Record]":
        from ruuvi_host.capture.memory import Recording  # only a bug report needs it

        recording = Recording(self._clock)
        self._recordings.append(recording)
        try:
            await asyncio.sleep(SECONDS)
        finally:
            self._recordings.remove(recording)
        return recording.records

    def log_lines(self) -> list[str]:
        """The last lines of the log, the oldest first."""
        return self._recent.lines() if self._recent else []

    async def serve(self, directory: Path, loaded: Callable[[], Loaded]) -> None:
        """Until cancelled. Raises OSError when there can be no socket."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            try:
                if len(self._asking) < MOST:
                    self._asking.add(task)
                    told = (await self.evidence(loaded())).document()
                    writer.write(json.dumps(told).encode())
                    with suppress(OSError, TimeoutError):
                        async with asyncio.timeout(PATIENCE):
                            await writer.drain()
            finally:
                self._asking.discard(task)
                writer.close()

        with listening(directory, NAME) as socket:
            server = await asyncio.start_unix_server(answer, sock=socket)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                server.close()
                await ended(*self._asking)


class _PassingOn:
    """A tap that passes on to another one, and to those who record just now."""

    def __init__(self, number: int, recordings: "Sequence[Recording]", tap: Tap | None) -> None:
        self._number = number
        self._recordings = recordings
        self._tap = tap

    def received(self, data: bytes) -> None:
        if self._tap:
            self._tap.received(data)
        for recording in self._recordings:
            recording.take(self._number, False, data)

    def sent(self, data: bytes) -> None:
        if self._tap:
            self._tap.sent(data)
        for recording in self._recordings:
            recording.take(self._number, True, data)
