"""How long a relay waits: after a failure, and between the batches of a backlog."""

import random
from dataclasses import dataclass

from ruuvi_host.relay.sink import Outcome, Verdict

LONGEST = 300.0
"""Seconds between two attempts at a target that is down."""
FIX = 60.0
"""Seconds between two attempts when a person has to fix something: soon enough to see it done."""
JITTER = 0.25
"""A pause is longer by up to so much, by chance: many hosts must not return all at once."""
LEAST = 1.0
"""Seconds, whatever a target asks for."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """How a backlog is sent."""

    gap: float = 0.05
    """Least seconds from one attempt to the next: 20 a second are polite to a server that has just
    recovered, and an hour of 10 s batches is through in under half a minute."""
    window: float = 0.0
    """Seconds of which only the newest report of each sensor is sent; 0: every report is."""
    in_order: bool = False
    """The newest batch waits for the backlog, where the order counts for more than being up to
    date: in a file."""
    rate: float = 0.0
    """Reports of the backlog a second, beyond those that come in meanwhile; 0: no limit."""
    keeps_newest: bool = False
    """What waits is reduced to the newest report of each sensor while it waits."""
    adapts: bool = False
    """An own server, or one for which a rate is set, gets a backlog as fast as it takes it: see
    DrainRate, which stands in the place of `gap` then."""


TO_OWN_SERVER = Pacing()
ADAPTING = Pacing(adapts=True)
TO_CLOUD = Pacing(gap=15.0, window=55.0)
"""Ruuvi Cloud refuses more than one post in 15 s, and keeps a point a minute."""


class BackOff:
    """How long to wait after each failed attempt."""

    def __init__(self, pacing: Pacing) -> None:
        self.failures = 0
        """Failed attempts in a row."""
        self.pause = 0.0
        """Seconds from the last failed attempt to the next one."""
        self._least = pacing.gap

    def succeeded(self) -> int:
        """The failures before."""
        failures, self.failures = self.failures, 0
        return failures

    def failed(self, outcome: Outcome, period: float, asked: float) -> float:
        """The pause. period: seconds between batches, and `asked` what the target wants them to
        be."""
        self.failures += 1
        if outcome.wait is not None:
            self.pause = max(outcome.wait, LEAST)
        elif outcome.verdict is Verdict.FIX:
            self.pause = fixing(asked)
        else:
            self.pause = back_off(period, self.failures - 1, least=self._least)
        return self.pause


def back_off(period: float, failures: int, *, least: float = 0.0) -> float:
    """Seconds until the next attempt: from one period up to five minutes, twice as long each time.

    failures: in a row, before this one. least: seconds that the target wants between attempts.
    """
    pause = min(LONGEST, max(period, least) * 2.0 ** min(failures, 16))
    spread = JITTER * pause
    if pause + spread > LONGEST:
        return pause - random.uniform(0, spread)
    return pause + random.uniform(0, spread)


def fixing(period: float) -> float:
    """Seconds until the next attempt when a person has to fix something first."""
    pause = min(LONGEST, max(period, FIX))
    return pause + random.uniform(0, JITTER * pause)
