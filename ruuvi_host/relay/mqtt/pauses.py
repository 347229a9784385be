"""When to connect again: pauses that grow, by chance a little shorter or longer. Pure."""

import random

FIRST, LONGEST = 10.0, 120.0
"""Seconds."""
CHANCE = 0.2
"""By so much a pause may be shorter or longer: many hosts must not come back all at once."""
GOOD = 60.0
"""Seconds for which a connection holds that is a good one: pauses begin anew after it."""
SHORT = 30.0
"""Seconds; of a connection that ends within them something is wrong."""
SUSPICIOUS = 3
"""So many of those in a row."""


class Pauses:
    """How long to wait after each connection that was lost, or not made."""

    def __init__(self) -> None:
        self._failures = 0
        self._short = 0

    def failed(self, *, refused: bool = False, chance: float | None = None) -> float:
        """Seconds. refused: the broker does not let us in. chance: 0..1; None: random."""
        pause = min(LONGEST, FIRST * 2.0 ** min(self._failures, 8))
        self._failures += 1
        spread = random.random() if chance is None else chance
        return (LONGEST if refused else pause) * (1 - CHANCE + 2 * CHANCE * spread)

    def held(self, seconds: float, *, by_network: bool = False) -> bool:
        """A connection has ended after so long. True: as when another client uses our id.

        by_network: an error of the network has ended it.
        """
        if seconds >= GOOD:
            self._failures = 0
        self._short = self._short + 1 if seconds < SHORT and not by_network else 0
        return self._short >= SUSPICIOUS
