"""A relay: cuts batches at its beat, and delivers them to its sink until they are accepted.

Two tasks. *fill* takes from the table at each beat, whatever the server does, so that intervals
are never merged. *drain* delivers: the newest batch first as long as it has not been tried, then
what waits in the spool, in order and paced. While the server answers a batch lives in memory only.
What is not accepted at its first attempt goes to the spool before anything else happens to it; so
does what is cut while an attempt or a pause is pending. A server that is down is a normal state.

In profile "gateway" it is as the gateway does it: one task, no spool, a failed batch is lost.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from math import inf

from firmware_protocol.messages import DeviceId
from ruuvi_host.clock import Clock
from ruuvi_host.config.model import Profile
from ruuvi_host.config.spool import Sync
from ruuvi_host.errors import SpoolError
from ruuvi_host.intake.batch import Batch, Batcher
from ruuvi_host.logs import Repeated
from ruuvi_host.monitoring.health import TargetFacts
from ruuvi_host.relay import pauses
from ruuvi_host.relay.pauses import TO_OWN_SERVER, Pacing
from ruuvi_host.relay.sink import Outcome, Sink, Verdict
from ruuvi_host.relay.spool.spool import Spool, Waiting

log = logging.getLogger(__name__)

GATEWAY_PAUSE = 67.0
"""Seconds from the last beat to the next one after a failure. The gateway's own rule."""
LONGEST_ATTEMPT = 60.0
"""Seconds that a sink may take; for telling a relay that stands still from one that waits."""
DISK_GRACE = 1.0
"""Seconds for the disk at the end, once for writing and once for closing; it may hang, and the stop
of the host must not."""


class Nonces:
    """One running number for all relays, random at start, as on the gateway."""

    def __init__(self) -> None:
        self._last = random.getrandbits(32)

    def next(self) -> int:
        self._last = (self._last + 1) & 0xFFFFFFFF
        return self._last

    def give_back(self, nonce: int) -> None:
        """It was not used; the next one may have it, unless others are on their way."""
        if nonce == self._last:
            self._last = (nonce - 1) & 0xFFFFFFFF


class Relay:
    """One target: its queue, timer, counters and failures are its own.

    gateway: the coprocessor's identity once it is known; asked when a batch is cut.
    ready: set when batches can be cut. What waits from before is sent without it.
    counted: batches have running numbers in place of times.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        batcher: Batcher,
        gateway: Callable[[], DeviceId],
        nonces: Nonces,
        clock: Clock,
        spool: Spool,
        *,
        counted: bool = False,
        ready: asyncio.Event | None = None,
        profile: Profile = Profile.HOST,
        pacing: Pacing = TO_OWN_SERVER,
    ) -> None:
        self.name = name
        self.counters = spool.counters
        self.spool = spool
        self._sink = sink
        self._batcher = batcher
        self._gateway = gateway
        self._counted = counted
        self._nonces = nonces
        self._clock = clock
        self._profile = profile
        self._pacing = pacing
        self._ready = ready
        self._period = batcher.period
        """What the server asked for last; `batcher` follows with the next success."""
        self._told_period = batcher.period
        self._live: Waiting | None = None
        """The newest batch, as long as it has not been tried."""
        self._current: Waiting | None = None
        """The one under way."""
        self._before_last: Waiting | None = None
        """At the end: cut before the last one, and never tried."""
        self._busy = False
        """An attempt or a pause is pending."""
        self._suspect: tuple[Batch | None, int] = None, 0
        """The batch that failed last, and how many had been accepted by then."""
        self._work = asyncio.Event()
        self._period_changed = asyncio.Event()
        self._gateway_period = batcher.period
        """Until the next success, in profile gateway."""
        self._last_post = -pacing.gap
        self._last_was_live = False
        self._failures = 0
        self._pause = 0.0
        self._failure = Repeated(clock=clock.monotonic)
        self._fault = Repeated(clock=clock.monotonic)
        self._refusal = Repeated(clock=clock.monotonic)
        self._step_due = inf
        """Monotonic seconds at which what is under way must have ended."""
        self._unkept_since: float | None = None
        self._failing = ""
        self._served = self._answered = clock.monotonic()
        self._said_failing = False
        """The last word in the log was that posts fail."""

    @property
    def waiting(self) -> tuple[int, int]:
        """Batches and reports that are on their way, in memory or in the spool."""
        batches, reports = self.spool.batches, self.spool.reports
        for waiting in (self._live, self._current):
            if waiting and not waiting.kept:
                batches += 1
                reports += len(waiting.batch.advertisements)
        return batches, reports

    def facts(self) -> TargetFacts:
        """How it is, for the judgement of health."""
        cuts = self._ready is None or self._ready.is_set()
        # What the gateway loses by design is no fault.
        if self._profile is Profile.GATEWAY or not self.spool.only_in_memory[0]:
            self._unkept_since = None
        elif self._unkept_since is None:
            self._unkept_since = self._clock.monotonic()
        return TargetFacts(
            self.name,
            batch_due=self._batcher.due if cuts else inf,
            step_due=self._step_due,
            failing=self._failing,
            served=self._served,
            answered=self._answered,
            waiting=self.waiting[0],
            unkept_since=self._unkept_since,
        )

    async def run(self) -> None:
        """Relay until cancelled. What is undelivered then is still here: see `finish`, `retire`."""
        if self._profile is Profile.GATEWAY:
            await self._run_as_gateway()
            return
        await self.spool.open()
        if self.spool.batches:
            log.info("%s: %s from before", self.name, self._told_waiting())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fill(), name=f"{self.name} fill")
            tasks.create_task(self._drain(), name=f"{self.name} drain")

    async def finish(self, seconds: float) -> None:
        """After `run`: keep all that is undelivered, then try for so long to deliver it.

        No empty batch is sent any more. What is not delivered is in the spool. Raises SpoolError
        when it could not be written there.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        self.cut_last()
        await self._keep_all()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while waiting := await self._next_at_the_end():
                    if not await self._attempt(waiting):
                        break
                    if self.spool.batches:
                        await asyncio.sleep(self._pacing.gap)
        await self._end()

    async def retire(self) -> None:
        """After `run`: keep all that is undelivered, and deliver nothing. Another relay with this
        one's spool goes on with it."""
        self.cut_last()
        await self._keep_all()
        self._live = None if self._live and self._live.kept else self._live
        self.spool.in_hand.clear()
        self._lose_what_is_not_kept()
        await self._sink.close()

    async def drain(self) -> bool:
        """Deliver what is in the spool, and nothing else. False: it was not all accepted."""
        await self.spool.open()
        while waiting := await self._next_at_the_end():
            if not await self._attempt(waiting):
                return False
            await asyncio.sleep(self._pacing.gap)
        return True

    # --- fill

    async def _fill(self) -> None:
        if self._ready:
            await self._ready.wait()
        while True:
            await self._until_due()
            await self._cut()

    async def _until_due(self) -> None:
        while (pause := self._batcher.due - self._clock.monotonic()) > 0:
            self._period_changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._period_changed.wait()

    async def _cut(self) -> None:
        """Take a batch at the beat, for drain. On disk at once if it cannot be tried at once."""
        before, self._live = self._live, self._take()
        if before and not before.batch.advertisements:
            self.counters.empty_failed += 1  # its time is over before it could be tried
        elif before:
            await self._keep(before)
        always = self.spool.settings.sync is Sync.ALWAYS
        if self._live and self._live.batch.advertisements and (self._busy or always):
            await self._keep(self._live)
        self._work.set()

    def _take(self) -> Waiting:
        advertisements = self._batcher.take(self._clock.monotonic())
        self.counters.batches += 1
        self.counters.batch_reports += len(advertisements)
        batch = Batch(self._nonces.next(), self._gateway(), advertisements, self._counted)
        return self.spool.new(batch)

    async def _keep(self, waiting: Waiting) -> None:
        self.spool.in_hand.add(waiting)
        await self.spool.add(waiting)
        if waiting not in (self._live, self._current):
            self.spool.in_hand.discard(waiting)

    # --- drain

    async def _drain(self) -> None:
        while True:
            if not await self._attempt(await self._next()):
                self._step_due = self._clock.monotonic() + self._pause
                await asyncio.sleep(self._pause)
            self._busy = False

    async def _next(self) -> Waiting:
        """What is to be sent now; waits for it. `_busy` from here on."""
        while True:
            self._work.clear()
            turn = self._backlog_turn()
            if self._live and turn is not None and self._takes_turns():
                live, self._live = self._live, None
                if live.batch.advertisements:
                    await self._keep(live)
                else:
                    self.counters.empty_failed += 1
                turn = 0.0
            elif self._live:
                self._busy, self._last_was_live = True, True
                self._current, self._live = self._live, None
                return self._current
            if turn == 0.0:
                self._busy, self._last_was_live = True, False
                if oldest := await self._oldest():
                    self._current = oldest
                    return oldest
                self._busy = False
            else:
                self._step_due = inf if turn is None else self._clock.monotonic() + turn
                with suppress(TimeoutError):
                    async with asyncio.timeout(turn):
                        await self._work.wait()

    def _backlog_turn(self) -> float | None:
        """Seconds until a post of the backlog is due, or has to be thought about again."""
        in_hand = bool(self._live and self._live.kept)
        if self.spool.batches - in_hand <= 0:
            return None
        now, gap = self._clock.monotonic(), self._pacing.gap
        wait = self._last_post + gap - now
        if self._ready is None or self._ready.is_set():
            to_batch = self._batcher.due - now
            if to_batch < max(wait, 0.0) + gap:  # the live batch comes first
                return max(to_batch, 0.01)
        return max(wait, 0.0)

    def _takes_turns(self) -> bool:
        """A beat too quick for posts in between: every other one is the backlog's."""
        return self._batcher.period < 2 * self._pacing.gap and self._last_was_live

    async def _oldest(self) -> Waiting | None:
        return await self.spool.oldest(self._pacing.window, self._nonces.next)

    async def _attempt(self, waiting: Waiting) -> bool:
        """Post a batch, and do with it what the outcome says. True: go on with the next."""
        self._current = waiting
        batch = waiting.batch
        self._step_due = self._clock.monotonic() + LONGEST_ATTEMPT
        self._last_post = self._clock.monotonic()
        self.counters.posts += 1
        outcome = await self._sink.deliver(batch, self._clock.wall())
        self.counters.posts -= not outcome.begun
        if outcome.period is not None:
            self._period = outcome.period
        self._failing = outcome.reason
        if outcome.verdict is Verdict.ACCEPTED:
            self._failing = ""
            self._served = self._answered = self._clock.monotonic()
        elif outcome.reached:
            self._answered = self._clock.monotonic()
        match outcome.verdict:
            case Verdict.ACCEPTED:
                await self._accepted(waiting)
            case _ if self._profile is Profile.GATEWAY:
                self._failed_as_gateway(batch, outcome)
            case Verdict.LATER | Verdict.FIX:
                await self._failed(waiting, outcome)
            case Verdict.REFUSED:
                await self._refused(waiting, outcome)
        self._current = None
        return outcome.verdict in (Verdict.ACCEPTED, Verdict.REFUSED)

    async def _accepted(self, waiting: Waiting) -> None:
        self.counters.accepted += 1
        self.counters.accepted_reports += len(waiting.batch.advertisements)
        self._current = None
        failures, self._failures = self._failures, 0
        if waiting.kept:
            await self.spool.remove(waiting)
        if self.counters.accepted == 1 or self._said_failing:
            after = f" after {failures} failed posts" if failures else ""
            log.info("%s: batches are accepted%s; %s", self.name, after, self._told_waiting())
        self._said_failing = False
        if self._told_period != self._period:
            self._told_period = self._period
            log.info("%s: the server asks for a batch every %d s", self.name, self._period)
        if self._batcher.period != self._period:
            self._batcher.period = self._period
            self._period_changed.set()
        self._gateway_period = self._period

    async def _failed(self, waiting: Waiting, outcome: Outcome) -> None:
        if waiting.batch.advertisements:
            await self._keep(waiting)  # before anything else
            self.spool.in_hand.discard(waiting)
        else:
            self._current = None
            self.counters.empty_failed += 1
        self._count_failure()
        if outcome.verdict is Verdict.FIX:
            self._pause = pauses.fixing(self._period)
        else:
            least = self._pacing.gap
            self._pause = pauses.back_off(self._batcher.period, self._failures - 1, least=least)
        if outcome.wait is not None:
            self._pause = max(outcome.wait, pauses.LEAST)
        await self._let_others_pass(waiting)
        self._tell_failure(outcome, f"next try in {self._pause:.0f} s")

    def _count_failure(self) -> None:
        self.counters.failed += 1
        self._failures += 1

    def _tell_failure(self, outcome: Outcome, what_next: str) -> None:
        """A server that goes up and down gets no more lines than one that stays down."""
        fix = outcome.verdict is Verdict.FIX
        if count := (self._fault if fix else self._failure).due():
            self._said_failing = True
            log.log(
                logging.ERROR if fix else logging.WARNING,
                "%s: %s (%s)%s; %s, %s",
                *(self.name, "this has to be fixed" if fix else "post failed", outcome.reason),
                f", {count} times since the last message" if count > 1 else "",
                *(self._told_waiting(), what_next),
                extra={"attempt": self._failures, "status": outcome.code},
            )

    async def _let_others_pass(self, waiting: Waiting) -> None:
        """A batch that fails again although the server took others in between goes to the end:
        one that it can never take must not hold up the rest."""
        suspect, accepted_then = self._suspect
        self._suspect = waiting.batch, self.counters.accepted
        if waiting.kept and waiting.batch == suspect and self.counters.accepted > accepted_then:
            await self.spool.postpone(waiting)

    async def _refused(self, waiting: Waiting, outcome: Outcome) -> None:
        self.counters.failed += 1
        self.counters.refused += 1
        self.counters.refused_reports += len(waiting.batch.advertisements)
        self._current = None
        if waiting.kept:
            await self.spool.remove(waiting)
        if outcome.body is not None:
            await self.spool.keep_refused(waiting.batch, outcome.code, outcome.body)
        if count := self._refusal.due():
            log.error(
                "%s: the server refuses the data (%s): %d batches dropped since the last message; "
                "the newest are in %s.refused",
                *(self.name, outcome.reason, count, self.spool.path.with_suffix("")),
            )

    # --- as the gateway does it

    async def _run_as_gateway(self) -> None:
        if self.spool.path.exists():
            log.warning(
                "%s: batches from profile host wait in %s; this profile does not send them "
                "(ruuvi-host spool drain %s)",
                *(self.name, self.spool.path, self.name),
            )
        if self._ready:
            await self._ready.wait()
        while True:
            await self._until_due()
            await self._attempt(self._take())
            self._step_due = inf
            self._batcher.skip(self._clock.monotonic())  # a beat during a post is lost
            if self._failures:
                self._batcher.period = self._gateway_period

    def _failed_as_gateway(self, batch: Batch, outcome: Outcome) -> None:
        self._current = None
        self._lose(batch)
        self._count_failure()
        if outcome.begun:
            self._gateway_period = GATEWAY_PAUSE
        else:
            self._nonces.give_back(batch.nonce)
        self._tell_failure(outcome, f"reports lost so far {self.counters.lost_reports}")

    # --- the end

    def cut_last(self) -> None:
        """The last batch, unless nothing has been heard."""
        if self._ready and not self._ready.is_set():
            return
        if self._live and not self._live.batch.advertisements:
            self._live = None
            self.counters.empty_failed += 1
        if self._batcher.is_empty:
            return
        self._before_last, self._live = self._live, self._take()

    async def _keep_all(self) -> None:
        """What is in hand goes to the spool, the oldest first; in profile gateway it is lost, but
        for the newest."""
        todo = [self._current, self._before_last, self._live]
        self._current = self._before_last = None
        if self._profile is Profile.GATEWAY:
            for waiting in todo[:-1]:
                if waiting:
                    self._lose(waiting.batch)
            return
        try:
            async with asyncio.timeout(DISK_GRACE):
                for waiting in todo:
                    if waiting is None:
                        continue
                    if waiting.batch.advertisements:
                        await self._keep(waiting)
                    else:
                        self.counters.empty_failed += 1
        except TimeoutError:
            log.error("%s: the disk does not answer", self.name)

    async def _next_at_the_end(self) -> Waiting | None:
        """The newest batch if it has not been tried, else the oldest."""
        if waiting := self._live:
            self._live = None
            return waiting
        return await self._oldest() if self._profile is Profile.HOST else None

    async def _end(self) -> None:
        await self._sink.close()
        self._lose_what_is_not_kept()
        if self._profile is Profile.GATEWAY:
            return
        try:
            async with asyncio.timeout(DISK_GRACE):
                await self.spool.close()
        except TimeoutError:
            log.error("%s: the disk does not answer", self.name)
        batches, reports = self.spool.only_in_memory
        self.counters.lost += batches
        self.counters.lost_reports += reports
        self.counters.kept = self.spool.batches - batches
        self.counters.kept_reports = self.spool.reports - reports
        if self.counters.kept:
            log.warning("%s: kept for next time: batches %d", self.name, self.counters.kept)
        if batches:
            log.error("%s: reports lost %d", self.name, reports)
            raise SpoolError(str(self.spool.path), "undelivered data could not be written")

    def _lose_what_is_not_kept(self) -> None:
        """What is still in hand, and in no spool."""
        for waiting in (self._current, self._live, self._before_last):
            if waiting and not waiting.kept:
                self._lose(waiting.batch)
        self._current = self._live = self._before_last = None

    def _lose(self, batch: Batch) -> None:
        if batch.advertisements:
            self.counters.lost += 1
            self.counters.lost_reports += len(batch.advertisements)
        else:
            self.counters.empty_failed += 1

    def _told_waiting(self) -> str:
        batches, reports = self.waiting
        if not batches:
            return "nothing is waiting"
        return f"waiting: batches {batches}, reports {reports}"
