"""A command is known in every place that must know it; what is forgotten is named here.

Codec, both ends of a session, the dissector for Wireshark and the suite for boards each have a
list of their own. A new command that is missing in one of them fails the test of that list.
"""

import re
from pathlib import Path
from typing import Any, get_args

import pytest

import firmware_protocol
from firmware_protocol.commands import ADV, FACTS, Command, Direction, shortest_payload
from firmware_protocol.coprocessor import CoprocessorSession
from firmware_protocol.framing import FrameScanner, encode_frame
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    CoprocessorMessage,
    DeviceId,
    HostMessage,
    Message,
    SetAll,
    messages,
)
from firmware_protocol.transmitter import Ideal

ROOT = Path(__file__).parent.parent.parent
REPORTS: dict[Command, type[Message]] = {
    Command.ADV_RPRT: AdvRprt,
    Command.ADV_RPRT2: AdvRprt2,
}
FROM_HOST = [c for c in Command if FACTS[c].direction is Direction.HOST_TO_COPROCESSOR]


def payload_of(command: Command) -> bytes:
    """The shortest one, all fields zero."""
    layout = FACTS[command].layouts[0]
    return b"".join(bytes(0 if size == ADV else size) + b"," for size in layout)


def message_class(command: Command) -> type[Message] | None:
    """The class whose frames carry `command`."""
    for kind in (*get_args(HostMessage), *get_args(CoprocessorMessage)):
        if kind is REPORTS.get(command) or kind.command is command:
            return kind  # type: ignore[no-any-return]
    return None


@pytest.mark.parametrize("command", Command, ids=lambda command: command.name)
def test_has_a_message_that_the_library_offers(command: Command) -> None:
    kind = message_class(command)
    assert kind is not None, f"no member of HostMessage or CoprocessorMessage is {command.name}"
    union = HostMessage if command in FROM_HOST else CoprocessorMessage
    assert kind in get_args(union), f"{kind.__name__} goes the other way"
    assert kind.__name__ in firmware_protocol.__all__


@pytest.mark.parametrize("command", Command, ids=lambda command: command.name)
def test_is_read_from_the_wire(command: Command) -> None:
    frame = encode_frame(command, payload_of(command))
    (message,) = FrameScanner(messages).feed(frame)
    assert type(message) is message_class(command)


@pytest.mark.parametrize("command", FROM_HOST, ids=lambda command: command.name)
def test_is_answered_by_a_coprocessor(command: Command) -> None:
    session = CoprocessorSession(DeviceId(bytes(8), bytes(6)), Ideal(0), firmware="2.0.0")
    session.boot(0.0)
    session.receive(SetAll().to_frame(), 1.0)
    session.take_output(2.0)
    ones = payload_of(command).replace(b"\x00", b"\x01")
    frame = SetAll().to_frame() if command is Command.SET_ALL else encode_frame(command, ones)
    session.receive(frame, 3.0)
    (answer,) = FrameScanner(messages).feed(session.take_output(4.0))
    if FACTS[command].reply is Command.ACK:
        assert answer == Ack(command, False)  # a command that it does not know is refused
    else:
        assert type(answer) is message_class(FACTS[command].reply or command)


def lua_table(name: str) -> dict[int, str]:
    """The entries of a table of the dissector: number to text."""
    source = (ROOT / "tools" / "ca_uart.lua").read_text()
    found = re.search(rf"^local {name} = {{\n(.*?)^}}", source, re.MULTILINE | re.DOTALL)
    assert found
    entry = re.compile(r"\[(0x..)\] = (true|\"\w+\"|\{(?:\{[^}]*\}(?:, )?)*\})")
    return {int(number, 16): value for number, value in entry.findall(found[1])}


def test_the_dissector_knows_it() -> None:
    def layouts(command: Command) -> str:
        inner = [
            "{" + ", ".join("ADV" if size == ADV else str(size) for size in layout) + "}"
            for layout in FACTS[command].layouts
        ]
        return "{" + ", ".join(inner) + "}"

    assert lua_table("NAMES") == {command: f'"{command.name}"' for command in Command}
    assert lua_table("OF_HOST") == dict.fromkeys(FROM_HOST, "true")
    assert lua_table("LAYOUTS") == {command: layouts(command) for command in Command}


@pytest.mark.parametrize("command", FROM_HOST, ids=lambda command: command.name)
@pytest.mark.parametrize("module", ["test_commands.py", "sequences.py"])
def test_the_suite_for_boards_sends_it(command: Command, module: str) -> None:
    kind: Any = message_class(command)
    body = (ROOT / "hil" / module).read_text().split("\n)\n", 1)[1]  # behind the imports
    assert re.search(rf"\b{kind.__name__}\b", body)


def test_shortest_payloads_are_what_they_say() -> None:
    for command in Command:
        assert len(payload_of(command)) == shortest_payload(FACTS[command].layouts[0])
