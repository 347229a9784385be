"""What the servers of a host have shown, for the trial of a configuration."""

from collections.abc import Callable, Collection, Sequence

from ruuvi_host.monitoring.counters import TargetCounters
from ruuvi_host.monitoring.health import TargetFacts
from ruuvi_host.remote.trial import TargetSign

HOUR = 3600.0
"""Seconds. A target that accepted nothing in it has no say."""
_CONNECTED, _NOT_CONNECTED = "connected to ", "not connected"
"""How the state of a connection begins that stands, and of one that could not be made: see
relay/mqtt/standing.py."""


class Targets:
    """Of one host. facts, counters: of its relays, as of now. before: names of those that worked
    when it last ran. began: when it was started, monotonic."""

    def __init__(
        self,
        facts: Callable[[], Sequence[TargetFacts]],
        counters: Callable[[], Sequence[tuple[str, TargetCounters]]],
        before: Collection[str] = (),
        began: float = 0.0,
    ) -> None:
        self._before = frozenset(before)
        self._began = began
        self._facts = facts
        self._counters = counters
        self._accepted: dict[str, int] = {}
        self._attempts: dict[str, int] = {}

    def working(self, now: float) -> tuple[str, ...]:
        """Names of those that worked in the last hour. now: monotonic.

        A start does not make a host forget it: its first fetch may come before anything is accepted
        again.
        """
        recent = self._before if now < self._began + HOUR else ()
        accepted = {name: counters.relay.accepted for name, counters in self._counters()}
        return tuple(
            facts.name
            for facts in self._facts()
            if not facts.failing
            and (
                facts.connection.startswith(_CONNECTED)
                or (accepted.get(facts.name) and facts.served > now - HOUR)
                or (facts.name in recent and not facts.connection.startswith(_NOT_CONNECTED))
            )
        )

    def mark(self) -> None:
        """Signs count from here on."""
        self._accepted = {name: each.relay.accepted for name, each in self._counters()}
        self._attempts = {name: each.relay.attempts for name, each in self._counters()}

    def signs(self) -> dict[str, TargetSign]:
        """Since the mark."""
        counted = dict(self._counters())
        return {
            facts.name: TargetSign(
                proven=facts.connection.startswith(_CONNECTED)
                or counted[facts.name].relay.accepted > self._accepted.get(facts.name, 0),
                tried=bool(facts.failing)
                or bool(facts.connection)
                or counted[facts.name].relay.attempts > self._attempts.get(facts.name, 0),
                why=facts.failing or facts.connection.partition("; next try")[0],
            )
            for facts in self._facts()
        }
