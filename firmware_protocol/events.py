"""What a HostSession reports: its events and its counters."""

from dataclasses import dataclass, field

from firmware_protocol.commands import Command
from firmware_protocol.damage import Damage
from firmware_protocol.framing import ScannerCounters
from firmware_protocol.messages import DeviceId, HostMessage, Message, Report
from firmware_protocol.transitions import State


@dataclass(frozen=True, slots=True)
class Identified:
    """The coprocessor sent its identity, for the first time in this life or a different one."""

    device: DeviceId


@dataclass(frozen=True, slots=True)
class Ready:
    """Configured: reports count from here on.

    `refused`: the ACK said 1. The coprocessor has applied what it could all the same: no channel
    was enabled, or its chip has no coded PHY (firmware 2.0.0 then answers every SET_ALL so).
    `again`: it was configured all the time, and has taken other settings.
    """

    refused: bool
    again: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """Reports, in order of arrival. One event for all that a read brought."""

    reports: list[Report]


@dataclass(frozen=True, slots=True)
class Rebooted:
    """GET_ALL: the coprocessor has started anew and waits for its configuration.

    `quiet`: it had had nothing to report for so long that its own watchdog did it, as it always
    does then (42 s; 20 s in firmware 1.0.0). No fault.
    """

    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Quiet:
    """Configured, and no report for `Timing.quiet`, reboots notwithstanding. Told once, until
    reports come again. It says nothing against the link: a dead one is `Failed`."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """A part of the bytes is damaged, and that lasts. Told once a minute while it does."""

    damage: Damage


@dataclass(frozen=True, slots=True)
class Replied:
    """The end of a command that was given with `HostSession.command`."""

    command: HostMessage
    reply: Message | None
    """ACK, DEVICE_ID, or the echo of LED_CTRL; None: there was no answer before a reboot, or the
    end, or the last try's time-out."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The link is down. Nothing follows; the session is spent."""

    state: State
    """The state that it was in."""
    command: Command
    """The command that was not answered last."""
    deaf: bool = False
    """Reports came in all the while: it sends and does not hear. After a framing error on its own
    receiver only its reset line or its power brings it back."""


Event = Identified | Ready | Received | Rebooted | Quiet | Damaged | Replied | Failed


@dataclass(slots=True)
class SessionCounters:
    """What one life of a link has seen; `scanner` has the bytes and frames."""

    scanner: ScannerCounters = field(default_factory=ScannerCounters)
    reports: int = 0
    """Reports delivered."""
    reports_unconfigured: int = 0
    """Reports dropped: they came before the coprocessor was configured, or after it had failed to
    answer."""
    lost_acks: int = 0
    """Commands without an answer in time, each try counted."""
    probes: int = 0
    """Commands sent only to see whether the coprocessor answers."""
    resends: int = 0
    """The same command once more, because its answer did not come: the first step."""
    recoveries: int = 0
    """GET_DEVICE_ID in place of a command that several tries did not get through: it empties the
    coprocessor's buffer. The second step."""
    reboots: int = 0
    """Restarts of the coprocessor: GET_ALL received."""
    reboots_quiet: int = 0
    """Of `reboots`: by its own watchdog, because there was nothing to report. No fault."""
    unmatched_replies: int = 0
    """Answers that nothing was waiting for; dropped."""
    unexpected_messages: int = 0
    """Intact frames that only a host sends; dropped."""

    @property
    def report_frames(self) -> int:
        """Intact frames with a report."""
        frames = self.scanner.frames
        return frames[Command.ADV_RPRT] + frames[Command.ADV_RPRT2]
