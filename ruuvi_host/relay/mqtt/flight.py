"""The messages of one batch: which are confirmed, refused, or still unknown. Pure."""

from collections.abc import Callable, Sequence
from functools import partial

from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.relay.mqtt.refusals import is_taken

QUOTA_EXCEEDED = 0x97
"""Such a message is sent once more."""
TOO_LONG = 0x95
"""The code for "packet too large"; such a message is not sent at all."""


class Flight:
    """Knows what became of each report of a batch."""

    def __init__(self, reports: Sequence[Advertisement]) -> None:
        self._reports = reports
        self._under_way: set[int] = set()
        """Places of reports."""
        self._settled: dict[int, int] = {}
        """Place of a report → the code with which the broker has answered."""
        self._again: list[int] = []
        """Places of those that are to be sent once more."""
        self._tried_twice: set[int] = set()

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
        self._settled[place] = TOO_LONG

    def take_again(self) -> list[int]:
        """Places of reports for which the broker had no room; once for each."""
        again, self._again = self._again, []
        return again

    @property
    def has_again(self) -> bool:
        """Is there one?"""
        return bool(self._again)

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
        return sum(not is_taken(code) for code in self._settled.values())

    @property
    def codes(self) -> tuple[int, ...]:
        """With which it refuses, each once."""
        return tuple(sorted({code for code in self._settled.values() if not is_taken(code)}))

    @property
    def remaining(self) -> tuple[Advertisement, ...]:
        """Those that are neither confirmed nor refused, in order."""
        settled = self._settled
        return tuple(r for place, r in enumerate(self._reports) if place not in settled)

    def _settle(self, place: int, code: int) -> None:
        self._under_way.discard(place)
        if code == QUOTA_EXCEEDED and place not in self._tried_twice:
            self._tried_twice.add(place)
            self._again.append(place)
        else:
            self._settled[place] = code
