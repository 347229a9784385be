"""A session and the wire below it, at times that the test sets."""

from math import inf

import pytest

from firmware_protocol.commands import Command
from firmware_protocol.events import (
    Event,
)
from firmware_protocol.framing import decode_frame
from firmware_protocol.messages import (
    Ack,
    AdvRprt2,
    DeviceId,
    HostMessage,
    Message,
    SetAll,
    parse,
)
from firmware_protocol.session import HostSession
from firmware_protocol.timers import Timing
from firmware_protocol.transitions import State

DEVICE = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))
REPORT = AdvRprt2(bytes(6), b"\x02\x01\x06", -60, 1, 15, 37, False, -64)
ACKED = Ack(Command.SET_ALL, False)


class Wire:
    """A session, the time, and what it has written."""

    def __init__(self, settings: SetAll | None = None, timing: Timing | None = None) -> None:
        self.now = 100.0
        self.session = HostSession(settings or SetAll(), timing)
        self._written: list[Message] = []
        self.session.start(self.now)
        self.write()

    def write(self) -> None:
        """What a link does after each call: hand the output to the port."""
        output = self.session.take_output()
        if output:
            self._written.append(parse(decode_frame(output)))
            assert self._written[-1].to_frame() == output, "one command in one write"

    def sent(self) -> list[Message]:
        """What has been written since the last time."""
        written, self._written = self._written, []
        return written

    def receive(self, *messages: Message) -> list[Event]:
        return self.receive_bytes(b"".join(m.to_frame() for m in messages))

    def receive_bytes(self, raw: bytes) -> list[Event]:
        events = self.session.receive(raw, self.now)
        self.write()
        return events

    def command(self, command: HostMessage) -> None:
        self.session.command(command, self.now)
        self.write()

    def wait(self) -> list[Event]:
        """Until the deadline."""
        assert self.session.deadline < inf
        assert self.session.deadline > self.now, "a deadline that is over makes a link spin"
        self.now = self.session.deadline
        events = self.session.tick(self.now)
        self.write()
        return events

    def make_ready(self) -> None:
        self.receive(DEVICE)
        self.receive(ACKED)
        self.sent()
        assert self.session.state is State.READY


@pytest.fixture
def wire() -> Wire:
    return Wire()


CODED = SetAll(use_coded_phy=True)
