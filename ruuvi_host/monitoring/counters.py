"""What the host knows about itself: named counters. Every drop has one."""

from dataclasses import dataclass, fields
from enum import Enum


@dataclass(slots=True)
class Counters:
    """The base: counters that can be added up and shown."""

    def nonzero(self) -> dict[str, int]:
        """Name → count, without the zeros, in order of definition."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value}


@dataclass(slots=True)
class IntakeCounters(Counters):
    """From report to table."""

    reports: int = 0
    empty: int = 0
    """Dropped: no advertising data."""
    too_long: int = 0
    """Dropped: more bytes than the table takes."""
    filtered: int = 0
    """Dropped by the address filter."""
    clock_not_synchronised: int = 0
    """Dropped: there is no time to stamp them with yet."""
    duplicates: int = 0
    """Dropped: another coprocessor had already reported the same advertisement."""
    stronger: int = 0
    """Of those: with a better RSSI, which the table has taken over."""
    legacy: int = 0
    """Taken, legacy advertising. Also the running number of a gateway without a clock."""
    extended_2m: int = 0
    """Taken, secondary PHY 2M."""
    coded: int = 0
    """Taken, secondary PHY Coded."""
    changed: int = 0
    """Changed the table."""
    repeats: int = 0
    """Same data as before: no news."""
    shorter: int = 0
    """Legacy data that may not replace a longer advertisement."""
    evicted: int = 0
    """Sensors that left the full table."""
    missed: int = 0
    """Measurements that never reached us, as the gaps in the sensors' own numbers tell: lost on
    air, in the coprocessor or on the serial line."""
    missed_unknown: int = 0
    """News of which nobody knows: the format has no numbers, or the sensor began anew."""


@dataclass(slots=True)
class QueueCounters(Counters):
    """From the table to the batches of one target: news = replaced + evicted + cleared + taken +
    those that wait."""

    replaced: int = 0
    """By a newer one of the same sensor, before a batch took them: by design."""
    evicted: int = 0
    """Their sensor left the full table."""
    cleared: int = 0
    """The table was emptied."""
    taken: int = 0
    """Into batches."""


@dataclass(slots=True)
class LinkCounters(Counters):
    """The serial side, over all lives of the link."""

    opened: int = 0
    open_failures: int = 0
    """Attempts to open the port that failed."""
    disconnects: int = 0
    """Ports that went away, or links that were given up."""
    bytes_received: int = 0
    bytes_in_frames: int = 0
    bytes_skipped: int = 0
    bytes_pending: int = 0
    """Kept back for now: they may be the beginning of a frame."""
    crc_errors: int = 0
    etx_errors: int = 0
    delimiter_errors: int = 0
    length_errors: int = 0
    unknown_commands: int = 0
    idle_rescans: int = 0
    uart_overruns: int | None = None
    """Bytes that this machine's UART or its driver lost. None: not known, as the driver does not
    count them (nor does a pseudo-terminal or a network)."""
    uart_framing_errors: int | None = None
    """Bytes with a wrong stop bit. None: as above."""
    report_frames: int = 0
    """Intact frames with a report in them."""
    reports: int = 0
    reports_unconfigured: int = 0
    """Dropped: they came before the coprocessor was configured."""
    reboots: int = 0
    """GET_ALL received."""
    reboots_quiet: int = 0
    """Of those: by its own watchdog, as always when it has heard nothing for 42 s. No fault."""
    probes: int = 0
    """Sent only to see whether it answers."""
    lost_acks: int = 0
    """Commands without an answer in time, each try counted. What is done about it, rung by rung:"""
    resends: int = 0
    """1. The same command again."""
    recoveries: int = 0
    """2. GET_DEVICE_ID in between, which empties the coprocessor's buffer."""
    given_up: int = 0
    """3. Nothing answers at all: the port is closed and opened again."""
    resets: int = 0
    """4. The reset line was pulled, or the command for it run."""
    resets_failed: int = 0
    """Of those: it could not be."""
    unmatched_replies: int = 0
    unexpected_messages: int = 0


class LinkState(Enum):
    """How it goes on the serial side of one coprocessor."""

    CLOSED = "closed"
    """Not open: before the first time, or lost and looked for."""
    CONNECTING = "connecting"
    """Open; being identified and configured."""
    READY = "ready"
    """Configured; reports come in."""
    QUIET = "quiet"
    """Configured, and it answers, but there was no report for 50 s. No fault of the link."""


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """One coprocessor, as of now."""

    name: str
    """The port as the user named it."""
    path: str
    """Where it is now, or was last."""
    state: LinkState
    address: str
    """Of the coprocessor; empty: never heard."""
    firmware: str
    heard: float | None
    """Monotonic seconds of the last report."""
    answered: float | None
    """Monotonic seconds at which it last was ready or answered a probe."""
    problem: str
    """Why it is not ready; empty: it is."""
    counters: LinkCounters


@dataclass(slots=True)
class RelayCounters(Counters):
    """From table to server, one of these per target.

    Where batches end: batches + from_previous_run = accepted + empty_failed + refused +
    overflowed + aged_out + merged + unreadable + lost + those that wait (Relay.waiting). Likewise
    for reports.
    """

    batches: int = 0
    """Cut, empty ones included."""
    batch_reports: int = 0
    """In them."""
    from_previous_run: int = 0
    """Batches that the previous run left in the spool."""
    from_previous_run_reports: int = 0
    posts: int = 0
    """Attempts."""
    accepted: int = 0
    accepted_reports: int = 0
    failed: int = 0
    """Attempts without a 2xx."""
    refused: int = 0
    """Batches that the server will never take (4xx about the body); dropped."""
    refused_reports: int = 0
    spooled: int = 0
    """Batches that went to the spool."""
    overflowed: int = 0
    """Batches that left the full spool, or for want of room on the disk, the oldest first."""
    overflowed_reports: int = 0
    aged_out: int = 0
    """Batches that waited for longer than is allowed."""
    aged_out_reports: int = 0
    merged: int = 0
    """Batches that were made one with others, for a server that takes few posts."""
    merged_reports: int = 0
    """Reports that a newer one of the same sensor replaced then."""
    unreadable: int = 0
    """Batches in a spool that was damaged."""
    unreadable_reports: int = 0
    lost: int = 0
    """Batches whose only attempt failed (profile gateway), or that could not be kept at the end."""
    lost_reports: int = 0
    empty_failed: int = 0
    """Empty batches that failed; nothing is lost with them."""
    kept: int = 0
    """Batches left in the spool at the end, for the next start."""
    kept_reports: int = 0


@dataclass(slots=True)
class StatisticsCounters(Counters):
    """Posts that tell how the gateway is."""

    posts: int = 0
    accepted: int = 0
    failed: int = 0
    """Not tried again: the next one tells the same."""


@dataclass(slots=True)
class ListeningCounters(Counters):
    """Readings shown one by one, without a relay."""

    reports: int = 0
    not_decoded: int = 0
    """No Ruuvi payload, or one that cannot be read."""
    measurements: int = 0
    """Different ones."""
    duplicates: int = 0
    """The same measurement, advertised again."""
    missed: int = 0
    """Missing in the sequence of measurements."""
    superseded: int = 0
    """Format 6 of an Air whose E1 was heard within the last minute."""
    replayed: int = 0
    """Encrypted readings that were not newer than the last one; dropped."""


@dataclass(slots=True)
class CaptureCounters(Counters):
    """What was recorded of a port."""

    records: int = 0
    """Reads and writes of the port that are in the file."""
    bytes_received: int = 0
    bytes_sent: int = 0
    records_lost: int = 0
    """Dropped: the file did not take them, or not fast enough."""
    bytes_lost: int = 0
