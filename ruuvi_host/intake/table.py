"""The one table: the newest advertisement of every sensor, and per reader a queue of what changed.

The rules are those of the gateway's own table (ruuvi.gateway_esp.c, adv_table.c); they
decide the order and the content of batches.
"""

from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest

from ruuvi_host.formats import df5
from ruuvi_host.intake.advertisement import RSSI_NOT_AVAILABLE, Advertisement, AdvertisementFields
from ruuvi_host.intake.entry import Entry
from ruuvi_host.intake.eviction import Eviction
from ruuvi_host.intake.gaps import missed
from ruuvi_host.monitoring.counters import IntakeCounters, QueueCounters

LONGEST_LEGACY = 31
"""Bytes of legacy advertising data; longer data is from extended advertising."""

# Bytes of a RuuviTag's advertising data: the format, and its measurement sequence.
_FORMAT = df5.PAYLOAD
_HIGH, _LOW = df5.PAYLOAD + df5.SEQUENCE.start, df5.PAYLOAD + df5.SEQUENCE.end - 1

EXTENDED_EXPIRES = 60.0
"""Seconds after which legacy data may replace an extended advertisement. On the gateway it never
may; but then a sensor that stops extended advertising would never be updated again."""


Queue = dict[Entry, None]


class AdvertisementTable:
    """Newest advertisement per address, the least recently changed one first.

    max_sensors: when there are more, one is evicted: of those received only once, if there are any,
    else of all, the one that changed least recently. (On the gateway always of all.)
    """

    def __init__(self, max_sensors: int = 100, counters: IntakeCounters | None = None) -> None:
        self.counters = counters or IntakeCounters()
        self._max_sensors = max_sensors
        self._entries: dict[bytes, Entry] = {}
        self._queues: list[tuple[Queue, QueueCounters]] = []
        self._waiting: list[tuple[Queue, Callable[[], object]]] = []
        """Readers that are told at once."""
        self._known: frozenset[bytes] = frozenset()
        self._eviction: Eviction | None = None
        """None: the table has never been full."""

    def __len__(self) -> int:
        return len(self._entries)

    def queue(
        self,
        counters: QueueCounters | None = None,
        tell: Callable[[], object] | None = None,
    ) -> "ChangeQueue":
        """What has changed, for one more reader.

        counters: those of the reader that it replaces. tell: called after each `put` while there
        is something in the queue; None: the reader asks at its own times.
        """
        queue: Queue = {}
        if tell:
            self._waiting.append((queue, tell))
        counters = counters or QueueCounters()
        self._queues.append((queue, counters))
        return ChangeQueue(queue, counters, self.counters)

    def put(self, advertisements: Iterable[AdvertisementFields]) -> None:
        """Take the advertisements of one read, in order."""
        entries = self._entries
        queues = self._queues
        counters = self.counters
        new = tuple.__new__
        first, high, low = _FORMAT, _HIGH, _LOW
        for values in advertisements:
            address, data = values[0], values[1]
            entry = entries.get(address)
            if entry is None:
                entry = self._new_entry(new(Advertisement, values))
                for queue, _ in queues:
                    queue.setdefault(entry)
            else:
                entry.samples += 1
                old = entry.advertisement
                old_data = old[1]
                if data == old_data:
                    counters.repeats += 1
                    continue
                if (
                    len(data) <= LONGEST_LEGACY < len(old_data)
                    and Advertisement(*values).received - old.received <= EXTENDED_EXPIRES
                ):
                    counters.shorter += 1
                    continue
                entry.advertisement = advertisement = new(Advertisement, values)
                # Nearly always the next format 5, or another one of the same measurement, which
                # need not be looked at more closely.
                if not (
                    len(data) == LONGEST_LEGACY == len(old_data)
                    and 0 <= data[low] - old_data[low] <= 1
                    and data[high] == old_data[high] < 255
                    and data[first] == 5
                ):
                    self._count_missed(entry, old, advertisement)
                for queue, counted in queues:
                    if entry in queue:
                        counted.replaced += 1
                    else:
                        queue[entry] = None
                del entries[address]  # to come back as the most recently changed one
            entries[address] = entry
            counters.changed += 1
        for queue, tell in self._waiting:
            if queue:
                tell()

    def keep_stronger(
        self,
        address: bytes,
        data: bytes,
        radio: tuple[int, int, int, int, int | None],
        since: float,
    ) -> bool:
        """Another coprocessor has received the same advertisement: take its radio values if its
        RSSI is higher, and say whether it was. Counts as neither a change nor a sample.

        radio: RSSI, primary and secondary PHY, channel and TX power, as in an Advertisement.
        since: monotonic seconds; what was received before is another advertisement.
        """
        entry = self._entries.get(address)
        if entry is None:
            return False
        held = entry.advertisement
        if held.data != data or held.received < since or radio[0] == RSSI_NOT_AVAILABLE:
            return False
        if radio[0] <= held.rssi != RSSI_NOT_AVAILABLE:
            return False
        entry.advertisement = Advertisement(address, data, *radio, held.received, held.timestamp)
        return True

    def newest_first(self) -> Iterator[Advertisement]:
        """All that the table holds, the most recently changed one first."""
        return (entry.advertisement for entry in reversed(self._entries.values()))

    def look_up(self, address: bytes) -> tuple[Advertisement, int] | None:
        """What the table has of a sensor, and the reports of it since the last `take_samples`."""
        entry = self._entries.get(address)
        return (entry.advertisement, entry.samples) if entry else None

    def take_samples(self) -> list[tuple[bytes, int]]:
        """(address, reports counted since the last call), the most recently changed sensor first.

        The very first report of a sensor is not counted; repeats are.
        """
        taken = [(address, entry.samples) for address, entry in reversed(self._entries.items())]
        for entry in self._entries.values():
            entry.samples = 0
        return taken

    def missed_most(self, count: int) -> list[tuple[bytes, int]]:
        """(address, measurements that were not received) of the sensors with most of them."""
        missing = ((e.missed, address) for address, e in self._entries.items() if e.missed)
        return [(address, missed) for missed, address in nlargest(count, missing)]

    def clear(self) -> None:
        """Empty the table and all queues. For `samples` the sensors are still known."""
        self._known = frozenset(self._entries)
        if self._eviction:
            self._eviction.forget()
        self._entries.clear()
        for queue, counted in self._queues:
            counted.cleared += len(queue)
            queue.clear()

    def reset(self, max_sensors: int) -> None:
        """Clear, remove all queues, and set another limit."""
        self.clear()
        self._queues.clear()
        self._waiting.clear()
        self._max_sensors = max_sensors

    def _count_missed(self, entry: Entry, old: Advertisement, new: Advertisement) -> None:
        between = missed(old.data, new.data, new.received - old.received)
        if between is None:
            self.counters.missed_unknown += 1
        else:
            self.counters.missed += between
            entry.missed += between

    def _new_entry(self, advertisement: Advertisement) -> Entry:
        samples = 1 if advertisement.address in self._known else 0
        if len(self._entries) >= self._max_sensors:
            self._eviction = self._eviction or Eviction(self._entries)
            entry = self._evict(self._eviction.leaving())
            entry.advertisement = advertisement
            entry.samples = samples
            entry.missed = 0
        else:
            entry = Entry(advertisement, samples)
        if self._eviction:
            self._eviction.entered(advertisement.address, advertisement.received)
        return entry

    def _evict(self, address: bytes) -> Entry:
        entry = self._entries.pop(address)
        self.counters.evicted += 1
        for queue, counted in self._queues:
            counted.evicted += entry in queue
        return entry


class ChangeQueue:
    """What has changed since this reader's last call, in order of each sensor's first change."""

    def __init__(self, queue: Queue, counters: QueueCounters, table: IntakeCounters) -> None:
        self.counters = counters
        self._queue = queue
        self._table = table
        self._changed_before = table.changed - sum(counters.nonzero().values())

    @property
    def changed(self) -> int:
        """Reports that have changed the table since this queue was made."""
        return self._table.changed - self._changed_before

    def __len__(self) -> int:
        return len(self._queue)

    def take(self) -> tuple[Advertisement, ...]:
        """The newest advertisement of each; the queue is empty afterwards."""
        taken = tuple(entry.advertisement for entry in self._queue)
        self.counters.taken += len(taken)
        self._queue.clear()
        return taken
