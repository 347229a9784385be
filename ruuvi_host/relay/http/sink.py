"""Delivery of batches by HTTP: the gateway's JSON, in one post for each attempt."""

import asyncio
from dataclasses import replace

from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.gateway_json import BodyFacts, body_slices
from ruuvi_host.relay.http.poster import Poster
from ruuvi_host.relay.sink import Outcome, Settled, Verdict


class HttpSink:
    """Makes a body of each batch, and posts it.

    facts: what a body says besides its batch.
    """

    def __init__(self, poster: Poster, facts: BodyFacts) -> None:
        self._poster = poster
        self._facts = facts

    async def run(self) -> None:
        """Nothing: a connection that is kept needs nobody between two posts."""

    async def deliver(self, batch: Batch, utc: float) -> Outcome:
        return await self._deliver(batch, utc, hurried=False)

    async def deliver_hurried(self, batch: Batch, utc: float) -> Outcome:
        return await self._deliver(batch, utc, hurried=True)

    async def goes_on(self) -> bool:
        return await self._poster.burst.goes_on()

    async def settle(self) -> Settled:
        return await self._poster.burst.settle()

    async def _deliver(self, batch: Batch, utc: float, *, hurried: bool) -> Outcome:
        body = await self._body(batch, int(utc))
        outcome = await self._poster.post(body, batch.gateway, hurried=hurried)
        return replace(outcome, body=body) if outcome.verdict is Verdict.REFUSED else outcome

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        await self._poster.close()

    async def _body(self, batch: Batch, utc: int) -> bytes:
        facts, pieces = replace(self._facts, use_timestamps=not batch.counted), []
        for piece in body_slices(batch, facts, utc):
            pieces.append(piece)
            await asyncio.sleep(0)  # others get their turn during a large batch
        return b"".join(pieces)
