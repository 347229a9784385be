"""When a configuration is fetched: the first time, again, and after a failure. Pure.

Ten thousand hosts ask one server. What keeps them apart is one offset for each, which it keeps: its
period is the interval and up to a tenth more or less. Hosts that start together drift apart, and
stay apart. An offset drawn anew each time would do that much more slowly (`tools/fetch_times.py`
compares them).
"""

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Self

SPREAD = 0.1
"""Of the interval, to either side."""
RETRY, LONGEST_RETRY = 60.0, 3600.0
"""Seconds: after the first failure, doubling, and at most."""
RETRY_SPREAD = 0.2
"""Of the pause, to either side."""
LONGEST_RETRY_AFTER = 86400.0
"""Seconds that a server may ask for."""
_SHORTEST_RETRY_AFTER = 1.0
"""Seconds; doubling to a minute, so that a server that always asks for none is not asked without
end."""


def offset_of(mac: str) -> float:
    """-0.1..0.1, always the same for an address. mac: "AA:CC:EE:00:11:22".

    The sum of two draws: few lie at the ends. So the last hosts of one round and the first of the
    next one, which come together after some hours, are no more than those in its middle (of an
    interval of 30 min, 41 a minute of 1,000 hosts; with all offsets equally likely it would be 52).
    """
    digest = sha256(b"remote configuration " + mac.upper().encode()).digest()
    wide, narrow = (int.from_bytes(digest[i : i + 8], "big") / 2**64 for i in (0, 8))
    return SPREAD * (1.4 * wide + 0.6 * narrow - 1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is to be known for the next time. Times are seconds from now; draws are 0 to 1, by
    chance."""

    offset: float
    """Of this host: see `offset_of`."""
    minutes: int
    """Between fetches; 0: once after the start, when it has succeeded."""
    failures: int = 0
    """One after the other, until now."""

    def first(self, splay: float, draw: float, *, has_saved: bool) -> float:
        """After the start. splay: seconds over which hosts are spread. has_saved: there is a saved
        configuration; without one there is nothing to run with, so it is fetched at once."""
        return splay * draw if has_saved else 0.0

    @property
    def period(self) -> float | None:
        """Seconds between good fetches; None: no more."""
        return self.minutes * 60.0 * (1 + self.offset) if self.minutes else None

    def succeeded(self) -> Self:
        return replace(self, failures=0)

    def failed(self) -> Self:
        return replace(self, failures=self.failures + 1)

    def every(self, minutes: int) -> Self:
        """With another interval."""
        return replace(self, minutes=minutes)

    def pause(self, draw: float, retry_after: float | None = None) -> float | None:
        """Until the next fetch; None: there is none until the next start.

        retry_after: seconds that the server asked for with its failure.
        """
        if not self.failures:
            return self.period
        if retry_after is not None:
            least = min(_SHORTEST_RETRY_AFTER * (1 << min(self.failures - 1, 6)), RETRY)
            asked = min(max(retry_after, least), LONGEST_RETRY_AFTER)
            # Never earlier; and not all those that were told the same come back at once.
            return asked + min(RETRY_SPREAD * asked, RETRY) * draw
        longest = min(LONGEST_RETRY, self.minutes * 60.0) if self.minutes else LONGEST_RETRY
        seconds = min(RETRY * (1 << min(self.failures - 1, 10)), longest)
        return seconds * (1 + RETRY_SPREAD * (2 * draw - 1))
