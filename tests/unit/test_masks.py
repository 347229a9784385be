"""Masks: nobody is to be found in what is left, and what is left still means the same."""

from itertools import combinations
from typing import Any

import pytest
from conftest import load_vectors
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.messages import DeviceId
from ruuvi_host.capture.masks import Masks
from ruuvi_host.errors import FormatError
from ruuvi_host.formats import FORMATS, decode, fields
from ruuvi_host.formats.ad import parse

MASKS = Masks(b"a key")
CASES: list[dict[str, Any]] = load_vectors("formats.json")["cases"]
WHOSE = ("mac", "mac_suffix", "tag_id")
ADDRESS = bytes.fromhex("CBB8334C884F")

addresses = st.binary(min_size=6, max_size=6)


def ad(type_: int, data: str | bytes) -> bytes:
    raw = bytes.fromhex(data) if isinstance(data, str) else data
    return bytes((1 + len(raw), type_)) + raw


def masked(type_: int, data: str | bytes) -> bytes:
    """The data of one structure, masked; the structure stays as long as it was."""
    before = ad(type_, data)
    after = MASKS.advertising_data(before)
    assert (len(after), after[:2]) == (len(before), before[:2])
    return after[2:]


# -- addresses


@given(addresses)
def test_an_address_becomes_another_of_its_kind(address: bytes) -> None:
    mask = MASKS.address(address)
    assert len(mask) == 6
    assert mask[0] >> 6 == address[0] >> 6  # static, resolvable and the like
    assert mask == MASKS.address(address)
    assert mask != Masks(b"another key").address(address) or address == b"\xff" * 6


@given(st.lists(addresses, unique=True, min_size=2, max_size=50))
def test_two_addresses_stay_two(some: list[bytes]) -> None:
    for one, other in combinations(some, 2):
        assert MASKS.address(one) != MASKS.address(other)


def test_last_halves_stay_apart_however_many() -> None:
    halves = {MASKS.address(number.to_bytes(3, "big")) for number in range(20_000)}
    assert len(halves) == 20_000


@given(addresses)
def test_the_last_half_belongs_to_the_whole(address: bytes) -> None:
    if address[3:] != b"\xff\xff\xff":
        assert MASKS.address(address)[3:] == MASKS.address(address[3:])


def test_none_stays_none() -> None:
    assert MASKS.address(b"\xff" * 6) == b"\xff" * 6
    assert MASKS.address(b"\xff" * 3) == b"\xff" * 3


def test_a_known_mask() -> None:
    """A capture that is masked with a seed shall be the same with the next version."""
    assert Masks(b"seed").address(ADDRESS).hex() == "eac291ef85ad"
    assert Masks(b"seed").opaque("device", bytes(range(8))).hex() == "9971de5cb2b1246c"


def test_a_device() -> None:
    device = DeviceId(bytes(range(8)), ADDRESS)
    mask = MASKS.device(device)
    assert mask.id != device.id
    assert mask.addr == MASKS.address(ADDRESS)
    assert MASKS.device(device) == mask


# -- readings


def reading(data: bytes) -> dict[str, Any]:
    try:
        return dict(fields(decode(data)))
    except FormatError as error:
        return {"error": error.code}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_reading_stays_but_for_whose_it_is(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["adv_hex"])
    after = MASKS.advertising_data(data)
    assert len(after) == len(data)
    before, now = reading(data), reading(after)
    if "error" in before:
        # A Ruuvi URL that is no reading is treated like every other URL.
        is_url = "url" in case["name"]
        assert now == ({"error": "not_ruuvi"} if is_url else before)
        return
    for name in WHOSE:
        old, new = before.pop(name, None), now.pop(name, None)
        if old is None or set(str(old)) <= set("F:"):
            assert new == old
        elif name == "tag_id":
            assert new in set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef")
        else:
            mask = MASKS.address(bytes.fromhex(str(old).replace(":", "")))
            assert new == mask.hex(":").upper()
    assert now == before


@pytest.mark.parametrize("data_format", [f"{n:X}" for n, known in FORMATS.items() if known.address])
def test_each_format_with_an_address_is_masked(data_format: str) -> None:
    """By the vectors' own account of where it stands, not by ours."""
    tried = 0
    for case in CASES:
        whose = case.get("fields") or {}
        mac = whose.get("mac") or whose.get("mac_suffix")
        if case["format"] != data_format or not mac or set(mac) <= set("F:"):
            continue
        raw = bytes.fromhex(mac.replace(":", ""))
        data = bytes.fromhex(case["adv_hex"])
        assert raw in data
        assert raw not in MASKS.advertising_data(data), case["name"]
        tried += 1
    assert tried, "no vector with an address"


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_ciphertext_is_not_given_away(case: dict[str, Any]) -> None:
    if case["format"] not in {f"{number:X}" for number, known in FORMATS.items() if known.cipher}:
        return
    data = bytes.fromhex(case["adv_hex"])
    payload = bytes.fromhex(case["payload_hex"] or "")
    if len(payload) > 17:
        assert payload[1:17] not in MASKS.advertising_data(data)


# -- what else there is in the air


@pytest.mark.parametrize("type_", [0x08, 0x09])
def test_names_become_letters(type_: int) -> None:
    name = masked(type_, b"Ruuvi 884F")
    assert name.isalpha()
    assert b"Ruuvi" not in name


def test_an_ibeacon_keeps_what_it_is_and_its_power() -> None:
    data = "4C000215 0102030405060708090A0B0C0D0E0F10 0001 0002 C5"
    after = masked(0xFF, data)
    before = bytes.fromhex(data)
    assert (after[:4], after[24:]) == (before[:4], before[24:])
    assert after[4:20] != before[4:20]
    assert after[20:24] != before[20:24]


@pytest.mark.parametrize(
    ("type_", "data", "kept"),
    [
        (0xFF, "4C00 1005 0B1C22334455", 2),  # of Apple, and no iBeacon
        (0xFF, "4C000215 0102030405060708090A0B0C0D0E0F10 0001 0002", 2),  # not a whole one
        (0xFF, "5900 0102030405060708", 2),
        (0xFF, "9904 42 0102030405060708", 3),  # a Ruuvi format that is not known
        (0xFF, "9904 05 0102030405060708", 3),  # and one that is not what it says
        (0x16, "AAFE 00 EE 0102030405060708090A 010203040506 0000", 4),  # Eddystone UID
        (0x16, "AAFE 10 EE 03 6578616D706C6500", 4),  # URL of somebody
        (0x16, "AAFE 10 EE 03" + b"ruu.vi/#JOHNHOME".hex(), 4),  # which is no reading
        (0x16, "AAFE 10 EE 03" + b"ruu.vi/#BHAYAMFcNever".hex(), 4),
        (0x16, "AAFE 20 00 0BB8 1A00 00000123 00004567", 4),  # telemetry: tells how long it runs
        (0x16, "AAFE 30 EE 0102030405060708", 4),  # EID
        (0x16, "98FC 0102030405060708", 2),
        (0x20, "01020304 0102030405060708", 0),
        (0x21, "D2A8F0C4AB5411EEB962AABBCCDDEEFF 0102030405060708", 0),  # made of an address
        (0x07, "000102030405060708090A0B0C0D0E0F", 0),
        (0x1B, "00 4F884C33B8CB", 0),  # LE device address
        (0x77, "0102030405060708", 0),
        # Longer than what they say they are.
        (0x01, "06 4F884C33B8CB", 0),
        (0x0A, "0102030405060708", 0),
        (0x03, "0102030405060708090A", 0),
    ],
)
def test_what_is_not_known_is_masked(type_: int, data: str, kept: int) -> None:
    before, after = bytes.fromhex(data), masked(type_, data)
    assert after[:kept] == before[:kept]
    rest = before[kept:]
    assert after[kept:] != rest
    # No three bytes in a row stay where they were, unless they were zeros.
    stays = [i for i in range(len(rest) - 2) if after[kept + i :][:3] == rest[i : i + 3]]
    assert stays == []


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        (0x01, "06"),
        (0x03, "98FC"),
        (0x0A, "04"),
        (0x07, "9ECADC240EE5A9E093F3A3B50100406E"),
        (0x16, "AAFE"),
        (0xFF, "9904"),
        (0xFF, "99"),
        (0xFF, ""),
        (0x09, ""),
        (0xFF, "5900 00000000"),
    ],
)
def test_what_tells_nothing_stays(type_: int, data: str) -> None:
    assert masked(type_, data) == bytes.fromhex(data)


def test_what_is_cut_off_is_masked() -> None:
    data = ad(0x01, "06") + b"\x1b\xff\x99\x04\x05" + ADDRESS
    after = MASKS.advertising_data(data)
    assert after[:5] == data[:5]
    assert ADDRESS not in after
    assert parse(after).malformed


def test_what_stands_behind_the_end_is_masked() -> None:
    data = ad(0x01, "06") + b"\0" + ADDRESS
    after = MASKS.advertising_data(data)
    assert after[:3] == data[:3]
    assert ADDRESS not in after
    assert parse(after) == parse(data)
    assert MASKS.advertising_data(ad(0x01, "06") + bytes(9)) == ad(0x01, "06") + bytes(9)


@given(st.binary(max_size=235))
def test_anything_can_be_masked(data: bytes) -> None:
    after = MASKS.advertising_data(data)
    assert after == MASKS.advertising_data(data)
    before, now = parse(data), parse(after)
    assert len(after) == len(data)
    assert now.malformed == before.malformed
    assert [(t, len(d)) for t, d in now.structures] == [(t, len(d)) for t, d in before.structures]
