"""A batch: what changed since a relay last looked; and the beat at which it looks."""

from dataclasses import dataclass
from math import floor

from firmware_protocol.messages import DeviceId
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.table import ChangeQueue


@dataclass(frozen=True, slots=True)
class Batch:
    """What one post carries. It keeps its nonce when it is tried again, so that a server can
    recognise one that comes twice; the time in the body is that of the attempt."""

    nonce: int
    """0..2**32-1."""
    gateway: DeviceId
    """The coprocessor that heard it: its address names the gateway, its id is the first key."""
    advertisements: tuple[Advertisement, ...]
    counted: bool = False
    """The timestamps are no times but running numbers (`ntp_use` false): the batch stays so, though
    the configuration may change before it is delivered."""


class Batcher:
    """Takes from the table at a fixed beat: one period after the last beat, not after the last
    answer of the server."""

    def __init__(self, queue: ChangeQueue, period: float, now: float) -> None:
        self.period = period
        """Seconds. A new value counts from the last beat."""
        self._queue = queue
        self._last_due = now - period

    @property
    def due(self) -> float:
        """Monotonic seconds of the next beat."""
        return self._last_due + self.period

    @property
    def is_empty(self) -> bool:
        """Has nothing changed?"""
        return not self._queue

    def take(self, now: float) -> tuple[Advertisement, ...]:
        """What has changed. The next beat keeps the rhythm; beats that were missed are gone."""
        missed = floor((now - self._last_due) / self.period)
        self._last_due += max(1, missed) * self.period
        return self._queue.take()

    def skip(self, now: float) -> None:
        """Let the beats up to now pass. What has changed waits for the next one."""
        passed = floor((now - self._last_due) / self.period)
        self._last_due += max(0, passed) * self.period
