"""The messages that a board has sent, with their times, for a test that waits for them.

One thread adds them, another one waits and reads.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from firmware_protocol.commands import Command
from firmware_protocol.messages import Ack, Message
from ruuvi_host.errors import PortError


class Received(NamedTuple):
    """A message, and when the read that completed it returned."""

    at: float
    message: Message


def kind(message: Message) -> str:
    """What a message is, in a list of those that nobody has waited for."""
    if not isinstance(message, Ack):
        return message.command.name
    try:
        return f"ACK of {Command(message.acked_cmd).name}"
    except ValueError:
        return f"ACK of 0x{message.acked_cmd:02X}"


class Inbox:
    """See the top of this file. Methods that wait raise the PortError of a port that is lost."""

    def __init__(self) -> None:
        self._messages: list[Received] = []
        self._looked_at = 0
        self._changed = threading.Condition()
        self._loss: PortError | None = None

    def add(self, messages: Iterable[Received]) -> None:
        """These have come."""
        with self._changed:
            self._messages += messages
            self._changed.notify_all()

    def lose(self, loss: PortError) -> None:
        """The port is lost; no more will come."""
        with self._changed:
            self._loss = loss
            self._changed.notify_all()

    def messages(self) -> list[Received]:
        """All since the beginning, or since the last `take` or `clear`."""
        with self._changed:
            return list(self._messages)

    def take(self) -> list[Received]:
        """The same, and they are forgotten."""
        with self._changed:
            taken, self._messages = self._messages, []
            self._looked_at = 0
            return taken

    def skip(self) -> None:
        """A later `wait` looks at none of those that have come until now."""
        with self._changed:
            self._looked_at = len(self._messages)

    def wait(
        self, wanted: Callable[[Message], bool], timeout: float, others: Counter[str]
    ) -> Received | None:
        """The next message that is wanted, of those that no earlier wait has looked at; None: it
        has not come. others: counts what came instead, by its kind."""
        until = time.monotonic() + timeout
        with self._changed:
            while True:
                while self._looked_at < len(self._messages):
                    received = self._messages[self._looked_at]
                    self._looked_at += 1
                    if wanted(received.message):
                        return received
                    others[kind(received.message)] += 1
                if self._loss:
                    raise self._loss
                left = until - time.monotonic()
                timed_out = left <= 0 or not self._changed.wait(left)
                if timed_out and self._looked_at == len(self._messages):
                    return None

    def loss(self, timeout: float) -> PortError | None:
        """Wait until the port is lost; None: it is not."""
        with self._changed:
            self._changed.wait_for(lambda: self._loss, timeout)
            return self._loss
