"""Attempts to deliver to one target: made, counted, and remembered for the judgement of health."""

from math import inf

from ruuvi_host.clock import Clock
from ruuvi_host.intake.batch import Batch
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.monitoring.health import TargetFacts
from ruuvi_host.relay.guard import Guarded
from ruuvi_host.relay.sink import Outcome, Sink, Verdict

LONGEST_ATTEMPT = 60.0
"""Seconds that a sink may take; for telling a relay that stands still from one that waits."""


class Delivery:
    """Attempts to deliver, one at a time.

    network: the target is judged by the network watchdog.
    """

    def __init__(
        self, name: str, sink: Sink, counters: RelayCounters, clock: Clock, *, network: bool
    ) -> None:
        self.sink = Guarded(name, sink)
        self.counters = counters
        self.period: int | None = None
        """Seconds between batches that the target asked for last; None: it did not."""
        self._name = name
        self._network = network
        self._clock = clock
        self._step_due = inf
        """Monotonic seconds at which what is under way must have ended."""
        self._failing = ""
        self._served = self._answered = clock.monotonic()
        self._unkept_since: float | None = None

    async def attempt(self, batch: Batch, *, hurried: bool = False) -> Outcome:
        """One attempt. What it means for the batch is left to the caller."""
        self.wait(LONGEST_ATTEMPT)
        self.counters.attempts += 1
        outcome = await self.sink.deliver(batch, self._clock.wall(), hurried=hurried)
        self.counters.attempts -= not outcome.begun
        self.counters.failed_attempts += outcome.verdict is not Verdict.ACCEPTED
        accepted = outcome.verdict is Verdict.ACCEPTED
        now = self._clock.monotonic()
        if outcome.period is not None:
            self.period = outcome.period
        self._failing = "" if accepted else outcome.reason
        if accepted or outcome.fates(batch).accepted:
            self._served = self._answered = now
        elif outcome.reached:
            self._answered = now
        return outcome

    def wait(self, seconds: float) -> None:
        """Something is under way, or waited for, for so long. inf: until there is something to
        deliver."""
        self._step_due = self._clock.monotonic() + seconds

    def facts(self, batch_due: float, waiting: int, *, unkept: bool) -> TargetFacts:
        """For the judgement of health. waiting: batches. unkept: some are in memory only, and
        should be on disk."""
        if not unkept:
            self._unkept_since = None
        elif self._unkept_since is None:
            self._unkept_since = self._clock.monotonic()
        return TargetFacts(
            self._name,
            batch_due=batch_due,
            step_due=self._step_due,
            failing=self._failing,
            served=self._served,
            answered=self._answered,
            waiting=waiting,
            unkept_since=self._unkept_since,
            network=self._network,
        )
