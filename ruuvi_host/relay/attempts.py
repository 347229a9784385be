"""One attempt with the current batch of an outbox, and what becomes of the batch by its outcome."""

from ruuvi_host.clock import Clock
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.burst import Burst
from ruuvi_host.relay.delivery import Delivery
from ruuvi_host.relay.delivery_log import DeliveryLog
from ruuvi_host.relay.drain_rate import DrainRate, Reply
from ruuvi_host.relay.outbox import Outbox, Turn
from ruuvi_host.relay.pauses import BackOff
from ruuvi_host.relay.sink import Outcome, Verdict
from ruuvi_host.relay.source import BatchSource
from ruuvi_host.relay.spool.unwritten import Waiting


class Attempts:
    """Of one target, one after the other."""

    def __init__(
        self,
        outbox: Outbox,
        source: BatchSource,
        delivery: Delivery,
        clock: Clock,
        back_off: BackOff,
        log: DeliveryLog,
        burst: Burst,
        rate: DrainRate | None = None,
    ) -> None:
        self._outbox = outbox
        self._source = source
        self._delivery = delivery
        self._clock = clock
        self._back_off = back_off
        self._log = log
        self._burst = burst
        self._rate = rate
        self._suspect: tuple[Batch | None, int] = None, 0
        """The batch that failed last, and how many had been accepted by then."""

    async def attempt(self, *, hurried: bool = False) -> bool:
        """Deliver the current batch, and do with it what the outcome says. True: go on with the
        next. hurried: right behind the one before."""
        waiting, counters = self._outbox.current, self._delivery.counters
        assert waiting
        if self._burst.answered and self._outbox.turn is Turn.BACKLOG:
            settled = (hurried and await self._burst.goes_on()) or await self._burst.settle()
            if not settled:  # others come before it now
                await self._outbox.put_back()
                return True
        began = self._clock.monotonic()
        outcome = await self._delivery.attempt(waiting.batch, hurried=hurried)
        self._tell_rate(outcome, began)
        if outcome.unsettled and outcome.verdict is Verdict.ACCEPTED:
            self._burst.add(waiting)
            self._outbox.current = None
            self._back_off.succeeded()
            self._heed_period()
            return True
        if outcome.verdict is not Verdict.ACCEPTED and (self._burst.answered or outcome.unsettled):
            if waiting.batch.advertisements:
                await self._outbox.keep(waiting)  # before the burst's rest, which takes a second
            settled = await self._burst.settle()
            if outcome.unsettled and not settled and outcome.verdict is Verdict.REFUSED:
                await self._outbox.put_back()  # perhaps it is another one that was refused
                return True
        accepted, refused, remaining = outcome.fates(waiting.batch)
        counters.accepted_reports += accepted
        counters.refused_reports += refused
        match outcome.verdict:
            case Verdict.ACCEPTED:
                counters.accepted += 1
                await self._outbox.done()
                self._accepted()
            case Verdict.REFUSED:
                counters.refused += 1
                await self._outbox.done()
            case Verdict.LATER | Verdict.FIX:
                if accepted or refused:
                    await self._outbox.shorten(remaining)
                if accepted:
                    self._back_off.succeeded()
                await self._failed(waiting, outcome)
        if refused or outcome.verdict is Verdict.REFUSED:
            await self._keep_refused(waiting.batch, outcome)
        return outcome.verdict in (Verdict.ACCEPTED, Verdict.REFUSED)

    def _accepted(self) -> None:
        self._back_off.succeeded()
        first = self._delivery.counters.accepted == 1
        self._log.accepted(self._outbox.waiting, first=first)
        self._heed_period()

    def _heed_period(self) -> None:
        if self._delivery.period is not None:
            self._log.period(self._delivery.period)
            self._source.period = self._delivery.period

    def _tell_rate(self, outcome: Outcome, began: float) -> None:
        """What the attempt means for those of the backlog that follow."""
        late = outcome.verdict is Verdict.LATER
        if self._rate and (late or self._outbox.turn is Turn.BACKLOG):
            now = self._clock.monotonic()
            accepted = outcome.verdict is Verdict.ACCEPTED
            self._rate.told(Reply(now, now - began, accepted, overloaded=late, own=outcome.own))

    async def _failed(self, waiting: Waiting, outcome: Outcome) -> None:
        await self._outbox.put_back()
        asked, period = self._delivery.period, self._source.period
        pause = self._back_off.failed(outcome, period, asked or period)
        await self._let_others_pass(waiting)
        failures, what_next = self._back_off.failures, f"next try in {pause:.0f} s"
        self._log.failed(outcome, failures, self._outbox.waiting, what_next)

    async def _let_others_pass(self, waiting: Waiting) -> None:
        """A batch that fails again although the target took others in between goes to the end:
        one that it can never take must not hold up the rest."""
        accepted = self._delivery.counters.accepted
        suspect, accepted_then = self._suspect
        self._suspect = waiting.batch, accepted
        if waiting.kept and waiting.batch == suspect and accepted > accepted_then:
            await self._outbox.spool.postpone(waiting)

    async def _keep_refused(self, batch: Batch, outcome: Outcome) -> None:
        """For a person to look at."""
        spool = self._outbox.spool
        if outcome.body is not None:
            await spool.keep_refused(batch, outcome.code, outcome.body)
        self._log.refused(outcome, spool.path.with_suffix(".refused"))
