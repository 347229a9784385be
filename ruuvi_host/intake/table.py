"""The one table: the newest advertisement of every sensor, and who has still to be told.

The rules are those of the gateway's own table (ruuvi.gateway_esp.c, adv_table.c); servers see
their effect as the order and the content of batches.
"""

from collections.abc import Iterable, Iterator

from ruuvi_host.advertisement import Advertisement
from ruuvi_host.status import IntakeCounters

LONGEST_LEGACY = 31
"""Octets of legacy advertising data; what is longer came by extended advertising."""

LONGER_GIVES_WAY = 60.0
"""Seconds after which legacy data may replace an extended advertisement. The gateway never lets
it; but a sensor whose extended advertising ceased would then be frozen for ever."""


class _Entry:
    """A place in the table. Reused for a newcomer, who so takes over the place in each queue."""

    __slots__ = ("advertisement", "samples")

    def __init__(self, advertisement: Advertisement, samples: int) -> None:
        self.advertisement = advertisement
        self.samples = samples


Queue = dict[_Entry, None]


class AdvertisementTable:
    """Newest advertisement per address, the least recently changed one first.

    max_sensors: the sensor that changed least recently leaves when a new one comes.
    """

    def __init__(self, max_sensors: int = 100, counters: IntakeCounters | None = None) -> None:
        self.counters = counters or IntakeCounters()
        self._max_sensors = max_sensors
        self._entries: dict[bytes, _Entry] = {}
        self._queues: list[Queue] = []
        self._known: frozenset[bytes] = frozenset()

    def __len__(self) -> int:
        return len(self._entries)

    def queue(self) -> "ChangeQueue":
        """A new reader's own view of what has changed since it last looked."""
        queue: Queue = {}
        self._queues.append(queue)
        return ChangeQueue(queue)

    def put(self, advertisements: Iterable[Advertisement]) -> None:
        """Take in what one read brought, in order."""
        entries = self._entries
        queues = self._queues
        counters = self.counters
        for advertisement in advertisements:
            address = advertisement[0]
            entry = entries.get(address)
            if entry is None:
                entry = self._new_entry(advertisement)
                for queue in queues:
                    queue.setdefault(entry)
            else:
                entry.samples += 1
                old = entry.advertisement
                data, old_data = advertisement[1], old[1]
                if data == old_data:
                    counters.repeats += 1
                    continue
                if (
                    len(data) <= LONGEST_LEGACY < len(old_data)
                    and advertisement.heard - old.heard <= LONGER_GIVES_WAY
                ):
                    counters.shorter += 1
                    continue
                entry.advertisement = advertisement
                unsent = False
                for queue in queues:
                    if entry in queue:
                        unsent = True
                    else:
                        queue[entry] = None
                counters.replaced += unsent
                del entries[address]  # to come back as the most recently changed one
            entries[address] = entry
            counters.news += 1

    def hear_better(
        self,
        address: bytes,
        data: bytes,
        radio: tuple[int, int, int, int, int | None],
        since: float,
    ) -> bool:
        """Another coprocessor has heard what the table holds, too: take its radio values if its
        RSSI is higher. Has it been? Neither news nor a sample.

        radio: RSSI, primary and secondary PHY, channel and TX power, as in an Advertisement.
        since: monotonic seconds; what was heard before was another advertisement.
        """
        entry = self._entries.get(address)
        if entry is None:
            return False
        held = entry.advertisement
        if held.data != data or held.heard < since or radio[0] <= held.rssi:
            return False
        entry.advertisement = Advertisement(address, data, *radio, held.heard, held.stamp)
        return True

    def newest_first(self) -> Iterator[Advertisement]:
        """All that the table holds, the most recently changed one first."""
        return (entry.advertisement for entry in reversed(self._entries.values()))

    def take_samples(self) -> list[tuple[bytes, int]]:
        """(address, reports counted since the last call), the most recently changed sensor first.

        The very first report of a sensor is not counted; repeats are.
        """
        taken = [(address, entry.samples) for address, entry in reversed(self._entries.items())]
        for entry in self._entries.values():
            entry.samples = 0
        return taken

    def clear(self) -> None:
        """Empty the table and all queues. The sensors are known afterwards, for `samples`."""
        self._known = frozenset(self._entries)
        self._entries.clear()
        for queue in self._queues:
            queue.clear()

    def reset(self, max_sensors: int) -> None:
        """Clear, forget the readers, and have another bound from now on."""
        self.clear()
        self._queues.clear()
        self._max_sensors = max_sensors

    def _new_entry(self, advertisement: Advertisement) -> _Entry:
        samples = 1 if advertisement.address in self._known else 0
        if len(self._entries) < self._max_sensors:
            return _Entry(advertisement, samples)
        oldest = next(iter(self._entries))
        entry = self._entries.pop(oldest)
        self.counters.evicted += 1
        self.counters.evicted_unsent += any(entry in queue for queue in self._queues)
        entry.advertisement = advertisement
        entry.samples = samples
        return entry


class ChangeQueue:
    """What has changed since this reader last looked, in order of each sensor's first change."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def __len__(self) -> int:
        return len(self._queue)

    def take(self) -> tuple[Advertisement, ...]:
        """The newest advertisement of each; the queue is empty afterwards."""
        taken = tuple(entry.advertisement for entry in self._queue)
        self._queue.clear()
        return taken
