"""What stands in for the sink where the library for MQTT is not installed: batches wait."""

import asyncio

from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.sink import Outcome, Verdict


class MissingSink:
    """Delivers nothing. reason: why."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def run(self) -> None:
        """Nothing lives on between batches."""

    async def deliver(self, batch: Batch, utc: float) -> Outcome:
        return Outcome(Verdict.FIX, self._reason, begun=False)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Nothing is open."""
