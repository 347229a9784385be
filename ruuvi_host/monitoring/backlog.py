"""Does what waits for a target grow? Pure: numbers and times in, a rate out."""

from collections import deque

WINDOW = 600.0
"""Seconds that are looked at, or PERIODS batches if that is longer: a short outage, and what is
left of it, is no trend."""
PERIODS = 6
LEAST = 3
"""Batches by which it has to grow. One or two are just on their way."""


class Backlog:
    """Looks at the number of waiting batches at each new one."""

    def __init__(self) -> None:
        self.growth: float | None = None
        """Batches an hour; negative: it shrinks. None: neither, or not known yet."""
        self._seen: deque[tuple[float, int]] = deque()

    def look(self, now: float, waiting: int, period: float) -> None:
        """now: monotonic seconds. period: seconds between batches."""
        window = max(WINDOW, PERIODS * period)
        seen = self._seen
        # One of the same half minute is enough: a batch may be made each second.
        if len(seen) > 1 and now - seen[-2][0] < window / 20:
            seen.pop()
        seen.append((now, waiting))
        while len(seen) > 2 and now - seen[1][0] >= window:
            seen.popleft()
        (since, first), most = seen[0], max(number for _, number in seen)
        self.growth = None
        if now - since < window / 2 or abs(waiting - first) < LEAST:
            return
        if waiting < first or waiting == most:  # else it has begun to shrink
            self.growth = (waiting - first) / (now - since) * 3600
