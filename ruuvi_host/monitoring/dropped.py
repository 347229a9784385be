"""What is dropped because of a setting or a size: a sentence each, with the setting to change.

Pure: made of counters, so that log, health and doctor say the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

RECENT = 600.0
"""Seconds for which a drop is said in health."""

_Counts = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Drop:
    """One kind of it."""

    where: str
    """The table, or the name of a target."""
    counter: str
    count: int
    what: str
    remedy: str
    wanted: bool = False
    """By a setting that is there to drop something."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: {self.count}; {self.remedy}"


_OF_INTAKE = (
    ("evicted", "sensors that left the full table", "raise max_sensors", False),
    (
        "too_long",
        "advertisements dropped, of more than 48 bytes",
        "no setting changes this limit, which is the gateway's; no Ruuvi sensor sends more",
        False,
    ),
    (
        "filtered",
        "reports dropped by the address filter",
        "scan_filter_list and scan_filter_allow_listed say which sensors pass",
        True,
    ),
)
_OF_TARGET = (
    (
        "overflowed",
        "batches dropped, because the spool or the disk was full",
        "raise spool.max_mib, or make room on the disk",
    ),
    ("aged_out", "batches dropped, because they waited for too long", "raise spool.max_age_days"),
)


def dropped(intake: _Counts, targets: Iterable[tuple[str, _Counts]]) -> Iterator[Drop]:
    """Each kind of which something was counted. targets: (name, its counters)."""
    for counter, what, remedy, wanted in _OF_INTAKE:
        if count := intake[counter]:
            yield Drop("table", counter, count, what, remedy, wanted)
    for name, counters in targets:
        for counter, what, remedy in _OF_TARGET:
            if count := counters[counter]:
                yield Drop(name, counter, count, what, remedy)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look has found."""

    first: tuple[Drop, ...]
    """Of kinds that were never seen before."""
    recent: tuple[Drop, ...]
    """Of kinds that were counted lately."""


class Watched:
    """Knows which kinds were seen, and when they last grew."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, float]] = {}
        """(where, counter) → count, and when it had grown."""

    def look(self, drops: Iterable[Drop], now: float) -> Looked:
        """now: monotonic seconds."""
        first, recent = [], []
        for drop in drops:
            key = drop.where, drop.counter
            count, at = self._seen.get(key, (0, now))
            if not count:
                first.append(drop)
            if drop.count > count:
                at = now
            self._seen[key] = drop.count, at
            if now - at < RECENT:
                recent.append(drop)
        return Looked(tuple(first), tuple(recent))
