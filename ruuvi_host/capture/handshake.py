"""The handshake of a played capture: which commands the real host has to send before it goes on.

Every host asks who the coprocessor is and configures it before it takes reports. The recorded host
and the real one send these commands at different times; this keeps the two in step.
"""

from collections import Counter, deque

from firmware_protocol.commands import Command
from firmware_protocol.messages import Ack, DeviceId, Message

COMMANDS = (Command.GET_DEVICE_ID, Command.SET_ALL)


def command_of(message: Message) -> Command | None:
    """The command of the handshake that this answers; None: none."""
    if isinstance(message, DeviceId):
        return Command.GET_DEVICE_ID
    if isinstance(message, Ack) and message.acked_cmd == Command.SET_ALL:
        return Command.SET_ALL
    return None


class Handshake:
    """Of the real host. recorded: are the coprocessor's answers in the capture?"""

    def __init__(self, *, recorded: bool) -> None:
        self.is_over = False
        """As far as is known."""
        self.is_scripted = recorded
        """Does the capture answer this one? Else the player does."""
        self._recorded = recorded
        self._sent: Counter[Command] = Counter()
        """Commands of the real host that the recorded one has not sent yet."""
        self._awaited: deque[Command] = deque()
        """Commands of the recorded host that the real one has not sent yet."""
        self._open: Counter[Command] = Counter()
        """Commands of the recorded host without an answer yet. Below 0: answers without a command,
        as in a capture of the coprocessor's direction only."""

    @property
    def is_followed(self) -> bool:
        """Does the real host go through a handshake that is in the capture?"""
        return self.is_scripted and not self.is_over

    @property
    def may_answer(self) -> bool:
        """May the player answer? Not during a handshake that is in the capture, even where it has
        no answer: firmware 1.0.0 does not answer a SET_ALL that it does not know, and hosts detect
        it by that."""
        return not self.is_followed

    def sent(self, command: Command) -> None:
        """The real host has sent a command."""
        self._sent[command] += 1

    def recorded_sent(self, command: Command) -> None:
        """The recorded host has sent a command: wait for it."""
        if not self.is_over and command in COMMANDS:
            self._await(command, 1)

    def recorded_answer(self, command: Command) -> None:
        """The answer to a command is next: wait for the command, unless that was done."""
        self._await(command, -1)

    def _await(self, command: Command, change: int) -> None:
        before = self._open[command]
        self._open[command] += change
        if before * change >= 0:
            self._awaited.append(command)

    @property
    def awaited(self) -> Command | None:
        """The command that the real host has to send next; None: none."""
        return self._awaited[0] if self._awaited else None

    def is_sent(self, command: Command) -> bool:
        """Has the real host sent the command? Each that it sends counts once."""
        if not self._sent[command]:
            return False
        self._sent[command] -= 1
        return True

    def go_on(self) -> None:
        """The first command is no longer awaited."""
        self._awaited.popleft()

    def played(self, message: Message) -> None:
        """A message of the coprocessor was played: it may begin or end a handshake."""
        if message.command == Command.GET_ALL:  # the coprocessor has rebooted
            self.is_over = False
            self.is_scripted = self._recorded
            self._sent.clear()
            self._awaited.clear()
        elif command_of(message) is Command.SET_ALL:
            self.is_over = True

    def restart(self) -> None:
        """A host has opened the port again: the handshake of the capture is over."""
        self.is_over = self.is_scripted = False
        self._sent.clear()
        self._awaited.clear()
        self._open.clear()
