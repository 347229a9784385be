"""How long a relay waits: after a failure, and between the posts of a backlog."""

import random
from dataclasses import dataclass

LONGEST = 300.0
"""Seconds between two tries of a server that is down."""
FIX = 60.0
"""Seconds between two tries when a person has to fix something: soon enough to see it done."""
JITTER = 0.25
"""A pause is longer by up to so much, by chance: many hosts must not return all at once."""
LEAST = 1.0
"""Seconds, whatever a server asks for with Retry-After."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """How a backlog is sent."""

    gap: float = 0.05
    """Least seconds from one post to the next: 20 a second are polite to a server that has just
    recovered, and an hour of 10 s batches is through in under half a minute."""
    window: float = 0.0
    """Seconds of which only the newest report of each sensor is sent; 0: every report is."""


TO_OWN_SERVER = Pacing()
TO_CLOUD = Pacing(gap=15.0, window=55.0)
"""Ruuvi Cloud refuses more than one post in 15 s, and keeps a point a minute."""


def back_off(period: float, failures: int, *, least: float = 0.0) -> float:
    """Seconds until the next try: from one period up to five minutes, twice as long each time.

    failures: in a row, before this one. least: seconds that the server wants between posts.
    """
    pause = min(LONGEST, max(period, least) * 2.0 ** min(failures, 16))
    spread = JITTER * pause
    if pause + spread > LONGEST:
        return pause - random.uniform(0, spread)
    return pause + random.uniform(0, spread)


def fixing(period: float) -> float:
    """Seconds until the next try when a person has to fix something first."""
    pause = min(LONGEST, max(period, FIX))
    return pause + random.uniform(0, JITTER * pause)
