"""Messages there and back: whatever can be said arrives as it was said, the rest is refused."""

import dataclasses
import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.framing import FrameScanner, decode_frame
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


def exactly(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


FLAG = st.booleans()
U8 = st.integers(0, 0xFF)
U16 = st.integers(0, 0xFFFF)
RSSI = st.integers(-128, 127)
DATA = st.binary(max_size=40) | st.binary(max_size=235)


def old_reports(
    address: st.SearchStrategy[bytes], data: st.SearchStrategy[bytes], rssi: st.SearchStrategy[int]
) -> st.SearchStrategy[AdvRprt]:
    """Only what the frame carries. (`builds` would draw the fields with a default as well.)"""
    return st.tuples(address, data, rssi).map(lambda fields: AdvRprt(*fields))


REPORT2 = {
    "address": exactly(6),
    "data": DATA,
    "rssi": RSSI,
    "primary_phy": st.integers(0, 15),
    "secondary_phy": st.integers(0, 15),
    "channel": U8,
    "is_coded_phy": FLAG,
    "tx_power": st.integers(-64, 63),
}
SET_ALL = {
    "fltr_id": U16,
    **{f"ch_{number}": FLAG for number in (37, 38, 39)},
    **{f"use_{phy}_phy": FLAG for phy in ("coded", "1m", "2m")},
    "fltr_tags": FLAG,
    "max_adv_len": U8,
}
EVERY: dict[type[Message], st.SearchStrategy[Message]] = {
    **{
        message_type: st.builds(message_type, FLAG)
        for message_type in (
            *(SetFltrTags, SetCodedPhy, SetScan1mbPhy, SetScan2mbPhy),
            *(SetCh37, SetCh38, SetCh39),
        )
    },
    SetFltrId: st.builds(SetFltrId, U16),
    LedCtrl: st.builds(LedCtrl, U16),
    SetAll: st.builds(SetAll, **SET_ALL),
    AdvRprt: old_reports(exactly(6), DATA, RSSI),
    DeviceId: st.builds(DeviceId, exactly(8), exactly(6)),
    AdvRprt2: st.builds(AdvRprt2, **REPORT2),
    GetDeviceId: st.just(GetDeviceId()),
    GetAll: st.just(GetAll()),
    Ack: st.builds(Ack, U8, FLAG),
}


def exact(message: Message) -> tuple[object, ...]:
    """All that must survive: the type of a message, its values, and their types."""
    values = message if isinstance(message, tuple) else dataclasses.astuple(message)
    return (type(message), *((type(value), value) for value in values))


def scan(stream: bytes) -> list[Message]:
    scanner: FrameScanner[Message] = FrameScanner(messages)
    return scanner.feed(stream)


def test_no_message_is_forgotten() -> None:
    assert set(EVERY) == set(get_args(Message))


@pytest.mark.parametrize("message_type", EVERY, ids=lambda t: t.__name__)
@given(data=st.data())
def test_there_and_back(message_type: type[Message], data: st.DataObject) -> None:
    message = data.draw(EVERY[message_type])
    wire = message.to_frame()
    assert exact(parse(decode_frame(wire))) == exact(message)
    assert [exact(m) for m in scan(wire)] == [exact(message)]


@given(st.lists(st.one_of(list(EVERY.values())), max_size=10))
def test_a_conversation_arrives_in_order(sent: list[Message]) -> None:
    received = scan(b"".join(message.to_frame() for message in sent))
    assert [exact(message) for message in received] == [exact(message) for message in sent]


@given(st.one_of(list(EVERY.values())))
def test_fields_are_ready_for_json(message: Message) -> None:
    assert json.loads(json.dumps(message.fields())) == message.fields()


def outside(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(max_value=low - 1) | st.integers(min_value=high + 1)


def not_exactly(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=2 * size).filter(lambda value: len(value) != size)


U16_NOT, U8_NOT = outside(0, 0xFFFF), outside(0, 0xFF)
DATA_NOT = st.binary(min_size=236, max_size=300)
IMPOSSIBLE: list[tuple[str, st.SearchStrategy[Message]]] = [
    ("SetFltrId.id", st.builds(SetFltrId, U16_NOT)),
    ("LedCtrl.time_interval_ms", st.builds(LedCtrl, U16_NOT)),
    ("Ack.acked_cmd", st.builds(Ack, U8_NOT, FLAG)),
    ("DeviceId.id", st.builds(DeviceId, not_exactly(8), exactly(6))),
    ("DeviceId.addr", st.builds(DeviceId, exactly(8), not_exactly(6))),
    ("AdvRprt.address", old_reports(not_exactly(6), DATA, RSSI)),
    ("AdvRprt.data", old_reports(exactly(6), DATA_NOT, RSSI)),
    ("AdvRprt.rssi", old_reports(exactly(6), DATA, outside(-128, 127))),
    *(
        (f"SetAll.{name}", st.builds(SetAll, **{**SET_ALL, name: impossible}))
        for name, impossible in {"fltr_id": U16_NOT, "max_adv_len": U8_NOT}.items()
    ),
    *(
        (f"AdvRprt2.{name}", st.builds(AdvRprt2, **{**REPORT2, name: impossible}))
        for name, impossible in dict[str, st.SearchStrategy[Any]](
            address=not_exactly(6),
            data=DATA_NOT,
            rssi=outside(-128, 127),
            primary_phy=outside(0, 15),
            secondary_phy=outside(0, 15),
            channel=U8_NOT,
            tx_power=outside(-64, 63),
        ).items()
    ),
]


@pytest.mark.parametrize(("field", "strategy"), IMPOSSIBLE, ids=[name for name, _ in IMPOSSIBLE])
@given(data=st.data())
def test_out_of_range_is_our_mistake(
    field: str, strategy: st.SearchStrategy[Message], data: st.DataObject
) -> None:
    message = data.draw(strategy)
    with pytest.raises(LocalProtocolError):
        message.to_frame()
