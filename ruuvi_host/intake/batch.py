"""A batch: what has changed since the last one; and the interval at which batches are made."""

from dataclasses import dataclass
from math import floor, inf

from firmware_protocol.messages import DeviceId
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.table import ChangeQueue


@dataclass(frozen=True, slots=True)
class Batch:
    """What one post carries. A retry has the same nonce, so that a server can recognise a batch
    that it gets twice; the time in the body is that of the attempt."""

    nonce: int
    """0..2**32-1."""
    gateway: DeviceId
    """The coprocessor: its address names the gateway, its id is the default key."""
    advertisements: tuple[Advertisement, ...]
    counted: bool = False
    """The timestamps are counters, not times (`ntp_use` was false when the batch was made)."""


GATHERING = 0.05
"""Seconds that changes are gathered for where each is to be sent at once."""


class Gatherer:
    """Takes from the table soon after something has changed. Otherwise as a Batcher."""

    def __init__(self, queue: ChangeQueue, now: float) -> None:
        self.period = GATHERING
        """Seconds from one batch to the next, at least."""
        self._queue = queue
        self._taken = now - GATHERING

    @property
    def due(self) -> float:
        """As of a Batcher; inf: nothing has changed."""
        return inf if self.is_empty else self._taken + self.period

    @property
    def is_empty(self) -> bool:
        return not self._queue

    def take(self, now: float) -> tuple[Advertisement, ...]:
        self._taken = now
        return self._queue.take()

    def skip(self, now: float) -> None:
        """No batch is ever missed."""


class Batcher:
    """Takes from the table at a fixed interval, whenever the server answers."""

    def __init__(self, queue: ChangeQueue, period: float, now: float) -> None:
        self.period = period
        """Seconds. A new value counts from the last due time."""
        self._queue = queue
        self._last_due = now - period

    @property
    def due(self) -> float:
        """Monotonic seconds at which the next batch is due."""
        return self._last_due + self.period

    @property
    def is_empty(self) -> bool:
        """Has nothing changed?"""
        return not self._queue

    def take(self, now: float) -> tuple[Advertisement, ...]:
        """What has changed. The next batch is due one period after this one was; batches that are
        overdue by whole periods are left out."""
        missed = floor((now - self._last_due) / self.period)
        self._last_due += max(1, missed) * self.period
        return self._queue.take()

    def skip(self, now: float) -> None:
        """Leave out what was due until now. What has changed waits for the next batch."""
        passed = floor((now - self._last_due) / self.period)
        self._last_due += max(0, passed) * self.period
