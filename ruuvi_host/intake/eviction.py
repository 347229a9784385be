"""Who leaves the full table: first the sensors that were not received a second time.

A crowd of random addresses (phones, or somebody who sends them on purpose) would otherwise push the
real sensors out within half a second. Here it pushes out itself. A sensor that has to leave before
its second report is remembered, and is proven when it comes back.

Nothing of this is on the path of a sensor that is in the table: what has become of an entry is
looked at when somebody must leave.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping
from math import inf

from ruuvi_host.intake.entry import Entry

AGAIN = 0.5
"""Seconds between two reports that prove a sensor. Sensors advertise about once a second or less
often; several reports within less time may be one burst of an address that never comes again."""

REMEMBERED = 16384
"""Addresses that have left: 16 s of 1,000 new ones a second, longer than the interval of any Ruuvi
sensor. They take three megabytes."""


class Eviction:
    """Chooses. It begins when the table is full for the first time.

    entries: of the table, the least recently changed one first.
    """

    def __init__(self, entries: Mapping[bytes, Entry]) -> None:
        self._entries = entries
        self._once = deque(
            (address, entry.advertisement.received)
            for address, entry in entries.items()
            if not entry.samples
        )
        """(address, time of the first report) of those not received again when last looked at."""
        self._burst: deque[tuple[bytes, float]] = deque()
        """The same of those received again, but perhaps only in one burst."""
        self._left: OrderedDict[bytes, float] = OrderedDict()
        """Address → time of the first report, of those that have left; -inf: it was proven."""

    def entered(self, address: bytes, now: float) -> None:
        """A new sensor is in the table since monotonic `now`."""
        first = self._left.pop(address, now)
        if first > now - AGAIN:
            self._once.append((address, first))

    def leaving(self) -> bytes:
        """The sensor that must leave."""
        address, first = self._choose()
        self._left[address] = first
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return address

    def forget(self) -> None:
        """The table is about to be emptied. Who was proven still is."""
        unproven = {address for address, _ in (*self._once, *self._burst)}
        self._once.clear()
        self._burst.clear()
        for address in self._entries:
            if address not in unproven:
                self._left[address] = -inf
        while len(self._left) > REMEMBERED:
            self._left.popitem(last=False)

    def _choose(self) -> tuple[bytes, float]:
        while self._once:
            address, first = self._once.popleft()
            entry = self._entries[address]
            if self._is_proven(entry, first):
                continue
            if not entry.samples:
                return address, first
            self._burst.append((address, first))
        while self._burst:
            address, first = self._burst.popleft()
            if not self._is_proven(self._entries[address], first):
                return address, first
        return next(iter(self._entries)), -inf

    def _is_proven(self, entry: Entry, first: float) -> bool:
        """Has it changed long enough after its first report? Repeats leave no time behind: who
        sends nothing else is proven when it comes back."""
        return entry.advertisement.received - first >= AGAIN
