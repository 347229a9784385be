"""What the log says about deliveries, and when: a target that goes up and down gets no more lines
than one that stays down."""

import logging
from pathlib import Path

from ruuvi_host.clock import Clock
from ruuvi_host.logs import Repeated
from ruuvi_host.monitoring.health import rate
from ruuvi_host.relay.sink import Outcome, Verdict

log = logging.getLogger(__name__)

GROWING = 900.0
"""Seconds after which it is said again that a backlog grows although batches are accepted."""


class DeliveryLog:
    """The log lines about the deliveries to one target.

    period: seconds between batches, until the target asks for another one. waiting, in the
    methods: batches and reports that are undelivered.
    """

    def __init__(self, name: str, clock: Clock, period: float) -> None:
        self._name = name
        self._period = period
        self._failure = Repeated(clock=clock.monotonic)
        self._fault = Repeated(clock=clock.monotonic)
        self._refusal = Repeated(clock=clock.monotonic)
        self._growing = Repeated(GROWING, clock=clock.monotonic)
        self._said_failing = False
        """The last line was that deliveries fail."""
        self._failures = 0
        """Attempts in a row."""

    def opened(self, waiting: tuple[int, int]) -> None:
        """The spool is open."""
        if waiting[0]:
            log.info("%s: from the previous run: %s", self._name, told(waiting))

    def accepted(self, waiting: tuple[int, int], *, first: bool) -> None:
        """It is certain. first: nothing was accepted before."""
        failures, self._failures = self._failures, 0
        if first or self._said_failing:
            after = f" after {failures} failed attempts" if failures else ""
            log.info(
                *("%s: batches are accepted%s; %s", self._name, after, told(waiting)),
                extra={"target": self._name},
            )
        self._said_failing = False

    def period(self, seconds: int) -> None:
        """It is the target's wish."""
        if seconds == self._period:
            return
        self._period = seconds
        log.info("%s: the server asks for a batch every %d s", self._name, seconds)

    def failed(
        self, outcome: Outcome, failures: int, waiting: tuple[int, int], what_next: str
    ) -> None:
        """failures: attempts in a row, with this one."""
        self._failures = failures
        fix = outcome.verdict is Verdict.FIX
        if count := (self._fault if fix else self._failure).due():
            self._said_failing = True
            log.log(
                logging.ERROR if fix else logging.WARNING,
                "%s: %s (%s)%s; %s, %s",
                *(self._name, "needs fixing" if fix else "not delivered", outcome.reason),
                f", {count} times since the last message" if count > 1 else "",
                *(told(waiting), what_next),
                extra={"target": self._name, "attempt": failures, "status": outcome.code},
            )

    def growing(self, waiting: tuple[int, int], growth: float) -> None:
        """Batches are accepted, and the backlog grows. growth: batches an hour."""
        if self._growing.due():
            log.warning(
                "%s: batches are accepted more slowly than they are made; %s, %s",
                *(self._name, told(waiting), rate(growth)),
                extra={"target": self._name},
            )

    def refused(self, outcome: Outcome, folder: Path) -> None:
        """folder: where the newest ones are."""
        if count := self._refusal.due():
            log.error(
                "%s: data refused (%s): %d batches with dropped data since the last message; the "
                "newest are in %s",
                *(self._name, outcome.reason, count, folder),
                extra={"target": self._name, "status": outcome.code},
            )


def told(waiting: tuple[int, int]) -> str:
    batches, reports = waiting
    if not batches:
        return "nothing is waiting"
    return f"waiting: batches {batches}, reports {reports}"
