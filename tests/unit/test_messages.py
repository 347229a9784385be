"""Messages: known ones both ways, and the values that no frame can carry."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest
from conftest import load_vectors

from firmware_protocol.commands import FACTS, Command, Direction
from firmware_protocol.errors import LocalProtocolError, RemoteProtocolError
from firmware_protocol.framing import Frame, FrameScanner, decode_frame
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetAll,
    GetDeviceId,
    LedCtrl,
    Message,
    SetAll,
    SetCh37,
    SetCh38,
    SetCh39,
    SetCodedPhy,
    SetFltrId,
    SetFltrTags,
    SetScan1mbPhy,
    SetScan2mbPhy,
    messages,
    parse,
)

VALID = load_vectors("uart.json")["valid"]
ADDRESS = bytes.fromhex("cbb8334c884f")


def scan(stream: bytes) -> list[Message]:
    scanner: FrameScanner[Message] = FrameScanner(messages)
    return scanner.feed(stream)


def by_name(entry: dict[str, Any]) -> str:
    return str(entry["name"])


def _address(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _set_all(fields: dict[str, Any]) -> SetAll:
    numbers = {name: fields[name] for name in ("fltr_id", "max_adv_len")}
    return SetAll(**numbers, **{n: bool(v) for n, v in fields.items() if n not in numbers})


# The fields of a vector → the message. By hand, so that it owes nothing to `Message.fields`.
BUILD: dict[str, Callable[[dict[str, Any]], Message]] = {
    "SET_FLTR_TAGS": lambda f: SetFltrTags(bool(f["state"])),
    "SET_FLTR_ID": lambda f: SetFltrId(f["id"]),
    "SET_CODED_PHY": lambda f: SetCodedPhy(bool(f["state"])),
    "SET_SCAN_1MB_PHY": lambda f: SetScan1mbPhy(bool(f["state"])),
    "SET_SCAN_2MB_PHY": lambda f: SetScan2mbPhy(bool(f["state"])),
    "SET_CH_37": lambda f: SetCh37(bool(f["state"])),
    "SET_CH_38": lambda f: SetCh38(bool(f["state"])),
    "SET_CH_39": lambda f: SetCh39(bool(f["state"])),
    "LED_CTRL": lambda f: LedCtrl(f["time_interval_ms"]),
    "SET_ALL": _set_all,
    "ADV_RPRT": lambda f: AdvRprt(_address(f["mac"]), bytes.fromhex(f["adv"]), f["rssi"]),
    "DEVICE_ID": lambda f: DeviceId(bytes.fromhex(f["id"]), _address(f["addr"])),
    "ADV_RPRT2": lambda f: AdvRprt2(
        address=_address(f["mac"]),
        data=bytes.fromhex(f["adv"]),
        rssi=f["rssi"],
        primary_phy=f["primary_phy"],
        secondary_phy=f["secondary_phy"],
        channel=f["ch_index"],
        is_coded_phy=bool(f["is_coded_phy"]),
        tx_power=f["tx_power"],
    ),
    "GET_DEVICE_ID": lambda f: GetDeviceId(),
    "GET_ALL": lambda f: GetAll(),
    "ACK": lambda f: Ack(f["acked_cmd"], bool(f["state"])),
}


def test_the_vectors_have_every_command() -> None:
    assert {entry["cmd"] for entry in VALID} == {command.name for command in Command}


@pytest.mark.parametrize("entry", VALID, ids=by_name)
def test_known_frame_to_message(entry: dict[str, Any]) -> None:
    whole = bytes.fromhex(entry["hex"])
    expected = BUILD[entry["cmd"]](entry["fields"])
    for message in (parse(decode_frame(whole)), *scan(whole)):
        assert (type(message), message) == (type(expected), expected)
        assert message.fields() == entry["fields"]
        assert all(type(value) in (int, str) for value in message.fields().values())


@pytest.mark.parametrize("entry", [e for e in VALID if e["encode"]], ids=by_name)
def test_known_message_to_frame(entry: dict[str, Any]) -> None:
    assert BUILD[entry["cmd"]](entry["fields"]).to_frame().hex() == entry["hex"]


@pytest.mark.parametrize("entry", VALID, ids=by_name)
def test_number_and_direction_of_a_command(entry: dict[str, Any]) -> None:
    message = BUILD[entry["cmd"]](entry["fields"])
    assert message.command == entry["cmd_id"] == Command[entry["cmd"]]
    assert FACTS[message.command].direction == Direction(entry["direction"])


def test_what_each_command_is_answered_with() -> None:
    answered = {command: facts.reply for command, facts in FACTS.items() if facts.reply}
    assert answered == {
        **dict.fromkeys(range(0x05, 0x0D), Command.ACK),
        Command.LED_CTRL: Command.ACK,
        Command.SET_ALL: Command.ACK,
        Command.GET_DEVICE_ID: Command.DEVICE_ID,
        Command.GET_ALL: Command.SET_ALL,
    }


def test_every_byte_of_a_report() -> None:
    """The worked example, field by field: order of the address, sign, PHYs, TX power."""
    report = AdvRprt2(ADDRESS, b"\x02\x01\x06", -67, 1, 15, 37, False, -64)
    assert report.payload() == b"\xcb\xb8\x33\x4c\x88\x4f,\x02\x01\x06,\xbd,\x1f\x25\x40,"
    coded = AdvRprt2(ADDRESS, b"", 127, 4, 4, 255, True, -1)
    assert coded.payload() == ADDRESS + b",,\x7f,\x44\xff\xff,"


def test_the_old_report_says_what_it_does_not_know() -> None:
    [message] = scan(AdvRprt(ADDRESS, b"", -40).to_frame())
    assert message == (ADDRESS, b"", -40, 15, 15, 255, False, -64)
    assert type(message) is AdvRprt


def test_set_all_is_the_configuration_of_the_gateway_by_default() -> None:
    assert SetAll().to_frame().hex() == "ca070f99042c7d2c302c442a0a"
    assert SetAll(max_adv_len=0).to_frame().hex() == "ca050f99042c7d2c21610a"


def test_each_flag_of_set_all_is_one_bit() -> None:
    names = ["fltr_tags", "use_coded_phy", "use_1m_phy", "use_2m_phy", "ch_37", "ch_38", "ch_39"]
    none_set = SetAll(0, False, False, False, False, False, False, False, 0)
    assert none_set.payload() == b"\0\0,\0,"
    for bit, name in enumerate(names):
        assert replace(none_set, **{name: True}).payload() == b"\0\0,%c," % (1 << bit)


@pytest.mark.parametrize(("byte", "state"), [(0x00, False), (0xFE, False), (0x81, True)])
def test_only_bit_0_of_a_state_counts(byte: int, state: bool) -> None:
    assert parse(Frame(Command.SET_CH_37, bytes([byte, 0x2C]))) == SetCh37(state)
    assert parse(Frame(Command.ACK, bytes([0x0F, 0x2C, byte, 0x2C]))) == Ack(0x0F, state)


def test_the_echo_of_firmware_1_0_0_is_a_message() -> None:
    """It answers LED_CTRL with the same frame: the host reads what usually the host sends."""
    echo = LedCtrl(1500)
    assert scan(echo.to_frame()) == [echo]


@pytest.mark.parametrize("message_type", get_args(Message))
def test_messages_are_frozen(message_type: type[Message]) -> None:
    message = next(m for e in VALID if type(m := BUILD[e["cmd"]](e["fields"])) is message_type)
    for name in [*message.fields(), "command", "anything"]:
        with pytest.raises((AttributeError, TypeError)):
            setattr(message, name, 0)


def test_messages_of_different_commands_differ() -> None:
    states = [SetFltrTags, SetCodedPhy, SetScan1mbPhy, SetScan2mbPhy, SetCh37, SetCh38, SetCh39]
    assert len({message_type(True) for message_type in states}) == len(states)


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (SetFltrId(-1), "id"),
        (SetFltrId(0x10000), "id"),
        (LedCtrl(-1), "time_interval_ms"),
        (LedCtrl(0x10000), "time_interval_ms"),
        (SetAll(fltr_id=-1), "fltr_id"),
        (SetAll(fltr_id=0x10000), "fltr_id"),
        (SetAll(max_adv_len=-1), "max_adv_len"),
        (SetAll(max_adv_len=256), "max_adv_len"),
        (DeviceId(bytes(7), bytes(6)), "id"),
        (DeviceId(bytes(8), bytes(7)), "addr"),
        (Ack(-1, False), "acked_cmd"),
        (Ack(256, False), "acked_cmd"),
        (AdvRprt(bytes(5), b"", 0), "address"),
        (AdvRprt(bytes(6), bytes(236), 0), "236"),
        (AdvRprt(bytes(6), b"", -129), "rssi"),
        (AdvRprt(bytes(6), b"", 128), "rssi"),
        (AdvRprt2(bytes(7), b"", 0, 1, 15, 37, False, 0), "address"),
        (AdvRprt2(bytes(6), bytes(236), 0, 1, 15, 37, False, 0), "236"),
        (AdvRprt2(bytes(6), b"", -129, 1, 15, 37, False, 0), "rssi"),
        (AdvRprt2(bytes(6), b"", 128, 1, 15, 37, False, 0), "rssi"),
        (AdvRprt2(bytes(6), b"", 0, -1, 15, 37, False, 0), "PHY"),
        (AdvRprt2(bytes(6), b"", 0, 16, 15, 37, False, 0), "PHY"),
        (AdvRprt2(bytes(6), b"", 0, 1, -1, 37, False, 0), "PHY"),
        (AdvRprt2(bytes(6), b"", 0, 1, 16, 37, False, 0), "PHY"),
        (AdvRprt2(bytes(6), b"", 0, 1, 15, -1, False, 0), "channel"),
        (AdvRprt2(bytes(6), b"", 0, 1, 15, 256, False, 0), "channel"),
        (AdvRprt2(bytes(6), b"", 0, 1, 15, 37, False, -65), "tx_power"),
        (AdvRprt2(bytes(6), b"", 0, 1, 15, 37, False, 64), "tx_power"),
    ],
    ids=str,
)
def test_a_value_out_of_range_is_named(message: Message, named: str) -> None:
    with pytest.raises(LocalProtocolError, match=rf"\b{named}\b"):
        message.to_frame()


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (Frame(0x21, b""), "unknown_cmd"),
        (Frame(Command.GET_ALL, b"\x01"), "bad_len"),
        (Frame(Command.ADV_RPRT2, bytes(13)), "bad_len"),
        (Frame(Command.SET_CH_37, b"\x01\x2b"), "bad_delimiter"),
        (Frame(Command.ADV_RPRT, bytes(10)), "bad_delimiter"),
        (Frame(Command.ADV_RPRT2, bytes(14)), "bad_delimiter"),
    ],
    ids=str,
)
def test_a_frame_made_by_hand_may_be_no_message(frame: Frame, reason: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(frame)
    assert caught.value.reason == reason


# -- values that cannot be sent, frames made by hand -----------------------------------------------


def test_flags_are_sent_as_0_or_1() -> None:
    two: Any = 2  # a number from a configuration, say
    assert SetCh37(two).to_frame() == SetCh37(True).to_frame()
    assert SetAll(fltr_tags=two).to_frame() == SetAll().to_frame()
    assert Ack(1, two).to_frame() == Ack(1, True).to_frame()
    report = AdvRprt2(bytes(6), b"", -1, 1, 15, 37, two, -64)
    assert parse(decode_frame(report.to_frame())) == report._replace(is_coded_phy=True)


def test_an_old_report_cannot_tell_what_it_has_no_room_for() -> None:
    with pytest.raises(LocalProtocolError, match="address, data and rssi only"):
        AdvRprt(bytes(6), b"", -1, primary_phy=1).to_frame()


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (Frame(0x12, bytes(300)), "bad_len"),
        (Frame(300, b""), "unknown_cmd"),
        (Frame(0x0A, b"\x01,,"), "bad_len"),
        (Frame(0x0A, b"\x01."), "bad_delimiter"),
    ],
)
def test_parse_frames_made_by_hand(frame: Frame, reason: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(frame)
    assert caught.value.reason == reason
