"""What the host knows about itself: named counters. Every drop has one."""

from dataclasses import dataclass, fields


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
    """Dropped: more octets than the table takes."""
    filtered: int = 0
    """Dropped by the address filter."""
    clock_not_right: int = 0
    """Dropped: there is no time to stamp them with yet."""
    legacy: int = 0
    """Taken, legacy advertising. Also the running number of a gateway without a clock."""
    extended_2m: int = 0
    """Taken, secondary PHY 2M."""
    coded: int = 0
    """Taken, secondary PHY Coded."""
    news: int = 0
    """Changed the table."""
    repeats: int = 0
    """Same data as before: no news."""
    shorter: int = 0
    """Legacy data that may not replace a longer advertisement."""
    replaced: int = 0
    """A newer report replaced one that no batch had taken yet."""
    evicted: int = 0
    """Sensors that left the full table."""
    evicted_unsent: int = 0
    """Of those: with a report that a batch had still to take."""


@dataclass(slots=True)
class LinkCounters(Counters):
    """The serial side, over all lives of the link."""

    opened: int = 0
    lost: int = 0
    """Ports that went away, or links that were given up."""
    bytes_received: int = 0
    bytes_in_frames: int = 0
    bytes_skipped: int = 0
    crc_errors: int = 0
    etx_errors: int = 0
    delimiter_errors: int = 0
    length_errors: int = 0
    unknown_commands: int = 0
    idle_rescans: int = 0
    reports: int = 0
    reports_unconfigured: int = 0
    """Dropped: they came before the coprocessor was configured."""
    reboots: int = 0
    """GET_ALL received. The coprocessor reboots by itself when it hears nothing for 42 s."""
    lost_acks: int = 0
    unmatched_replies: int = 0
    unexpected_messages: int = 0


@dataclass(slots=True)
class RelayCounters(Counters):
    """From table to server, one of these per target."""

    batches: int = 0
    """Cut, empty ones included."""
    posts: int = 0
    """Attempts."""
    accepted: int = 0
    accepted_reports: int = 0
    failed: int = 0
    """Attempts without a 2xx."""
    refused: int = 0
    """Batches that the server will never take (4xx about the body); dropped."""
    refused_reports: int = 0
    overflowed: int = 0
    """Batches that left the full queue, the oldest first."""
    overflowed_reports: int = 0
    empty_failed: int = 0
    """Empty batches that failed; nothing is lost with them."""


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
    lost: int = 0
    """Missing in the sequence of measurements."""
    superseded: int = 0
    """Format 6 of an Air whose E1 was heard within the last minute."""
    replayed: int = 0
    """Encrypted readings that were not newer than the last one; dropped."""
