"""How undelivered data is kept: the settings of a target's spool."""

from dataclasses import dataclass
from enum import Enum

MIB = 1024 * 1024


class Sync(Enum):
    """When a batch goes to disk."""

    AFTER_FAILURE = "after_failure"
    """When its first attempt was not accepted: nothing is written while the server answers."""
    ALWAYS = "always"
    """Before its first attempt."""


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Bounds of a spool. A week of 100 sensors at 10 s fits into the defaults."""

    max_bytes: int = 256 * MIB
    """Database and write-ahead log together; the oldest batches leave."""
    max_age: float = 7 * 86400.0
    """Seconds that a batch waits at most."""
    sync: Sync = Sync.AFTER_FAILURE
    ballast: int = MIB
    """Bytes set aside on disk, to be given up when it is full: without room nothing can even be
    deleted."""
    drain_rate: int = 0
    """Batches of a backlog a second, at most; 0: as relay/drain_rate.py has it."""
    refused_bytes: int = MIB
    """Bodies that a server refused, kept for inspection; the oldest leave."""
