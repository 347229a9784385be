"""What holds for every advertisement: only FormatError, nothing invented, round trips exact."""

import json
import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
from conftest import load_vectors
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ruuvi_host.formats import (
    FORMATS,
    FormatError,
    Keys,
    Measurement,
    decode,
    decode_payload,
    df2_4,
    encode,
    fields,
)
from ruuvi_host.formats.ad import find, parse
from ruuvi_host.formats.coding import crc8
from ruuvi_host.formats.derived import derive
from ruuvi_host.formats.df2_4 import FormatUrl
from ruuvi_host.formats.df3 import Format3
from ruuvi_host.formats.df5 import usual_first
from ruuvi_host.formats.df7 import Format7
from ruuvi_host.formats.dfe0 import FormatE0
from ruuvi_host.formats.dffa import FormatFA
from ruuvi_host.formats.encryption import encrypt_block
from ruuvi_host.formats.json_text import json_members

CODES = {
    *("malformed_ad", "not_ruuvi", "bad_length", "bad_encoding"),
    *("unknown_format", "key_required", "decrypt_failed", "bad_crc"),
}
KEYS = Keys([(None, b"RuuviComRuuviTag"), (bytes.fromhex("AABBCCDDEEFF"), bytes(16))])
CASES = load_vectors("formats.json")["cases"]
ADVERTS = [bytes.fromhex(case["adv_hex"]) for case in CASES]
KEY = bytes(range(16))
LENGTHS = {
    number: len(encode(known.reading(), KEY))
    for number, known in FORMATS.items()
    if not known.in_url
}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
TEXT = st.text("ruvi./#QAw-_+=\x00\u00e5", max_size=20).map(str.encode)

payloads = st.sampled_from(sorted(LENGTHS)).flatmap(
    lambda number: st.binary(min_size=LENGTHS[number] - 1, max_size=LENGTHS[number] - 1).map(
        lambda rest: bytes([number]) + rest
    )
)
"""Payloads of the right length, of any content."""


Decoder = Callable[[bytes, Keys], Measurement]


def structure(type_: int, data: bytes) -> bytes:
    return bytes([len(data) + 1, type_]) + data


structures = st.one_of(
    st.builds(structure, st.integers(0, 255), st.binary(max_size=254)),
    st.builds(structure, st.just(0xFF), payloads.map(lambda payload: b"\x99\x04" + payload)),
    st.builds(structure, st.just(0x16), TEXT.map(lambda text: b"\xaa\xfe\x10\0\3ruu.vi/#" + text)),
)
advertising_data = st.one_of(
    st.binary(max_size=300),
    st.lists(structures, max_size=4).map(b"".join),
    st.builds(
        lambda advert, cut, more: advert[:cut] + more,
        *(st.sampled_from(ADVERTS), st.integers(0, 60), st.binary(max_size=3)),
    ),
)


def outcome(how: Decoder, data: bytes) -> Measurement | str:
    """The reading, or the code of the error."""
    try:
        return how(data, KEYS)
    except FormatError as error:
        return error.code


@given(advertising_data)
@example(b"")
def test_a_reading_or_one_of_the_eight_codes(data: bytes) -> None:
    found = outcome(decode, data)
    if isinstance(found, str):
        assert found in CODES
    else:
        check(found)


@given(payloads)
def test_any_payload_of_the_right_length(payload: bytes) -> None:
    found = outcome(decode_payload, payload)
    if isinstance(found, str):
        assert found in {"bad_crc", "decrypt_failed"}
    else:
        check(found)


@given(advertising_data | payloads.map(lambda payload: structure(0xFF, b"\x99\x04" + payload)))
def test_json_text_is_what_the_json_module_gives(data: bytes) -> None:
    found = outcome(decode, data)
    if not isinstance(found, str):
        expected = json.dumps(fields(found), separators=(",", ":"))
        assert f"{{{json_members(found)}}}" == expected


def test_json_text_of_any_reading() -> None:
    """Also of one that none of today's formats can give."""

    class Strange(NamedTuple):
        data_format: int = 1
        temperature: float | None = None
        humidity: float | None = 1e-7
        pressure: int | None = 10**20
        text: str = 'None "True" \\ %s \x1b å €'
        flag: bool = True

    reading = Strange()
    expected = json.dumps(fields(reading), separators=(",", ":"))
    assert f"{{{json_members(reading)}}}" == expected


def check(reading: Measurement) -> None:
    """What every reading is: finite, without -0.0, and JSON."""
    named = fields(reading)
    assert named["data_format"] == reading.data_format
    for value in [*named.values(), *derive(named).values()]:
        if isinstance(value, float):
            assert math.isfinite(value)
            assert value != 0 or math.copysign(1, value) > 0
    assert json.loads(json.dumps(named)) == named


@given(payloads)
def test_a_payload_of_another_length(payload: bytes) -> None:
    for other in (payload[:-1], payload + b"\0"):
        if other[0] == 3 and len(other) > 14:
            assert decode_payload(other) == decode_payload(payload)
        else:
            with pytest.raises(FormatError) as caught:
                decode_payload(other, KEYS)
            assert caught.value.code == "bad_length"


@given(advertising_data)
def test_the_short_way_is_no_other_way(data: bytes) -> None:
    """`decode` takes what most tags send in one step. Without that step it is the same."""

    assert outcome(decode, data) == outcome(WITHOUT_THE_STEP, data)


WITHOUT_THE_STEP: Decoder = decode.__wrapped__  # type: ignore[attr-defined]


@given(st.lists(structures, max_size=5))
def test_structures_are_found_again(sent: list[bytes]) -> None:
    found = parse(b"".join(sent))
    assert not found.malformed
    assert [structure(*pair) for pair in found.structures] == sent


@given(advertising_data, st.sampled_from([0xFF, 0x16, 0x09]), st.sampled_from(["", "9904", "99"]))
@example(bytes.fromhex("02FF9904"), 0xFF, "9904")  # what begins so is not all in the structure
def test_finding_one_is_looking_through_all(data: bytes, type_: int, beginning: str) -> None:
    wanted = bytes.fromhex(beginning)
    matching = [d for t, d in parse(data).structures if t == type_ and d.startswith(wanted)]
    assert find(data, type_, wanted) == next(iter(matching), None)


@given(st.binary(max_size=300))
def test_parsing_never_raises_and_stays_within(data: bytes) -> None:
    found = parse(data)
    rebuilt = b"".join(structure(*pair) for pair in found.structures)
    assert data.startswith(rebuilt)
    rest = data[len(rebuilt) :]
    assert found.malformed == (rest[:1] not in (b"", b"\0"))
    assert found.local_name is None or isinstance(found.local_name, str)


@given(payloads)
def test_round_trip(payload: bytes) -> None:
    if payload[0] == 7:
        payload = payload[:16] + bytes([crc8(payload[:16])]) + payload[17:]
    if payload[0] == 8:
        block = payload[1:13] + bytes(4)  # the last four are reserved
        clear = b"\x08" + block + bytes([crc8(block)]) + payload[18:]
        payload = encrypt_block(clear, KEY)
    if payload[0] == 0xFA:
        payload = encrypt_block(payload[:15] + bytes(2) + payload[17:], KEY)
    keys = Keys([(None, KEY)])
    reading = decode_payload(payload, keys)
    if isinstance(reading, FormatE0):  # two bytes for an index, of which 0..510 make sense
        assume((reading.voc_index or 0) <= 510 and (reading.nox_index or 0) <= 510)
    if isinstance(reading, Format7):  # a tilt is a sine: 126 steps to either side
        assume(abs(reading.tilt_x or 0) <= 90 and abs(reading.tilt_y or 0) <= 90)
    if isinstance(reading, Format3 | FormatFA):  # 127 degrees, and hundredths up to 2.55 more
        assume(abs(reading.temperature or 0) < 128)
    assert decode_payload(encode(reading, KEY), keys) == reading
    if payload[0] == 8:
        assert encode(reading, KEY) == payload


@given(
    st.sampled_from([2, 4]),
    st.integers(-12799, 12799),
    st.integers(0, 255),
    st.integers(0, 0xFFFF),
    st.sampled_from([None, *ALPHABET]),
)
def test_round_trip_of_urls(number: int, t: int, h: int, p: int, tag_id: str | None) -> None:
    if number == 2:
        reading = FormatUrl(2, t / 100, h / 2, p + 50000)
    else:
        reading = FormatUrl(4, float(int(t / 100)), h / 2, p + 50000, tag_id)
    fragment = encode(reading)
    assert df2_4.decode(fragment) == reading
    assert set(fragment.decode()) <= set(ALPHABET)
    assert outcome(decode, structure(0x16, b"\xaa\xfe\x10\0\3ruu.vi/#" + fragment)) == reading


@given(st.binary(min_size=24, max_size=24), st.binary(min_size=18, max_size=18))
def test_every_byte_of_a_tag_comes_back(five: bytes, cut: bytes) -> None:
    """Formats 5 and C5 have no reserved bytes."""
    for payload in (b"\x05" + five[1:], b"\xc5" + cut[1:]):
        assert encode(decode_payload(payload)) == payload


def test_the_step_hands_over_what_is_not_its_own() -> None:
    seen = []

    @usual_first
    def otherwise(data: bytes, keys: Keys, without: object = ()) -> None:
        seen.append((data, keys, without))

    for data in (b"", b"\x02\x01\x06", bytes(31)):
        otherwise(data, KEYS)
        assert seen[-1] == (data, KEYS, ())
    otherwise(ADVERTS[0], KEYS, {5})
    assert seen[-1] == (ADVERTS[0], KEYS, {5})
