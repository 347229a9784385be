"""Where everything has gone: each byte and each report ends in exactly one counter.

Pure: counters in, accounts out. An account says that what came in is the sum of its parts. If one
does not add up, something was lost without a count, which is a mistake in this program.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ruuvi_host.monitoring.counters import (
    IntakeCounters,
    LinkCounters,
    QueueCounters,
    RelayCounters,
)

_TAKEN_IN = (
    "empty too_long filtered clock_not_synchronised duplicates repeats shorter changed".split()
)
_ENDS = "accepted refused overflowed aged_out merged unreadable lost".split()
"""Of batches; each has its twin for reports."""


@dataclass(frozen=True, slots=True)
class TargetLedger:
    """All counters of one target."""

    name: str
    changed: int
    """Reports that have changed the table while this target had a queue."""
    queued: int
    """Those that wait in the table for the next batch."""
    queue: QueueCounters
    relay: RelayCounters
    waiting: tuple[int, int]
    """Batches and reports that are on their way."""


@dataclass(frozen=True, slots=True)
class Account:
    """What came in, and what became of it."""

    name: str
    total: int
    parts: dict[str, int]

    @property
    def missing(self) -> int:
        """0, if all is well; negative: counted twice."""
        return self.total - sum(self.parts.values())

    def __str__(self) -> str:
        counted = [f"{name.replace('_', ' ')} {n}" for name, n in self.parts.items() if n]
        said = f"{self.name} {self.total} = {' + '.join(counted) or '0'}"
        return said if not self.missing else f"{said}, WITHOUT A COUNT {self.missing}"


def accounts(
    links: Sequence[tuple[str, LinkCounters]],
    intake: IntakeCounters,
    targets: Sequence[TargetLedger],
) -> list[Account]:
    """All of them, from the line to the servers. links: (name, counters)."""
    found = [account for name, counters in links for account in _link(name, counters)]
    if links:
        handed_on = sum(counters.reports for _, counters in links)
        found.append(Account("reports of all lines", handed_on, {"received": intake.reports}))
    parts = {name: getattr(intake, name) for name in _TAKEN_IN}
    found.append(Account("reports", intake.reports, parts))
    return found + [account for target in targets for account in _target(target)]


def unaccounted(accounts: Sequence[Account]) -> list[Account]:
    """Those that do not add up."""
    return [account for account in accounts if account.missing]


def unknown(links: Sequence[tuple[str, LinkCounters]], intake: IntakeCounters) -> Iterator[str]:
    """What no counter here can know, and what is known of it, in words."""
    for name, counters in links:
        overruns = counters.uart_overruns
        said = "not known, the driver does not count them" if overruns is None else str(overruns)
        yield f"{name}, bytes that the UART lost: {said}"
    yield (
        f"measurements that never reached us: {intake.missed} by the gaps in their numbers; "
        f"not known after {intake.missed_unknown} reports"
    )


def _link(name: str, counters: LinkCounters) -> Iterator[Account]:
    yield Account(
        f"{name}, bytes",
        counters.bytes_received,
        {
            "in_frames": counters.bytes_in_frames,
            "skipped": counters.bytes_skipped,
            "pending": counters.bytes_pending,
        },
    )
    yield Account(
        f"{name}, reports",
        counters.report_frames,
        {"handed_on": counters.reports, "not_configured": counters.reports_unconfigured},
    )


def _target(target: TargetLedger) -> Iterator[Account]:
    name, queue, relay = target.name, target.queue, target.relay
    yield Account(
        f"{name}, changed",
        target.changed,
        {
            "replaced_by_newer": queue.replaced,
            "table_full": queue.evicted,
            "table_emptied": queue.cleared,
            "in_batches": queue.taken,
            "queued": target.queued,
        },
    )
    yield Account(f"{name}, reports for batches", queue.taken, {"in_batches": relay.batch_reports})
    batches, reports = target.waiting
    yield Account(
        f"{name}, batches",
        relay.batches + relay.from_previous_run,
        {end: getattr(relay, end) for end in _ENDS}
        | {"empty_failed": relay.empty_failed, "waiting": batches},
    )
    yield Account(
        f"{name}, reports in batches",
        relay.batch_reports + relay.from_previous_run_reports,
        {end: getattr(relay, f"{end}_reports") for end in _ENDS} | {"waiting": reports},
    )
