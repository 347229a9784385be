"""Joins the fragments that a controller may cut a long advertisement into.

What never becomes whole is given up: after two seconds, above 255 bytes, or when there are more
than 16. The rest of what was given up is recognized for as long, or it would be taken for an
advertisement of its own.
"""

from typing import NamedTuple

from ruuvi_host.hci.counters import ControllerCounters

LONGEST = 255
"""Bytes of a whole advertisement: five times what any of Ruuvi's formats needs."""
MOST = 16
"""Unfinished at a time; and as many of which only the rest is awaited, to be dropped."""
OLDEST = 2.0
"""Seconds from the first fragment on."""

Advertiser = tuple[int, bytes, int]
"""Address type, address and set identifier: whose fragments belong together."""


class _Unfinished:
    """What has come of one advertisement."""

    __slots__ = ("count", "data", "given_up", "since", "tx_power")

    def __init__(self, since: float) -> None:
        self.since = since
        self.data = b""
        self.tx_power = 127
        self.count = 0
        self.given_up = False


class Whole(NamedTuple):
    """An advertisement put together."""

    data: bytes
    tx_power: int
    """As HCI has it, of the first fragment that tells; 127: none does."""


class Joiner:
    """Unfinished advertisements, the oldest first. Counts each fragment in `counters`, once."""

    def __init__(self, counters: ControllerCounters) -> None:
        self._counters = counters
        self._unfinished: dict[Advertiser, _Unfinished] = {}

    def __bool__(self) -> bool:
        """Is any unfinished?"""
        return bool(self._unfinished)

    def add(self, advertiser: Advertiser, data: bytes, tx_power: int, now: float) -> None:
        """A fragment; more is to come."""
        unfinished = self._unfinished.get(advertiser)
        if unfinished is None:
            self._make_room()
            unfinished = self._unfinished[advertiser] = _Unfinished(now)
        if unfinished.given_up:
            self._counters.orphaned += 1
            return
        unfinished.count += 1
        self._counters.waiting += 1
        if len(unfinished.data) + len(data) > LONGEST:
            self._give_up(unfinished)
            return
        unfinished.data += data
        if unfinished.tx_power == 127:
            unfinished.tx_power = tx_power

    def complete(self, advertiser: Advertiser, data: bytes, tx_power: int) -> Whole | None:
        """The last fragment, or a report that needs no joining; None: it is dropped, and counted.

        What is returned is not counted yet; the fragments before it are.
        """
        unfinished = self._unfinished.pop(advertiser, None)
        if unfinished is None:
            return Whole(data, tx_power)
        if not unfinished.given_up and len(unfinished.data) + len(data) > LONGEST:
            self._give_up(unfinished)
        if unfinished.given_up:
            self._counters.orphaned += 1
            return None
        self._counters.waiting -= unfinished.count
        self._counters.joined += unfinished.count
        first = unfinished.tx_power
        return Whole(unfinished.data + data, tx_power if first == 127 else first)

    def truncated(self, advertiser: Advertiser) -> None:
        """The controller could not receive the rest."""
        self._counters.truncated += 1
        unfinished = self._unfinished.pop(advertiser, None)
        if unfinished:
            self._counters.waiting -= unfinished.count
            self._counters.truncated += unfinished.count

    def expire(self, now: float) -> None:
        """Give up what is too old. The order is that of the first fragments."""
        while self._unfinished:
            advertiser, oldest = next(iter(self._unfinished.items()))
            if now - oldest.since <= OLDEST:
                break
            self._give_up(oldest)
            del self._unfinished[advertiser]

    def clear(self) -> None:
        """Nothing more comes: the controller was reset, or is gone."""
        for unfinished in self._unfinished.values():
            self._give_up(unfinished)
        self._unfinished.clear()

    def _give_up(self, unfinished: _Unfinished) -> None:
        self._counters.waiting -= unfinished.count
        self._counters.orphaned += unfinished.count
        unfinished.count = 0
        unfinished.data = b""
        unfinished.given_up = True

    def _make_room(self) -> None:
        kept = [each for each in self._unfinished.values() if not each.given_up]
        if len(kept) >= MOST:
            self._give_up(kept[0])
        given_up = [key for key, each in self._unfinished.items() if each.given_up]
        if len(given_up) > MOST:
            del self._unfinished[given_up[0]]
