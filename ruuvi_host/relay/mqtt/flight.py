"""The messages of one batch: which are confirmed, refused, or still unknown. Pure."""

from collections.abc import Callable, Sequence
from functools import partial

from ruuvi_host.intake.advertisement import Advertisement

REFUSES = 128
"""The least reason code of a PUBACK with which the broker does not take a message."""


class Flight:
    """Knows what became of each report of a batch."""

    def __init__(self, reports: Sequence[Advertisement]) -> None:
        self._reports = reports
        self._under_way: set[int] = set()
        """Places of reports."""
        self._settled: dict[int, bool] = {}
        """Place of a report → whether the broker has it."""

    @property
    def under_way(self) -> int:
        """Messages that are sent, and not confirmed."""
        return len(self._under_way)

    def sent(self, place: int) -> Callable[[int], None]:
        """The report at this place is on its way. Returns who is to be told of its end."""
        self._under_way.add(place)
        return partial(self._settle, place)

    def refuse(self, place: int) -> None:
        """The broker would not take this one, so it is not sent."""
        self._settled[place] = False

    @property
    def unconfirmed(self) -> tuple[Advertisement, ...]:
        """Those that were sent, and of which nobody knows whether they have arrived."""
        return tuple(self._reports[place] for place in sorted(self._under_way))

    @property
    def settled(self) -> tuple[Advertisement, ...]:
        """Those of which it is known."""
        return tuple(self._reports[place] for place in self._settled)

    @property
    def refused(self) -> int:
        """Reports that the broker does not take."""
        return sum(not taken for taken in self._settled.values())

    @property
    def remaining(self) -> tuple[Advertisement, ...]:
        """Those that are neither confirmed nor refused, in order."""
        settled = self._settled
        return tuple(r for place, r in enumerate(self._reports) if place not in settled)

    def _settle(self, place: int, code: int) -> None:
        self._under_way.discard(place)
        self._settled[place] = code < REFUSES
