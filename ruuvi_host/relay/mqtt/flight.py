"""The messages of one batch on their way: which are confirmed, refused, or still unknown."""

import asyncio
from collections.abc import Sequence

from ruuvi_host.intake.advertisement import Advertisement


class Flight:
    """Knows what became of each report of a batch."""

    def __init__(self, reports: Sequence[Advertisement]) -> None:
        self._reports = reports
        self._under_way: dict[int, int] = {}
        """Number of a message → place of its report."""
        self._settled: dict[int, bool] = {}
        """Place of a report → whether the broker has it."""
        self._moved = asyncio.Event()

    @property
    def under_way(self) -> int:
        """Messages that are sent, and not confirmed."""
        return len(self._under_way)

    def sent(self, place: int, number: int) -> None:
        """The report at this place is on its way, as the message of this number."""
        self._under_way[number] = place

    def settle(self, number: int, taken: bool) -> None:
        """taken: the broker has it. What belongs to another batch is not looked at."""
        place = self._under_way.pop(number, None)
        if place is not None:
            self._settled[place] = taken
            self._moved.set()

    def refuse(self, place: int) -> None:
        """The broker would not take this one, so it is not sent."""
        self._settled[place] = False

    def wake(self) -> None:
        """Something else has changed."""
        self._moved.set()

    async def moves(self, seconds: float) -> bool:
        """Wait until something has. False: not within that time."""
        self._moved.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._moved.wait()
        except TimeoutError:
            return False
        return True

    @property
    def unconfirmed(self) -> tuple[Advertisement, ...]:
        """Those that were sent, and of which nobody knows whether they have arrived."""
        return tuple(self._reports[place] for place in self._under_way.values())

    @property
    def refused(self) -> int:
        """Reports that the broker does not take."""
        return sum(not taken for taken in self._settled.values())

    @property
    def remaining(self) -> tuple[Advertisement, ...]:
        """Those that are neither confirmed nor refused, in order."""
        settled = self._settled
        return tuple(r for place, r in enumerate(self._reports) if place not in settled)
