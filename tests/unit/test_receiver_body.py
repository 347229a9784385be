"""Which bodies are batches: all that the firmware sends, and nothing that it would not."""

import json
from contextlib import suppress
from copy import deepcopy
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from conftest import load_vectors
from hypothesis import given
from hypothesis import strategies as st

from ruuvi_host.receiver.body import BadBody, read_batch

VECTORS = load_vectors("http.json")
SCHEMA = json.loads(files("ruuvi_host.receiver").joinpath("batch.schema.json").read_text("utf-8"))
TAG = "AA:BB:CC:01:02:03"
BATCH: dict[str, Any] = VECTORS["batch"][0]["expected"]
"""A batch with timestamps and one tag, TAG."""


def changed(*path: str, to: Any) -> Any:
    """BATCH with the member at `path` set to something else."""
    body = deepcopy(BATCH)
    place = body
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return body


def without(*path: str) -> Any:
    body = deepcopy(BATCH)
    place = body
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    return body


def encode(body: Any) -> bytes:
    return json.dumps(body).encode()


@pytest.mark.parametrize("case", VECTORS["batch"], ids=lambda case: case["name"])
def test_everything_that_the_firmware_sends_is_a_batch(case: Any) -> None:
    batch = read_batch(case["expected_body"].encode())
    sent = case["expected"]["data"]
    assert batch.gateway == sent["gw_mac"]
    assert batch.nonce == sent["nonce"]
    assert batch.timestamp == sent.get("timestamp")
    assert batch.tags == sent["tags"]
    assert list(batch.tags) == list(sent["tags"])


def test_old_firmware_writes_digits_as_strings() -> None:
    body = changed("data", "nonce", to="12345678")
    body["data"]["timestamp"] = "1612358920"
    body["data"]["tags"][TAG]["timestamp"] = "1612358929"
    batch = read_batch(encode(body))
    assert (batch.nonce, batch.timestamp) == (12345678, 1612358920)


GOOD = [
    pytest.param(changed("data", "tags", TAG, "ble_tx_power", to=4294967292), id="-4 as firmware"),
    pytest.param(changed("data", "tags", TAG, "ble_tx_power", to=-4), id="-4 as signed"),
    pytest.param(changed("data", "nonce", to=4294967295), id="largest nonce"),
    pytest.param(without("data", "tags", TAG, "ble_phy"), id="no ble_phy"),
    pytest.param(without("data", "tags", TAG, "data"), id="decoded, but cannot be decoded"),
]


@pytest.mark.parametrize("body", GOOD)
def test_good(body: Any) -> None:
    read_batch(encode(body))
    jsonschema.validate(body, SCHEMA)


BAD = [
    (without("data"), 'body: "data" is missing'),
    ({**BATCH, "more": 1}, 'body: unknown member "more"'),
    ([BATCH], "body: must be an object"),
    (without("data", "nonce"), 'body.data: "nonce" is missing'),
    (without("data", "coordinates"), 'body.data: "coordinates" is missing'),
    (changed("data", "nonce", to=-1), "body.data.nonce: must be a whole number from 0"),
    (changed("data", "nonce", to=4294967296), "body.data.nonce: must be a whole number"),
    (changed("data", "nonce", to=True), "body.data.nonce: must be a whole number"),
    (changed("data", "coordinates", to="x" * 64), "body.data.coordinates: must be a string of"),
    (changed("data", "gw_mac", to="aa:cc:ee:00:11:22"), "body.data.gw_mac: must be six bytes"),
    (changed("data", "tags", to=[]), "body.data.tags: must be an object"),
    (without("data", "tags", TAG, "rssi"), f'body.data.tags.{TAG}: "rssi" is missing'),
    (changed("data", "tags", TAG, "rssi", to=None), f"body.data.tags.{TAG}.rssi: must be a whole"),
    (changed("data", "tags", TAG, "ble_phy", to="LE"), f"body.data.tags.{TAG}.ble_phy: must be 1M"),
    (changed("data", "tags", TAG, "data", to="0g"), f"body.data.tags.{TAG}.data: must be 1 to 255"),
    (changed("data", "tags", TAG, "data", to="ab"), f"body.data.tags.{TAG}.data: must be 1 to 255"),
    (changed("data", "tags", TAG, "data", to=""), f"body.data.tags.{TAG}.data: must be 1 to 255"),
    (
        changed("data", "tags", TAG, "data", to="ABC"),
        f"body.data.tags.{TAG}.data: must be 1 to 255",
    ),
    (changed("data", "tags", TAG, "temp{x}", to=1), f'body.data.tags.{TAG}: unknown member "temp'),
    (changed("data", "tags", TAG, "temperature", to="27"), "temperature: must be a number or null"),
    (changed("data", "tags", TAG, "id", to="AA:BB:CC:DD"), ".id: must be three or six bytes"),
]


@pytest.mark.parametrize(("body", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_bad(body: Any, reason: str) -> None:
    with pytest.raises(BadBody) as caught:
        read_batch(encode(body))
    assert reason in str(caught.value)
    assert not jsonschema.Draft7Validator(SCHEMA).is_valid(body)


BEYOND_THE_SCHEMA = [
    # To a pattern's "$" in Python a line end at the end is no matter.
    (changed("data", "nonce", to="7\n"), "body.data.nonce: must be a whole number"),
    (changed("data", "tags", TAG + "\n", to=BATCH["data"]["tags"][TAG]), "body.data.tags: must be"),
    (changed("data", "nonce", to="4294967296"), "body.data.nonce: must be at most 4294967295"),
    (
        changed("data", "tags", TAG, "counter", to=7),
        f'body.data.tags.{TAG}: must have "timestamp" and not "counter", as body.data has a',
    ),
    (
        without("data", "tags", TAG, "timestamp"),
        f'body.data.tags.{TAG}: must have "timestamp" and not "counter", as body.data has a',
    ),
    (
        without("data", "timestamp"),
        f'body.data.tags.{TAG}: must have "counter" and not "timestamp", as body.data has no',
    ),
]


@pytest.mark.parametrize(("body", "reason"), BEYOND_THE_SCHEMA)
def test_bad_beyond_the_schema(body: Any, reason: str) -> None:
    with pytest.raises(BadBody) as caught:
        read_batch(encode(body))
    assert reason in str(caught.value)


NOT_JSON = [
    (b"", "not JSON: Expecting value"),
    (b"{}x", "not JSON: Extra data"),
    (b'{"data": NaN}', "not JSON: NaN is not a number"),
    (b'{"data": -Infinity}', "not JSON: -Infinity is not a number"),
    (b'{"data": 1e999}', "not JSON: 1e999 is too large"),
    (b'{"data": ' + b"9" * 5000 + b"}", "not JSON: Exceeds the limit"),
    (b'{"data": 1, "data": 2}', 'not JSON: the member "data" occurs twice'),
    (b'{"data": "\xff"}', "not UTF-8: byte 10"),
    (b'\xef\xbb\xbf{"data": {}}', "not JSON: Unexpected UTF-8 BOM"),
    ('{"data": {}}'.encode("utf-16"), "not UTF-8"),
    (b'{"data": "\n"}', "not JSON: Invalid control character"),
    (b"[" * 500_000, "nested too deeply"),
    (b'{"a":' * 200_000, "nested too deeply"),
]


@pytest.mark.parametrize(("body", "reason"), NOT_JSON, ids=[reason for _, reason in NOT_JSON])
def test_not_json(body: bytes, reason: str) -> None:
    with pytest.raises(BadBody) as caught:
        read_batch(body)
    assert reason in str(caught.value)


def test_many_members_take_no_time() -> None:
    members = b",".join(b'"%d":0' % number for number in range(80_000))
    with pytest.raises(BadBody, match="occurs twice"):
        read_batch(b'{%b,"79999":1}' % members)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    st.sampled_from(
        [
            (),
            ("data",),
            ("data", "nonce"),
            ("data", "timestamp"),
            ("data", "gw_mac"),
            ("data", "tags"),
            ("data", "tags", "{data}"),
            ("data", "tags", TAG),
            ("data", "tags", TAG, "data"),
        ]
    ),
    json_values,
)
def test_whatever_comes_is_a_batch_or_a_bad_body(path: tuple[str, ...], value: Any) -> None:
    with suppress(BadBody):
        read_batch(encode(changed(*path, to=value) if path else value))


@given(st.binary(max_size=64))
def test_bytes_are_no_batch(body: bytes) -> None:
    with pytest.raises(BadBody):
        read_batch(body)
