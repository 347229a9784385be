"""The one command in flight: its tries, and the time-outs in a row.

The coprocessor has one place for a pending reply, so there is one place here, too.
"""

from dataclasses import dataclass

from firmware_protocol.messages import HostMessage
from firmware_protocol.timers import Timing


@dataclass(slots=True)
class InFlight:
    """A command that waits for its answer."""

    command: HostMessage
    deadline: float
    """When its answer is overdue."""
    tries: int
    """How often it has been sent."""
    by_caller: bool
    """It is not the session's own."""


class CommandSlot:
    """One command at a time. It decides how often; what is sent next is decided by the session."""

    def __init__(self, timing: Timing) -> None:
        self.in_flight: InFlight | None = None
        self.timeouts = 0
        """In a row."""
        self._timing = timing
        self._output = b""

    @property
    def awaited(self) -> HostMessage | None:
        """What an answer can be for: a command that has been written and not been answered."""
        return self.in_flight.command if self.in_flight and not self._output else None

    @property
    def silence(self) -> float:
        """Seconds that the time-outs take after which a link is down."""
        return self._timing.timeouts_to_fail * self._timing.ack_timeout

    def send(self, command: HostMessage, now: float, *, by_caller: bool = False) -> None:
        """A command for the first time."""
        self._put(InFlight(command, now + self._timing.ack_timeout, 1, by_caller))

    def send_again(self, lost: InFlight, command: HostMessage, now: float) -> None:
        """One more try. command: the same, or what has taken its place."""
        deadline = now + self._timing.ack_timeout
        self._put(InFlight(command, deadline, lost.tries + 1, lost.by_caller))

    def timed_out(self, *, is_reporting: bool) -> bool:
        """Count a time-out. Is the link down?

        is_reporting: reports come in, which cost answers: more time-outs are allowed.
        """
        self.timeouts += 1
        timing = self._timing
        factor = timing.reporting_factor if is_reporting else 1
        return self.timeouts >= timing.timeouts_to_fail * factor

    def has_tries_left(self, lost: InFlight) -> bool:
        """May the same command be sent again?"""
        return lost.tries < self._timing.tries

    def take(self) -> InFlight | None:
        """Empty the slot: it was answered, or nobody waits any longer."""
        taken, self.in_flight = self.in_flight, None
        self._output = b""
        return taken

    def take_output(self) -> bytes:
        """What is to be written now; may be empty."""
        output, self._output = self._output, b""
        return output

    def _put(self, in_flight: InFlight) -> None:
        self.in_flight = in_flight
        self._output = in_flight.command.to_frame()
