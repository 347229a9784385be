"""How long a server is not asked in haste after an answer whose end was not seen.

Pure: times are arguments.
"""

from math import inf

FIRST = 60.0
"""Seconds. Whatever it was (a redirect, a page of somebody in between) may be over by then."""
LONGEST = 3600.0
"""Seconds. A burst that is not believed is sent again, up to a thousand batches: not too often."""


class Credit:
    """Of one server.

    first: seconds without it. Each time that it is lost again the time is twice as long; after an
    hour with it, it begins anew.
    """

    def __init__(self, first: float = FIRST) -> None:
        self._first = self._next = first
        self._until = -inf
        """When it is given again."""

    def is_given(self, now: float) -> bool:
        return now >= self._until

    def lost(self, now: float) -> None:
        """For a while: it is not known whether the server says too much."""
        if now - self._until > LONGEST:
            self._next = self._first
        self._until = max(self._until, now + self._next)
        self._next = min(2 * self._next, LONGEST)

    def forfeited(self) -> None:
        """For good: the server has said too much."""
        self._until = inf
