"""What a run has learned of how a board answers: a test need not wait long for what never came in
an earlier one, and what comes seconds too late is not waited for again.

Only of a board that is as it is. One that is made to order is a new one in each test.
"""

from firmware_protocol.commands import Command

TIMEOUT = 6.0
"""Seconds until an answer is taken for one that does not come. The official host waits 0.1 s."""
SHORT = 1.0
"""The same, for an answer that has never come."""
PROMPT = 0.25
"""Seconds; an answer that comes so soon is not late if it does not come: it is lost."""
HOPELESS = 2.0
"""Seconds; what takes longer would be mistaken for the answer to the next command."""


class Experience:
    """Of one board, in one run."""

    def __init__(self) -> None:
        self._never: set[Command] = set()
        self._prompt: set[Command] = set()
        self._late: dict[Command, float] = {}

    def timeout(self, command: Command, wished: float) -> float:
        """How long to wait for the answer to this one."""
        return min(wished, SHORT if command in self._never else TIMEOUT)

    def is_prompt(self, command: Command) -> bool:
        """Has it been answered soon? Then it may soon be sent again."""
        return command in self._prompt

    def answered(self, command: Command, latency: float) -> None:
        """An answer has come, so many seconds after the command."""
        self._never.discard(command)
        if latency > HOPELESS:
            self._late[command] = latency
        elif latency < PROMPT:
            self._prompt.add(command)

    def unanswered(self, command: Command, waited: float) -> None:
        """None has."""
        if waited >= TIMEOUT:
            self._never.add(command)

    def hopeless(self, command: Command) -> str | None:
        """Why this command need not be sent at all: what it was answered with would come when
        nobody waits for it any more."""
        late = self._late.get(command)
        if late is None:
            return None
        return (
            f"{command.name} was not sent: earlier in this run its answer took {late:.1f} s, and "
            "the official host waits 0.1 s"
        )

    def is_never_answered(self, command: Command) -> bool:
        """As far as it has been tried."""
        return command in self._never

    def remark(self, command: Command) -> str:
        """To be said of an answer that has not come."""
        return "; nor did it come earlier in this run" if command in self._never else ""
