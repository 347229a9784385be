"""What the host counts, by name. Whatever is dropped has a counter.

A class of counters may contain others. `add` and `flat` walk through all of them, so a new counter
is summed and shown without another line. What it means goes into the docstring below it, from which
`tools/status_page.py` makes the tables of docs/pages/status.md; `accounting.py` says of which sum
it is a part, if it is of one. A test names what is forgotten.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from operator import add as plus
from typing import Any

from firmware_protocol.events import SessionCounters

LEVELS = frozenset("bytes_pending queued waiting_batches waiting_reports".split())
"""Names of what goes down again."""


def add(total: Any, part: Any) -> None:
    """Add each counter of `part` to the one of `total`, which is of the same class.

    None, "not known", counts as nothing.
    """
    for name in (f.name for f in fields(total)):
        ours, theirs = getattr(total, name), getattr(part, name)
        if is_dataclass(ours):
            add(ours, theirs)
        elif isinstance(ours, list):
            ours[:] = map(plus, ours, theirs)
        elif theirs is not None:
            setattr(total, name, theirs + (ours or 0))


def flat(counters: Any) -> dict[str, int | None]:
    """Name → count, in order of definition. Contained counters stand in the place of their class,
    and what follows from others, a property, at its end. None: not known."""
    return dict(_walk(counters))


def _walk(counters: Any) -> Iterator[tuple[str, int | None]]:
    for name in (f.name for f in fields(counters)):
        count = getattr(counters, name)
        if is_dataclass(count):
            yield from _walk(count)
        elif not isinstance(count, list):  # a count per command: a property tells what is of use
            yield name, count
    for name, member in vars(type(counters)).items():
        if isinstance(member, property):
            yield name, getattr(counters, name)


@dataclass(slots=True)
class Counters:
    """The base of the host's own counters."""

    def nonzero(self) -> dict[str, int]:
        """Name → count, without the zeros and what is not known."""
        return {name: count for name, count in flat(self).items() if count}

    def __str__(self) -> str:
        """Those, for people."""
        return ", ".join(f"{name} {count}" for name, count in self.nonzero().items()) or "nothing"


@dataclass(slots=True)
class IntakeCounters(Counters):
    """From a report to the table of the newest advertisements."""

    reports: int = 0
    """Reports received from all coprocessors."""
    empty: int = 0
    """Dropped: no advertising data."""
    too_long: int = 0
    """Dropped: more bytes than the table takes."""
    filtered: int = 0
    """Dropped by the address filter."""
    clock_not_synchronised: int = 0
    """Dropped: there is no time for the timestamp yet."""
    duplicates: int = 0
    """Dropped: another coprocessor had already reported the same advertisement."""
    stronger: int = 0
    """Of `duplicates`: those with a better RSSI, which went into the table."""
    legacy: int = 0
    """Accepted: legacy advertising. Without `use_timestamps` this number is the timestamp."""
    extended_2m: int = 0
    """Accepted: extended advertising, secondary PHY 2M."""
    coded: int = 0
    """Accepted: extended advertising, secondary PHY Coded."""
    changed: int = 0
    """Reports that changed the table."""
    repeats: int = 0
    """Reports with the same data as before."""
    shorter: int = 0
    """Reports with legacy data, which may not replace a longer advertisement of the sensor."""
    evicted: int = 0
    """Sensors that left the full table."""
    missed: int = 0
    """Measurements that never reached us, by the gaps in their sequence numbers: lost on air, in
    the coprocessor or on the serial line."""
    missed_unknown: int = 0
    """Reports for which it is not known how many measurements were missed before: the format has
    no sequence numbers, or the sensor restarted."""


@dataclass(slots=True)
class QueueCounters(Counters):
    """Reports that changed the table, on their way to the batches of one target."""

    replaced: int = 0
    """Reports that a newer one of the same sensor replaced before a batch took them, by design."""
    evicted: int = 0
    """Reports whose sensor left the full table."""
    cleared: int = 0
    """Reports in the table when it was emptied for a new configuration."""
    taken: int = 0
    """Reports that went into batches."""


@dataclass(slots=True)
class LinkCounters(Counters):
    """The serial side of one coprocessor, since the start of the host."""

    opened: int = 0
    """Times that the port was opened."""
    open_failures: int = 0
    """Attempts to open the port that failed."""
    disconnects: int = 0
    """Times that the port went away, or the link was given up."""
    session: SessionCounters = field(default_factory=SessionCounters)
    bytes_pending: int = 0
    """Bytes kept back for now: they may be the beginning of a frame. A level, not a counter."""
    uart_overruns: int | None = None
    """Bytes that this machine's UART or its driver lost. Null: not known, because the driver does
    not count them (nor does a pseudo-terminal or a network)."""
    uart_framing_errors: int | None = None
    """Bytes with a wrong stop bit. Null: as above."""
    read_pauses: int = 0
    """Times that reading was paused, because more came in than was taken. It drops nothing."""
    bytes_unsent: int = 0
    """Bytes to the coprocessor that were dropped, because the port took none."""
    given_up: int = 0
    """Times that no command was answered any more, and the port was closed and opened again.
    The third step, after `resends` and `recoveries`."""
    resets: int = 0
    """Times that the reset line was pulled, or the reset command run: the fourth step."""
    resets_failed: int = 0
    """Of `resets`: those that failed."""


@dataclass(slots=True)
class RelayCounters(Counters):
    """Batches of one target, and the reports in them."""

    batches: int = 0
    """New batches, empty ones included."""
    batch_reports: int = 0
    """Reports in `batches`."""
    from_previous_run: int = 0
    """Batches that the previous run left in the spool."""
    from_previous_run_reports: int = 0
    """Reports in `from_previous_run`."""
    attempts: int = 0
    """Attempts to deliver a batch."""
    accepted: int = 0
    """Batches that the target has accepted."""
    accepted_reports: int = 0
    """Reports in `accepted`."""
    failed_attempts: int = 0
    """Of `attempts`: those after which the batch was not accepted, or not all of it."""
    refused: int = 0
    """Batches that the target will never accept (HTTP: 4xx about the body); dropped."""
    refused_reports: int = 0
    """Reports in `refused`."""
    spooled: int = 0
    """Batches that went to the spool."""
    overflowed: int = 0
    """Batches dropped because the spool or the disk was full, the oldest first."""
    overflowed_reports: int = 0
    """Reports in `overflowed`."""
    aged_out: int = 0
    """Batches dropped because they waited for longer than is allowed."""
    aged_out_reports: int = 0
    """Reports in `aged_out`."""
    merged: int = 0
    """Batches that were merged into others, for a server that takes few posts."""
    merged_reports: int = 0
    """Reports that a newer one of the same sensor replaced in the merged batch."""
    unreadable: int = 0
    """Batches in a spool that was damaged."""
    unreadable_reports: int = 0
    """Reports in `unreadable`."""
    lost: int = 0
    """Batches whose only attempt failed (profile gateway), or that could not be kept at the end."""
    lost_reports: int = 0
    """Reports in `lost`."""
    empty_failed: int = 0
    """Empty batches that failed; nothing is lost with them."""
    kept: int = 0
    """Batches left in the spool at the end, for the next start."""
    kept_reports: int = 0
    """Reports in `kept`."""


@dataclass(slots=True)
class TargetCounters(Counters):
    """From the table to one target."""

    changed: int = 0
    """Reports that changed the table since this target exists."""
    queue: QueueCounters = field(default_factory=QueueCounters)
    queued: int = 0
    """Reports in the table that wait for the next batch. A level, not a counter."""
    relay: RelayCounters = field(default_factory=RelayCounters)
    waiting_batches: int = 0
    """Batches that wait for delivery, or are being delivered. A level, not a counter."""
    waiting_reports: int = 0
    """Reports in `waiting_batches`. A level, not a counter."""


@dataclass(slots=True)
class StatisticsCounters(Counters):
    """Posts of the gateway's statistics."""

    posts: int = 0
    """Attempts."""
    accepted: int = 0
    """Answered with 2xx."""
    failed: int = 0
    """Attempts that failed. They are not repeated: the next post tells the same."""


@dataclass(slots=True)
class ListeningCounters(Counters):
    """Readings shown one by one, without a relay."""

    reports: int = 0
    """Received."""
    not_decoded: int = 0
    """No Ruuvi payload, or one that cannot be read."""
    measurements: int = 0
    """Different ones."""
    duplicates: int = 0
    """The same measurement, advertised again."""
    missed: int = 0
    """Missing in the sequence of measurements."""
    superseded: int = 0
    """Format 6 of an Air whose E1 was received within the last minute."""
    replayed: int = 0
    """Encrypted readings that were not newer than the last one; dropped."""


@dataclass(slots=True)
class FleetCounters(Counters):
    """Messages of many hosts, by way of a broker."""

    messages: int = 0
    """Received."""
    not_understood: int = 0
    """Neither a reading of a sensor nor the state of a host."""
    states: int = 0
    """States of hosts."""
    without_values: int = 0
    """Readings that say only that a sensor was heard."""
    repeats: int = 0
    """Measurements that had come already, mostly from another host."""
    measurements: int = 0
    """Different ones."""
    older: int = 0
    """Of `measurements`: those that came behind a newer one of the same sensor."""
    moved: int = 0
    """Sensors that are at another host now."""
    forgotten: int = 0
    """Measurements of which repeats would not be recognised: there were too many of them."""
    tags_left: int = 0
    """Sensors that were forgotten: there were too many of them."""
    gateways_left: int = 0
    """Hosts that were forgotten: there were too many of them."""


@dataclass(slots=True)
class CaptureCounters(Counters):
    """What was recorded of a port."""

    records: int = 0
    """Reads and writes of the port that are in the file."""
    bytes_received: int = 0
    """In them, from the coprocessor."""
    bytes_sent: int = 0
    """In them, to the coprocessor."""
    records_lost: int = 0
    """Dropped: the file did not take them, or not fast enough."""
    bytes_lost: int = 0
    """In `records_lost`."""
