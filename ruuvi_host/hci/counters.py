"""What a controller and its session are counted by. One set for all lives of a transport.

reports = dropped + joined + waiting + sent. That is `unaccounted` == 0, and a property test.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class ControllerCounters:
    """Since the program began."""

    reports: int = 0
    """HCI advertising reports in intact events: each is counted below, once."""
    scan_responses: int = 0
    anonymous: int = 0
    """Without an address."""
    no_rssi: int = 0
    """Signal strength not available (127)."""
    phy_off: int = 0
    """Legacy while 1M is off, or extended while 2M and coded are."""
    too_long: int = 0
    other_company: int = 0
    not_configured: int = 0
    """No SET_ALL yet."""
    no_host: int = 0
    """Nobody has the pty open."""
    truncated: int = 0
    """Fragments of an advertisement that the controller gave up."""
    orphaned: int = 0
    """Fragments of one that never became whole, was too long, or was one of too many."""
    joined: int = 0
    """Fragments that became part of a later report."""
    waiting: int = 0
    """Fragments whose rest may still come."""
    sent: int = 0
    """Handed on."""
    malformed_events: int = 0
    """Events whose lengths do not add up; nothing of them is used."""
    bytes_skipped: int = 0
    """H4: in no packet."""
    packets_skipped: int = 0
    """ACL, SCO and ISO data."""
    commands: int = 0
    unanswered: int = 0
    refused: int = 0
    unmatched: int = 0
    """Answers that nothing was waiting for."""
    other_kind: int = 0
    """Times that the other kind of scan was tried."""
    rungs: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """How often rung 1, 2, 3 and 4 were climbed."""

    @property
    def dropped(self) -> int:
        """Reports that were counted and not handed on."""
        return (
            self.scan_responses
            + self.anonymous
            + self.no_rssi
            + self.phy_off
            + self.too_long
            + self.other_company
            + self.not_configured
            + self.no_host
            + self.truncated
            + self.orphaned
        )

    @property
    def unaccounted(self) -> int:
        """0, or there is a mistake in the counting."""
        return self.reports - self.dropped - self.joined - self.waiting - self.sent
