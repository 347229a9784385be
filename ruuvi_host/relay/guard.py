"""The border between a relay and its sink: a mistake in a sink costs that target a retry, and
neither the other targets nor the host anything."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from traceback import extract_tb

from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.sink import Connected, Hurrying, Outcome, Settled, Sink, Verdict

log = logging.getLogger(__name__)

AGAIN = 60.0
"""Seconds until what a sink runs beside its relay is started again after a mistake."""


class Guarded:
    """A sink whose exceptions go no further. It is a Sink itself.

    name: of the target, for the log.
    """

    def __init__(self, name: str, sink: Sink) -> None:
        self._name = name
        self._sink = sink
        self._told: set[tuple[str, int]] = set()
        """File and line of the mistakes that are in the log."""

    @property
    def state(self) -> str:
        """As of Connected; empty: there is no connection that is kept."""
        return self._sink.state if isinstance(self._sink, Connected) else ""

    @property
    def is_leaving(self) -> bool:
        return isinstance(self._sink, Connected) and self._sink.is_leaving

    async def refresh(self) -> None:
        if isinstance(self._sink, Connected):
            try:
                await self._sink.refresh()
            except Exception as error:
                self._tell(error)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What lives on between batches runs in here."""
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.run(), name=f"{self._name} sink")
            yield
            running.cancel()

    async def run(self) -> None:
        while True:
            try:
                return await self._sink.run()
            except Exception as error:
                self._tell(error)
            await asyncio.sleep(AGAIN)

    @property
    def can_hurry(self) -> bool:
        return isinstance(self._sink, Hurrying)

    async def goes_on(self) -> bool:
        try:
            return isinstance(self._sink, Hurrying) and await self._sink.goes_on()
        except Exception as error:
            self._tell(error)
            return False

    async def settle(self) -> Settled:
        try:
            return await self._sink.settle() if isinstance(self._sink, Hurrying) else Settled.NONE
        except Exception as error:
            self._tell(error)
            return Settled.NONE

    async def deliver(self, batch: Batch, utc: float, *, hurried: bool = False) -> Outcome:
        """hurried: as a Hurrying sink does, if it is one."""
        try:
            if hurried and isinstance(self._sink, Hurrying):
                outcome = await self._sink.deliver_hurried(batch, utc)
            else:
                outcome = await self._sink.deliver(batch, utc)
            if outcome.fates(batch).accepted < 0 or outcome.remaining == ():
                raise ValueError("what remains is all, or a part, of the reports")
        except Exception as error:
            self._tell(error)
            return Outcome(Verdict.LATER, f"an error in ruuvi-host: {type(error).__name__}")
        return outcome

    async def pause(self, seconds: float) -> None:
        try:
            await self._sink.pause(seconds)
        except Exception as error:
            self._tell(error)
            await asyncio.sleep(seconds)

    async def close(self) -> None:
        try:
            await self._sink.close()
        except Exception as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """Once for each place in the code; that it happened again is told by the relay."""
        frame = extract_tb(error.__traceback__)[-1]
        place = frame.filename, frame.lineno or 0
        if place not in self._told:
            self._told.add(place)
            log.error("%s: an error in ruuvi-host, please report it", self._name, exc_info=error)
