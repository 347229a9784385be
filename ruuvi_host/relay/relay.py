"""A relay: cuts batches at its beat, and delivers them to its sink until they are accepted.

Two tasks. *fill* takes from the table at each beat, whatever the server does, so that intervals
are never merged, and puts the batch into the spool. *drain* delivers: the newest batch first as
long as it has not been tried, then the spool in order. A batch leaves the spool when the server
has accepted it; a pause that grows with each failure lies between attempts. A server that is down
is a normal state.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from math import inf

from firmware_protocol.messages import DeviceId
from ruuvi_host.clock import Clock
from ruuvi_host.health import TargetFacts
from ruuvi_host.intake.batch import Batch, Batcher
from ruuvi_host.logs import Repeated
from ruuvi_host.relay.gateway_json import BodyFacts, body_slices
from ruuvi_host.relay.sink import Outcome, Sink, Verdict
from ruuvi_host.relay.spool import Spool
from ruuvi_host.status import RelayCounters

log = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
"""Seconds after the first failure; doubles with each further one."""
LONGEST_PAUSE = 60.0
JITTER = 0.25
"""A pause is so much shorter or longer, by chance: many hosts must not return at once when their
server does."""
BACKLOG_PACE = 0.05
"""Seconds between two posts of a backlog: 20 a second are polite to a server that just recovered,
and an hour of 10 s batches is through in under half a minute."""
TOO_MANY = 429
LONGEST_ATTEMPT = 60.0
"""Seconds that a sink may take; for telling a relay that stands still from one that waits."""


class Nonces:
    """One running number for all relays, random at start, as on the gateway."""

    def __init__(self) -> None:
        self._last = random.getrandbits(32)

    def next(self) -> int:
        self._last = (self._last + 1) & 0xFFFFFFFF
        return self._last


class Relay:
    """One target: its queue, timer, counters and failures are its own.

    gateway: the coprocessor's identity once it is known.
    first_pause: seconds until the first failed post is tried again.
    pace: least seconds between two posts of a backlog.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        batcher: Batcher,
        gateway: Callable[[], DeviceId],
        facts: BodyFacts,
        nonces: Nonces,
        clock: Clock,
        *,
        first_pause: float = FIRST_PAUSE,
        pace: float = BACKLOG_PACE,
    ) -> None:
        self.name = name
        self.counters = RelayCounters()
        self.spool = Spool(self.counters)
        self._sink = sink
        self._batcher = batcher
        self._gateway = gateway
        self._facts = facts
        self._nonces = nonces
        self._clock = clock
        self._pace = pace
        self._period = batcher.period
        self._untried: Batch | None = None
        """The newest batch, as long as it has not been tried. It is in the spool too, unless it
        is empty: that one is only a sign of life, and nothing is lost with it."""
        self._suspect: tuple[Batch | None, int] = None, 0
        """The batch that failed last, and how many had been accepted by then."""
        self._work = asyncio.Event()
        self._period_changed = asyncio.Event()
        self._failures = 0
        self._first_pause = first_pause
        self._pause = first_pause
        self._failure = Repeated(clock=clock.monotonic)
        self._refusal = Repeated(clock=clock.monotonic)
        self._said_failing = False
        """The last word in the log was that posts fail."""
        self._step_due = inf
        self._failing = ""
        self._served = self._answered = clock.monotonic()

    def facts(self) -> TargetFacts:
        """How it is, for the judgement of health."""
        return TargetFacts(
            self.name,
            beat_due=self._batcher.due,
            step_due=self._step_due,
            failing=self._failing,
            served=self._served,
            answered=self._answered,
            waiting=len(self.spool),
        )

    async def run(self) -> None:
        """Relay until cancelled. What is undelivered then is still here: see `finish`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fill(), name=f"{self.name} fill")
            tasks.create_task(self._drain(), name=f"{self.name} drain")

    async def finish(self, seconds: float) -> None:
        """After `run`: cut the last batch, and try for so long to deliver all that is left.

        No empty batch is sent any more. What is not delivered is in the spool.
        """
        self._cut()
        if self._untried and not self._untried.advertisements:
            self._untried = None
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.spool:
                    if await self._deliver_next() in (Verdict.LATER, Verdict.MEND):
                        break
                    if self.spool:
                        await asyncio.sleep(self._pace)
        await self._sink.close()

    async def retire(self) -> None:
        """After `run`, when another relay takes over: cut the last batch, deliver nothing."""
        self._cut()
        self._untried = None
        await self._sink.close()

    async def _fill(self) -> None:
        while True:
            await self._until_due()
            self._cut()
            self._work.set()

    async def _until_due(self) -> None:
        while (pause := self._batcher.due - self._clock.monotonic()) > 0:
            self._period_changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._period_changed.wait()

    def _cut(self) -> None:
        advertisements = self._batcher.take(self._clock.monotonic())
        if self._untried and not self._untried.advertisements:
            self.counters.empty_failed += 1  # its time is over before it could be tried
        self._untried = Batch(self._nonces.next(), self._gateway(), advertisements)
        self.counters.batches += 1
        if advertisements:
            self.spool.append(self._untried)

    async def _drain(self) -> None:
        while True:
            if not self._untried and not self.spool:
                self._work.clear()
                self._step_due = inf
                await self._work.wait()
            if await self._deliver_next() in (Verdict.LATER, Verdict.MEND):
                await self._rest(self._pause)
            elif self.spool:
                await self._rest(self._pace)

    async def _rest(self, pause: float) -> None:
        self._step_due = self._clock.monotonic() + pause
        await asyncio.sleep(pause)

    async def _deliver_next(self) -> Verdict:
        """One attempt: the newest batch if it has not been tried, else the oldest."""
        batch, self._untried = self._untried or self.spool.oldest(), None
        self._step_due = self._clock.monotonic() + LONGEST_ATTEMPT
        body = await self._body(batch)
        self.counters.posts += 1
        outcome = await self._sink.deliver(body, batch.gateway)
        if outcome.period is not None:
            self._period = outcome.period
        self._failing = outcome.reason
        if outcome.verdict is Verdict.ACCEPTED:
            self._failing = ""
            self._served = self._answered = self._clock.monotonic()
        elif outcome.status == TOO_MANY:  # no success, but the network is there
            self._answered = self._clock.monotonic()
        match outcome.verdict:
            case Verdict.ACCEPTED:
                self._accepted(batch)
            case Verdict.LATER | Verdict.MEND:
                self._failed(batch, outcome)
            case Verdict.REFUSED:
                self._refused(batch, outcome)
        return outcome.verdict

    async def _body(self, batch: Batch) -> bytes:
        pieces = []
        for piece in body_slices(batch, self._facts, int(self._clock.wall())):
            pieces.append(piece)
            await asyncio.sleep(0)  # others get their turn during a large batch
        return b"".join(pieces)

    def _accepted(self, batch: Batch) -> None:
        self.counters.accepted += 1
        if self.spool.remove(batch):  # else the full queue pushed it out, and it was counted there
            self.counters.accepted_reports += len(batch.advertisements)
        if self.counters.accepted == 1 or self._said_failing:
            after = f" after {self._failures} failed posts" if self._failures else ""
            log.info("%s: batches are accepted%s; %s", self.name, after, self._waiting())
        self._failures = 0
        self._said_failing = False
        if self._batcher.period != self._period:
            log.info("%s: the server asks for a batch every %d s", self.name, self._period)
            self._batcher.period = self._period
            self._period_changed.set()

    def _failed(self, batch: Batch, outcome: Outcome) -> None:
        self.counters.failed += 1
        self.counters.empty_failed += not batch.advertisements
        self._pause = self._backoff()
        if outcome.retry_after:
            self._pause = max(outcome.retry_after, self._first_pause)
        self._failures += 1
        self._let_others_pass(batch)
        # A server that goes up and down all the time gets no more lines than one that stays down.
        if count := self._failure.due():
            self._said_failing = True
            log.warning(
                "%s: post failed (%s)%s; %s, next try in %.0f s",
                *(self.name, outcome.reason),
                f", {count} times since the last message" if count > 1 else "",
                *(self._waiting(), self._pause),
                extra={"attempt": self._failures},
            )

    def _let_others_pass(self, batch: Batch) -> None:
        """A batch that fails again although the server took others in between goes to the end:
        one that it can never take must not hold up the rest."""
        suspect, accepted_then = self._suspect
        self._suspect = batch, self.counters.accepted
        if batch is suspect and self.counters.accepted > accepted_then and self.spool.remove(batch):
            self.spool.append(batch)

    def _refused(self, batch: Batch, outcome: Outcome) -> None:
        self.counters.failed += 1
        self.counters.refused += 1
        if self.spool.remove(batch):
            self.counters.refused_reports += len(batch.advertisements)
        if count := self._refusal.due():
            log.error(
                "%s: the server refuses the data (%s): %d batches dropped since the last message",
                *(self.name, outcome.reason, count),
            )

    def _backoff(self) -> float:
        pause = min(LONGEST_PAUSE, self._first_pause * 2.0 ** min(self._failures, 16))
        return pause * random.uniform(1 - JITTER, 1 + JITTER)

    def _waiting(self) -> str:
        if not self.spool:
            return "nothing is waiting"
        return f"waiting: batches {len(self.spool)}, reports {self.spool.reports}"
