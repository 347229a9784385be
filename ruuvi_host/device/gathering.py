"""How long a port may be left alone after a read, so that fewer reads bring the same reports.

Most of what a read costs is waking up. So while nothing but reports is expected, the port is not
looked at for a while, and then all is read that has come meanwhile.

The kernel must hold what comes in that time. Of a raw pty it holds some 18,000 bytes; of a real
UART 4,095 in the line discipline, and up to 64 KiB behind it (measured, Linux 6). At most `MOST`
may come, by what came lately: if a line suddenly brings eight times as much, nothing is lost. After
an answer the first pause is short: what came until then says nothing of what begins now.
"""

from math import exp, inf

MOST = 2048
"""Bytes that may come in a pause: less than a quarter of what the kernel is sure to hold, and a
read still brings all of it when twice as much comes (one read: at most 4,095)."""
WORTH = 100
"""Bytes that must be expected in a pause. Two reports: with fewer it saves no read."""
BEGUN = 0.049
"""Longest pause within a report, in seconds: shorter than the silence after which one that is not
complete is given up."""
SHORTEST = 0.001
"""Seconds. The event loop does not count in less."""
FIRST = 0.005
"""Seconds of the first pause after an answer: a coprocessor that was just configured may begin with
2.5 MB a second."""
_MEMORY = 0.25
"""Seconds in which what came lately is forgotten, nearly."""


class Gathering:
    """Of one life of a port. limit: the longest pause, in seconds; 0: never any."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._rate = 0.0
        """Bytes a second, lately."""
        self._read_at = -inf
        self._most = FIRST
        """Seconds of the next pause at most: it is the first one after an answer, or any."""

    def pause(self, size: int, now: float, *, calm: bool, begun: bool) -> float:
        """Seconds after a read of `size` bytes at the time `now`; 0: look again at once.

        calm: nothing but reports is expected. begun: the read ended within a report.
        """
        since, self._read_at = now - self._read_at, now
        limit = min(self._limit, self._most)
        self._most = self._limit if calm else FIRST
        at_once = size / since if since > 0 else inf
        if at_once < inf:
            self._rate = at_once + (self._rate - at_once) * exp(-since / _MEMORY)
        limit = min(limit, BEGUN) if begun else limit
        # A report that has begun is followed by its end; others may come with that.
        if not calm or not (begun or self._rate * limit >= WORTH):
            return 0.0
        pause = min(limit, MOST / max(at_once, self._rate, 1.0))
        return pause if pause >= SHORTEST else 0.0
