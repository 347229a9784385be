"""One command at a time: what is in flight, until when, and what its answer is.

A controller may answer and say that it takes no further command yet; the next one then waits. But
not for ever, since there may be one that never says otherwise; and a reset not at all.
"""

from math import inf

from ruuvi_host.hci.commands import FLUSH, RESET, HciCommand, Opcode
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.events import Answer

CREDIT_TIMEOUT = 1.0
"""Seconds that a command waits until the controller takes it."""


def _switches_off(command: HciCommand) -> bool:
    """May be refused: what it switches off may be off."""
    enable = (Opcode.LE_SET_SCAN_ENABLE, Opcode.LE_SET_EXTENDED_SCAN_ENABLE)
    return command.opcode in enable and not command.parameters[0]


class Conversation:
    """The command in flight.

    flush: zeros go before an HCI_Reset, which complete a command that was left in the middle. Not
    at the second try: some controllers throw away all that comes with a byte they do not expect.
    """

    def __init__(self, counters: ControllerCounters, *, flush: bool) -> None:
        self.in_flight: HciCommand | None = None
        self.deadline = inf
        """When it counts as unanswered; inf: none is in flight."""
        self._counters = counters
        self._flush = flush
        self._tries = 0
        self._output = b""
        self._has_credit = True
        self._held = b""  # until there is credit

    @property
    def is_held(self) -> bool:
        """Has the command in flight not been sent yet?"""
        return bool(self._held)

    def send(self, command: HciCommand, now: float) -> None:
        """A new command."""
        self._tries = 0
        self._send(command, now)

    def answer(self, answer: Answer, now: float) -> Answer | None:
        """The answer to the command in flight, which then is over; None: it is none, or not yet.

        One that is too short is as good as none: the deadline will tell.
        """
        self._has_credit = answer.credit > 0
        if self._has_credit:
            self._release(now)
        command = self.in_flight
        if command is None or answer.opcode != command.opcode:
            self._counters.unmatched += answer.opcode != 0
            return None
        if answer.status == 0 and len(answer.returned) < command.returns:
            if answer.complete:
                self._counters.malformed_events += 1
            return None
        self.drop()
        self._counters.refused += answer.status != 0 and not _switches_off(command)
        return answer

    def try_again(self, now: float) -> bool:
        """The deadline has come. False: that was the last try, and nothing is in flight now."""
        if self._release(now):
            return True
        self._counters.unanswered += 1
        command = self.in_flight
        if command is None or self._tries >= command.tries:
            self.drop()
            return False
        self._send(command, now)
        return True

    def drop(self) -> None:
        """Nobody waits for an answer any more."""
        self._held = b""
        self.in_flight = None
        self.deadline = inf

    def take_output(self) -> bytes:
        """What is to be written; may be empty."""
        output, self._output = self._output, b""
        return output

    def _send(self, command: HciCommand, now: float) -> None:
        self._tries += 1
        self._counters.commands += 1
        self.in_flight = command
        if command.opcode == RESET.opcode:  # gives credit anew
            self._has_credit = True
        is_flush = self._flush and command.opcode == RESET.opcode and self._tries != 2
        zeros = FLUSH if is_flush else b""
        self._held = zeros + command.packet()
        self.deadline = now + CREDIT_TIMEOUT
        if self._has_credit:
            self._release(now)

    def _release(self, now: float) -> bool:
        """Send what was held back. False: nothing was."""
        if not self._held or self.in_flight is None:
            return False
        self._output, self._held = self._held, b""
        self.deadline = now + self.in_flight.timeout
        return True
