"""Whatever is heard: a message is JSON with each member once, and by default that of a gateway."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ruuvi_host.config.derived import DERIVED
from ruuvi_host.config.homeassistant import Extras
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.config.targets import DataFormat
from ruuvi_host.formats import COMPANY, FORMATS
from ruuvi_host.formats.derived import derived_of
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.readings import Readings
from ruuvi_host.relay.mqtt.discovery import Discovery
from ruuvi_host.relay.mqtt.messages import Message, MessageMaker
from ruuvi_host.relay.mqtt.own_members import OwnMembers

GATEWAY, SENSOR = b"\xaa" * 6, b"\x01" * 6
DISCOVERY = Discovery(GATEWAY, "", "1.0.0", decode_all=True, derived=DERIVED)
ALL = Extras(decode_all=True, derived=DERIVED)


def structure(type_: int, data: bytes) -> bytes:
    return bytes((len(data) + 1, type_)) + data


@st.composite
def advertisements(draw: st.DrawFn) -> bytes:
    """Any bytes, or any payload of one of the formats, at any place."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=60))
    known = FORMATS[draw(st.sampled_from(sorted(FORMATS)))]
    size = known.length - 1
    payload = bytes([known.number]) + draw(st.binary(min_size=size, max_size=size))
    flags = draw(st.sampled_from((b"", bytes.fromhex("020106"), bytes.fromhex("020104030398FC"))))
    return flags + structure(0xFF, COMPANY + payload)


def made(data: bytes, extras: Extras | None, known: Readings) -> Message:
    members = OwnMembers(extras, lambda: known) if extras else None
    maker = MessageMaker("", DataFormat.RAW_AND_DECODED, "60,25", members)
    report = Advertisement(SENSOR, data, -70, 1, 15, 37, None, 0.0, 1)
    return maker.message(report, GATEWAY, 2)


def members_of(message: Message) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs), pairs
        return dict(pairs)

    loaded: dict[str, Any] = json.loads(message.payload, object_pairs_hook=once)
    return loaded


@given(advertisements(), st.floats(-100, 100), st.text(max_size=20))
def test_every_message_is_json(data: bytes, offset: float, name: str) -> None:
    known = Readings([SensorSettings(SENSOR, name, offset, offset, offset)])
    message = made(data, ALL, known)
    found = members_of(message)
    assert list(found)[-1] == "coords"
    assert set(found.get("offsets", {})) <= found.keys()
    number = found.get("dataFormat", found.get("data_format"))
    assert message.data_format == number
    if number is not None:
        model = DISCOVERY.model(number)
        assert model is not None
        assert {e.member for e in model.entities} - {"ts", "rssi"} <= found.keys()


@given(advertisements())
def test_what_a_gateway_says_is_said_in_its_words(data: bytes) -> None:
    plain = made(data, None, Readings())
    same = made(data, Extras(decode_all=True), Readings())
    if plain.data_format is not None:
        assert same == plain
    assert made(data, Extras(derived=DERIVED), Readings()).data_format == plain.data_format


@given(advertisements())
def test_what_is_computed_is_that_of_other_places(data: bytes) -> None:
    known = Readings()
    found = members_of(made(data, ALL, known))
    reading = known.of(SENSOR, data).measurement
    if reading is not None:
        expected = derived_of(reading._asdict(), DERIVED)
        assert {n: v for n, v in found.items() if n in DERIVED}.items() <= expected.items()
