"""How often a batch of a backlog may be sent: faster while a server of one's own keeps up.

Pure: times are arguments. There is never more than one request under way, so the rate is a limit,
and the server's own speed is another.
"""

from dataclasses import dataclass
from math import inf

START = 20.0
"""Batches a second at first, and the most for a server that is not known to be one's own: polite
to one that has just recovered, and an hour of 10 s batches is through in under half a minute."""
MOST = 500.0
"""Batches a second to an own server, where no limit is set."""
LEAST = 1.0
PROVING = 0.5
"""Seconds in which all answers have to be fast before the rate is doubled."""
FAST = 0.1
"""Seconds. An answer within this is never a slow one."""
ENOUGH = 4
"""Answers at a rate before it is judged whether they are slow."""
SLOWER = 4.0
"""Times the quickest answers that are slow, if they are not FAST."""
FORGOTTEN = 60.0
"""Seconds without a batch of a backlog, after which it begins again at START."""
_SHARE = 0.125
"""Of one answer in what is usual: a single hiccup is no slowness."""
_FADING = 1.001
"""What the quickest answer grows by with each one, so that a server may become another."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the rate is told of an attempt."""

    at: float
    """When it ended: monotonic seconds."""
    took: float
    """Seconds."""
    accepted: bool
    overloaded: bool = False
    """Not accepted, and the server says, or shows, that it is too much: 429, 5xx, no answer."""
    own: bool = False
    """From a server of one's own."""


class DrainRate:
    """The rate at which a backlog is sent.

    limit: batches a second that are set by a person, whoever the server is; 0: none is.
    """

    def __init__(self, limit: float = 0.0) -> None:
        self._limit = limit
        self._own = False
        self._rate = min(START, self.most)
        self._answers = 0
        """Since the rate has changed."""
        self._usual = 0.0
        """Seconds that an answer takes; 0: not known."""
        self._quickest = inf
        self._last = -inf

    @property
    def most(self) -> float:
        """Batches a second."""
        if self._limit:
            return self._limit
        return MOST if self._own else START

    @property
    def per_second(self) -> float:
        """Batches."""
        return self._rate

    @property
    def gap(self) -> float:
        """Seconds from the beginning of one attempt to that of the next, at least."""
        return 1.0 / self._rate

    @property
    def hurries(self) -> bool:
        """It is faster than is polite to a server that is not known."""
        return self._rate > START

    def told(self, reply: Reply) -> None:
        """An attempt with a batch of the backlog has ended."""
        if reply.at - self._last > FORGOTTEN:
            self._change(min(self._rate, START))
            self._quickest = inf
        self._last = reply.at
        if reply.overloaded:
            self._change(self._rate / 2)
        elif reply.accepted:
            self._own = reply.own
            self._look_at(reply.took)
        self._rate = max(min(self._rate, self.most), min(LEAST, self.most))

    def _look_at(self, took: float) -> None:
        self._quickest = min(self._quickest * _FADING, took)
        self._usual += _SHARE * (took - self._usual) if self._usual else took
        self._answers += 1
        if self.hurries and self._usual > max(FAST, SLOWER * self._quickest):
            # Not below what is polite to anybody: one request at a time spares a slow server.
            if self._answers >= ENOUGH:
                self._change(max(self._rate / 2, START))
        # Where the server takes longer than the pause, a shorter pause would change nothing.
        elif self._answers >= PROVING * self._rate and self._usual < self.gap:
            self._change(2 * self._rate)

    def _change(self, rate: float) -> None:
        self._rate = rate
        self._answers = 0
        self._usual = 0.0
