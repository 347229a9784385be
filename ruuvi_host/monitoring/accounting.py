"""Where everything has gone: each byte, report and batch ends in exactly one counter.

Pure: counters in, accounts out. SUMS says what adds up; an account shows it for one coprocessor,
the table, or one target. One that does not add up is a mistake in this program: something was
lost without a count.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruuvi_host.monitoring.counters import (
    CaptureCounters,
    Counters,
    FleetCounters,
    IntakeCounters,
    LinkCounters,
    ListeningCounters,
    StatisticsCounters,
    TargetCounters,
    flat,
)

_ENDS = "accepted refused overflowed aged_out merged unreadable lost".split()
"""Of batches; each has its twin for reports."""


@dataclass(frozen=True, slots=True)
class Sum:
    """`total`, what came in, is the sum of `parts`; both name counters."""

    name: str
    total: Sequence[str]
    parts: Sequence[str]


SUMS: Mapping[type[Counters], Sequence[Sum]] = {
    LinkCounters: (
        Sum("bytes", ["bytes_received"], ["bytes_in_frames", "bytes_skipped", "bytes_pending"]),
        Sum("report frames", ["report_frames"], ["reports", "reports_unconfigured"]),
    ),
    IntakeCounters: (
        Sum(
            "reports",
            ["reports"],
            [
                *("empty", "too_long", "filtered", "clock_not_synchronised", "duplicates"),
                *("repeats", "shorter", "changed"),
            ],
        ),
    ),
    TargetCounters: (
        Sum("changed", ["changed"], ["replaced", "evicted", "cleared", "taken", "queued"]),
        Sum("reports for batches", ["taken"], ["batch_reports"]),
        Sum(
            "batches",
            ["batches", "from_previous_run"],
            [*_ENDS, "empty_failed", "waiting_batches"],
        ),
        Sum(
            "reports in batches",
            ["batch_reports", "from_previous_run_reports"],
            [*(f"{end}_reports" for end in _ENDS), "waiting_reports"],
        ),
    ),
    ListeningCounters: (
        Sum(
            "reports",
            ["reports"],
            ["not_decoded", "superseded", "replayed", "duplicates", "measurements"],
        ),
    ),
    FleetCounters: (
        Sum(
            "messages",
            ["messages"],
            ["not_understood", "states", "without_values", "repeats", "measurements"],
        ),
    ),
}
"""Each counter is in one of these, or in IN_NO_SUM."""

IN_NO_SUM: Mapping[type[Counters], str] = {
    LinkCounters: "opened open_failures disconnects reboots reboots_quiet probes lost_acks resends "
    "recoveries given_up resets resets_failed unmatched_replies unexpected_messages crc_errors "
    "etx_errors delimiter_errors length_errors unknown_commands idle_rescans uart_overruns "
    "uart_framing_errors read_pauses bytes_unsent",
    IntakeCounters: "stronger legacy extended_2m coded evicted missed missed_unknown",
    TargetCounters: "attempts failed_attempts spooled kept kept_reports",
    StatisticsCounters: "posts accepted failed",
    ListeningCounters: "missed",
    FleetCounters: "older moved forgotten tags_left gateways_left",
    CaptureCounters: "records bytes_received bytes_sent records_lost bytes_lost",
}
"""Counters of events, and those that say more about a part of a sum, in the order of showing."""


@dataclass(frozen=True, slots=True)
class Account:
    """What came in, and what became of it: counter → count."""

    name: str
    total: int
    parts: dict[str, int]

    @property
    def unaccounted(self) -> int:
        """0, if all is well; negative: counted twice."""
        return self.total - sum(self.parts.values())

    def document(self) -> dict[str, Any]:
        """As `status --json` and the log show it."""
        return {
            "name": self.name,
            "total": self.total,
            "parts": self.parts,
            "unaccounted": self.unaccounted,
        }

    def __str__(self) -> str:
        counted = [f"{name.replace('_', ' ')} {n}" for name, n in self.parts.items() if n]
        said = f"{self.name} {self.total} = {' + '.join(counted) or '0'}"
        return said if not self.unaccounted else f"{said}, UNACCOUNTED {self.unaccounted}"


def accounts(
    links: Sequence[tuple[str, LinkCounters]],
    intake: IntakeCounters,
    targets: Sequence[tuple[str, TargetCounters]],
) -> list[Account]:
    """All of them, from the serial port to the servers. links, targets: (name, counters)."""
    found = [account for name, counters in links for account in accounts_of(counters, name)]
    if links:
        delivered = sum(counters.session.reports for _, counters in links)
        found.append(Account("reports of all ports", delivered, {"received": intake.reports}))
    found += accounts_of(intake)
    return found + [
        account for name, counters in targets for account in accounts_of(counters, name)
    ]


def accounts_of(counters: Counters, name: str = "") -> Iterator[Account]:
    """Those of one part of the host. name: of the port or target."""
    count = {name: number or 0 for name, number in flat(counters).items()}
    for each in SUMS[type(counters)]:
        yield Account(
            f"{name}, {each.name}" if name else each.name,
            sum(count[counter] for counter in each.total),
            {counter: count[counter] for counter in each.parts},
        )


def unaccounted(accounts: Sequence[Account]) -> list[Account]:
    """Those that do not add up."""
    return [account for account in accounts if account.unaccounted]


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
