"""Delivery as line protocol: a batch in one write request, or in several that are not too large."""

import asyncio
import gzip
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.intake.readings import Readings
from ruuvi_host.logs import Repeated
from ruuvi_host.relay.http.poster import Poster
from ruuvi_host.relay.http.request import Header
from ruuvi_host.relay.influxdb.answers import TOO_LARGE, UNSUPPORTED, Understood, understood
from ruuvi_host.relay.influxdb.points import PointWriter
from ruuvi_host.relay.sink import Outcome, Verdict

log = logging.getLogger(__name__)

MOST_BYTES = 512 * 1024
"""Of one request, before it is compressed: what stands in front of a database often takes no more
than 1 MiB."""
LEAST_BYTES = 1024
"""To which that is remembered as the limit of a database that takes less."""
PATIENCE = 30.0
"""Seconds for one batch; what is not written then is left to the next attempt."""
WRITE_TIMEOUT = 20.0
"""Seconds for one request. With PATIENCE less than a sink may take."""
_AT_ONCE = 50
"""Reports between two turns of the loop for others."""
_NO_TIMES = (
    "its readings have no times, which a database needs: ntp_use was false when they were received"
)
_TEXT: Header = ("Content-Type", "text/plain; charset=utf-8")
_GZIP: Header = ("Content-Encoding", "gzip")


class _Point(NamedTuple):
    report: Advertisement
    line: bytes


class InfluxSink:
    """Writes the points of batches.

    known: what people say about their sensors, as of now.
    """

    def __init__(
        self,
        name: str,
        poster: Poster,
        writer: PointWriter,
        known: Callable[[], Readings],
        *,
        compress: bool,
    ) -> None:
        self._name = name
        self._poster = poster
        self._writer = writer
        self._known = known
        self._compress = compress
        self._unpacks = False
        """The database has shown that it does."""
        self._most_bytes = MOST_BYTES
        self._empty = Repeated()

    async def run(self) -> None:
        """Nothing: a connection that is kept needs nobody between two posts."""

    async def deliver(self, batch: Batch, utc: float) -> Outcome:
        if batch.counted:
            return Outcome(Verdict.REFUSED, _NO_TIMES, begun=False)
        points = await self._points(batch)
        if not points:
            return await self._without_points()
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        parts = [points]
        """The next one at the end."""
        refused, served, last, trouble = 0, False, Outcome(Verdict.ACCEPTED), None
        while parts:
            part = parts.pop()
            body = b"".join(point.line for point in part)
            if len(body) > self._most_bytes and len(part) > 1:
                parts += _halves(part)
                continue
            if served and loop.time() > until:
                slow = Outcome(Verdict.LATER, f"not all is written within {PATIENCE:g} s", wait=0)
                return _left(slow, part, parts, refused)
            outcome, dropped = await self._write(body)
            if outcome.code == TOO_LARGE and len(part) > 1:
                self._most_bytes = max(len(body) // 2, LEAST_BYTES)
                parts += _halves(part)
                continue
            if outcome.verdict in (Verdict.LATER, Verdict.FIX):
                if outcome.advice:
                    outcome = replace(outcome, reason=f"{outcome.reason}; {outcome.advice.remedy}")
                # Reports without a point count for accepted with what they came with.
                return _left(outcome, part, parts, refused) if served else outcome
            served, last = True, outcome
            if outcome.verdict is Verdict.REFUSED or dropped:
                refused += min(dropped, len(part)) if dropped else len(part)
                trouble = trouble or replace(outcome, body=body)
        if trouble is None:
            return last
        everything = refused >= len(batch.advertisements)
        verdict = Verdict.REFUSED if everything else Verdict.ACCEPTED
        return replace(trouble, verdict=verdict, refused=0 if everything else refused)

    async def _without_points(self) -> Outcome:
        """An empty request: whether the database is there counts for health and network watchdog.
        Some databases refuse one because it is empty."""
        outcome, _ = await self.write(b"")
        if outcome.verdict is Verdict.REFUSED:
            return Outcome(Verdict.ACCEPTED, code=outcome.code)
        return outcome

    async def _write(self, body: bytes) -> Understood:
        """One request; a second one to a database that refuses the first of all because it does not
        unpack: what it says of it is what it says of bad lines, or 415."""
        packed = await self.write(body)
        if not self._compress or self._unpacks:
            return packed
        verdict = packed.outcome.verdict
        if verdict is not Verdict.REFUSED and packed.outcome.code != UNSUPPORTED:
            self._unpacks = verdict is Verdict.ACCEPTED
            return packed
        self._compress = False
        plain = await self.write(body)
        if plain.outcome.verdict is Verdict.ACCEPTED:
            log.info("%s: takes nothing that is compressed; it gets it as it is", self._name)
        else:
            self._compress = True
        return plain

    async def write(self, body: bytes) -> Understood:
        """One request. body: lines; empty to see whether the database would take some."""
        headers = [_TEXT]
        if self._compress and body:
            body = await asyncio.to_thread(gzip.compress, body, 4, mtime=0)
            headers.append(_GZIP)
        return understood(await self._poster.post_as(body, headers))

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        await self._poster.close()

    async def _points(self, batch: Batch) -> list[_Point]:
        known, points = self._known(), []
        gateway = batch.gateway.addr
        for number, report in enumerate(batch.advertisements):
            if not number % _AT_ONCE:
                await asyncio.sleep(0)
            if line := self._writer.line(known, report, gateway):
                points.append(_Point(report, line))
        empty = len(batch.advertisements) - len(points)
        if empty and self._empty.due():
            log.info(
                "%s: reports without a value that is written (encrypted without a key, or unknown "
                "formats): %d of %d in this batch",
                *(self._name, empty, len(batch.advertisements)),
            )
        return points


def _halves(part: list[_Point]) -> tuple[list[_Point], list[_Point]]:
    """The one that is written next comes last."""
    middle = len(part) // 2
    return part[middle:], part[:middle]


def _left(outcome: Outcome, part: list[_Point], parts: list[list[_Point]], refused: int) -> Outcome:
    """What is not written: this part, and all that come behind it."""
    remaining = tuple(point.report for each in (part, *reversed(parts)) for point in each)
    return replace(outcome, remaining=remaining, refused=refused)
