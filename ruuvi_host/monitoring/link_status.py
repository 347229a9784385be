"""One coprocessor as of now: its state, its counters, and what damages its line."""

from dataclasses import dataclass
from enum import Enum

from ruuvi_host.monitoring.counters import LinkCounters

RECENT = 90.0
"""Seconds after which damage is over when no more of it comes."""


class LinkState(Enum):
    """The serial side of one coprocessor."""

    CLOSED = "closed"
    """Not open yet, or lost; the host tries to open it."""
    CONNECTING = "connecting"
    """Open; the coprocessor is being identified and configured."""
    READY = "ready"
    """Configured; reports arrive."""
    QUIET = "quiet"
    """Configured, and it answers, but no report came for 50 s. Not a fault of the link."""


@dataclass(frozen=True, slots=True)
class LineDamage:
    """Bytes in no frame: how many, and why, in words for people."""

    received: int
    """Bytes, all of them, within `seconds`."""
    skipped: int
    """Of these: in no frame, beyond what stands before the first one."""
    reads: int
    """That brought such bytes."""
    seconds: float
    at: float
    """Monotonic seconds of the last of them."""
    lasts: bool
    """It is neither a chance nor over in a moment."""
    cause: str
    """For programs."""
    is_guess: bool
    """No cause was found in the bytes: another may be behind it."""
    sentence: str
    """The share, and the cause."""
    remedy: str

    def is_recent(self, now: float) -> bool:
        """It is still to be talked about. now: monotonic seconds."""
        return now - self.at < RECENT


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """One coprocessor, as of now."""

    name: str
    """The port as configured."""
    path: str
    """The device that it is now, or was last."""
    state: LinkState
    address: str
    """Of the coprocessor; empty: unknown."""
    firmware: str
    reported: float | None
    """Monotonic seconds of the last report."""
    answered: float | None
    """Monotonic seconds of its last answer: it was configured, or answered a probe."""
    problem: str
    """Why it is not ready; empty: it is."""
    counters: LinkCounters
    damage: LineDamage | None = None
    """What damages its bytes; None: nothing, as far as is known."""
