"""Each command: its answer, how long that takes, and what it must not be answered with."""

from itertools import cycle

import pytest

from firmware_protocol.framing import encode_frame
from firmware_protocol.messages import (
    Ack,
    DeviceId,
    GetAll,
    GetDeviceId,
    HostMessage,
    LedCtrl,
    SetAll,
    SetCh37,
    SetCh38,
    SetCh39,
    SetCodedPhy,
    SetFltrId,
    SetFltrTags,
    SetScan1mbPhy,
    SetScan2mbPhy,
)

from .figures import Figures, more_are_needed
from .marks import generation, needs
from .plugin import Board
from .rig import Ability
from .wire import SILENCE, Wire, answers

TIMES = 20
LIMITS = (1, 10, 31, 48, 191, 192)
QUIET = SetAll(fltr_tags=True, fltr_id=0xFFFF, max_adv_len=0)
"""Nothing is reported: replies have the line for themselves."""

COMMANDS: dict[str, list[HostMessage]] = {
    "GET_DEVICE_ID": [GetDeviceId()],
    "SET_FLTR_TAGS": [SetFltrTags(False), SetFltrTags(True)],
    "SET_FLTR_ID": [SetFltrId(0xFFFF), SetFltrId(0x0499), SetFltrId(0x0A0A), SetFltrId(0xFFFF)],
    "SET_CODED_PHY off": [SetCodedPhy(False)],
    "SET_SCAN_1MB_PHY": [SetScan1mbPhy(False), SetScan1mbPhy(True)],
    "SET_SCAN_2MB_PHY": [SetScan2mbPhy(False), SetScan2mbPhy(True)],
    "SET_CH_37": [SetCh37(False), SetCh37(True)],
    "SET_CH_38": [SetCh38(False), SetCh38(True)],
    "SET_CH_39": [SetCh39(False), SetCh39(True)],
    "LED_CTRL": [LedCtrl(10), LedCtrl(1500), LedCtrl(0)],
    "SET_ALL short": [QUIET],
}
pytestmark = needs("answer")


@pytest.mark.parametrize("name", COMMANDS)
def test_is_answered(name: str, board: Board, wire: Wire, figures: Figures) -> None:
    """Answered each time, with the right kind of answer, and soon."""
    coded = not _refuses(wire, QUIET)
    wire.forget()
    times: list[float] = []
    in_turn = cycle(COMMANDS[name])
    most = 0 if Ability.SETUP in board.rig.abilities else TIMES // 4
    while wire.lost_answers <= most and more_are_needed(times, board.rig.reply_bound, TIMES):
        command = next(in_turn)
        reply = wire.command(command)
        times.append(reply.latency)
        match reply.message:
            case Ack(state=state):
                # A chip without Coded PHY refuses each SET_ALL, and applies it all the same.
                refused = isinstance(command, SetAll) and not coded
                means = "refused" if state else "accepted"
                assert state is refused, (
                    f"{command} was answered by an ACK with state {int(state)}: {means}"
                )
                assert not (isinstance(command, LedCtrl) and board.is_v1), (
                    f"{command} was answered by an ACK, and before with its echo"
                )
            case DeviceId():
                pass  # see `answers`
            case echo:
                assert board.is_v1, f"{command} was answered with {echo}, and before by an ACK"
    wire.listen(SILENCE)
    came = sum(any(answers(c, h.message) for c in COMMANDS[name]) for h in wire.received)
    figures.measure("answers too many", max(came - len(times) - wire.lost_answers, 0), high=0)
    figures.measure("sent again", wire.lost_answers, high=most)
    figures.latencies(name, times, board.rig.reply_bound)


def _refuses(wire: Wire, command: SetAll) -> bool:
    message = wire.command(command).message
    return isinstance(message, Ack) and message.state


@generation("2.0.0")
def test_long_set_all(board: Board, wire: Wire, figures: Figures) -> None:
    """The form with max_adv_len, all lengths that are allowed."""
    times: list[float] = []
    limits = cycle(LIMITS)
    while more_are_needed(times, board.rig.reply_bound, len(LIMITS)):
        command = SetAll(fltr_id=0xFFFF, max_adv_len=next(limits))
        times.append(wire.command(command).latency)
    figures.latencies("SET_ALL long", times, board.rig.reply_bound)


@needs("setup")
@generation("1.0.0")
def test_long_set_all_is_not_understood(wire: Wire) -> None:
    """Old firmware does not answer it, and is the same as before once a command has decoded."""
    wire.send(SetAll(max_adv_len=48).to_frame())
    wire.listen(0.3)
    assert not any(isinstance(received.message, Ack) for received in wire.received)
    wire.command(GetDeviceId())
    assert isinstance(wire.command(QUIET).message, Ack)


def test_all_channels_off(wire: Wire) -> None:
    """SET_ALL without a channel is refused; the last channel cannot be switched off."""
    wire.command(QUIET)
    nothing = SetAll(fltr_id=0xFFFF, ch_37=False, ch_38=False, ch_39=False, max_adv_len=0)
    reply = wire.command(nothing).message
    assert isinstance(reply, Ack)
    assert reply.state, "SET_ALL without any channel was accepted"
    wire.command(SetAll(fltr_id=0xFFFF, ch_38=False, ch_39=False, max_adv_len=0))
    reply = wire.command(SetCh37(False)).message
    assert isinstance(reply, Ack)
    assert reply.state, "the last channel was switched off"


@needs("setup")
@pytest.mark.parametrize("command", [0x10, 0x11, 0x12, 0x19, 0x20])
def test_what_only_a_coprocessor_sends(command: int, board: Board, wire: Wire) -> None:
    """Sent to it by mistake it is answered with an error, or not understood."""
    payload = {
        0x10: bytes(6) + b",,\xd0,",
        0x11: bytes(8) + b"," + bytes(6) + b",",
        0x12: bytes(6) + b",,\xd0,\x1f\x25\x40,",
        0x19: b"",
        0x20: b"\x0f,\x00,",
    }[command]
    wire.send(encode_frame(command, payload))
    if command == 0x12 and board.is_v1:
        wire.listen(0.3)
        assert not any(isinstance(received.message, Ack) for received in wire.received)
    else:
        reply = wire.wait(lambda m: isinstance(m, Ack), "ACK").message
        assert reply == Ack(command, True)
    wire.command(GetDeviceId())


@pytest.mark.parametrize("command", [0x00, 0x01, 0x02, 0x0D, 0x13, 0x1A, 0x21, 0xFF])
def test_unknown_command(command: int, wire: Wire) -> None:
    """Not answered. (No byte of it is 0x0A but the last, so that it is one chunk.)"""
    wire.send(encode_frame(command, b"\x01,"))
    wire.no_answer(lambda m: isinstance(m, Ack), f"the unknown command 0x{command:02X}")
    wire.command(GetDeviceId())


@needs("truth")
def test_led(board: Board, wire: Wire) -> None:
    """On for as long as it was told; 0 is off."""
    wire.command(LedCtrl(0))
    assert not board.rig.led_is_on()
    wire.command(LedCtrl(60_000))
    assert board.rig.led_is_on()
    wire.command(LedCtrl(0))
    assert not board.rig.led_is_on()


def test_led_does_not_disturb(board: Board, wire: Wire, figures: Figures) -> None:
    """The gateway's own rhythm: LED_CTRL again and again, each answered, and no reboot."""
    wire.command(QUIET)
    wire.forget()
    times: list[float] = []
    while more_are_needed(times, board.rig.reply_bound, TIMES):
        times.append(wire.command(LedCtrl(1500 * (len(times) % 2))).latency)
    assert not any(isinstance(received.message, GetAll) for received in wire.received)
    figures.latencies("LED_CTRL in turn", times, board.rig.reply_bound)
