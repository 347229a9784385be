"""How long a port may be left alone after a read, so that fewer reads bring the same reports.

Most of what a read costs is waking up. So while nothing but reports is expected, the port is not
looked at for a while, and then all is read that has come meanwhile.

The kernel must hold what comes in that time. Of a raw pty it holds some 18,000 bytes; of a real
UART 4,095 in the line discipline, and up to 64 KiB behind it (measured, Linux 6). At most `MOST`
may come, by what came lately: if a line suddenly brings four times as much, nothing is lost.
"""

from math import exp, inf

MOST = 1024
"""Bytes that may come in a pause: a quarter of what the kernel is sure to hold."""
WORTH = 100
"""Bytes that must be expected in a pause. Two reports: with fewer it saves no read."""
BEGUN = 0.005
"""Seconds in which a report that has begun is complete: 51 bytes at 115200 baud take 4.4 ms."""
SHORTEST = 0.001
"""Seconds. The event loop does not count in less."""
_MEMORY = 0.25
"""Seconds in which what came lately is forgotten, nearly."""


class Gathering:
    """Of one life of a port. limit: the longest pause, in seconds; 0: never any."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._rate = 0.0
        """Bytes a second, lately."""
        self._read_at = -inf
        self._pause = 0.0

    def pause(self, size: int, now: float, *, calm: bool, begun: bool) -> float:
        """Seconds after a read of `size` bytes at the time `now`; 0: look again at once.

        calm: nothing but reports is expected. begun: the read ended within a report.
        """
        since, self._read_at = now - self._read_at, now
        at_once = size / since if since > 0 else inf
        if at_once < inf:
            self._rate = at_once + (self._rate - at_once) * exp(-since / _MEMORY)
        wanted = 0.0
        if calm:
            fastest = max(at_once, self._rate, 1.0)
            if self._rate * self._limit >= WORTH:
                wanted = self._limit
            elif begun:
                wanted = min(BEGUN, self._limit)
            # Longer little by little: a line that has just woken up may become much faster.
            wanted = min(wanted, MOST / fastest, max(2 * self._pause, BEGUN))
        self._pause = wanted if wanted >= SHORTEST else 0.0
        return self._pause
