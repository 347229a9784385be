"""What the headers of an answer ask for (rate, key), and what is signed with which key."""

from typing import Any

import pytest
from conftest import load_vectors

from firmware_protocol.messages import DeviceId
from ruuvi_host.relay.http.outcome import parse_rate
from ruuvi_host.relay.http.signing import Signer, default_key

HTTP = load_vectors("http.json")
DEVICE = DeviceId(bytes.fromhex("4098A778581AE138"), bytes(6))
FOX = b"The quick brown fox jumps over the lazy dog"


@pytest.mark.parametrize("case", HTTP["rate"], ids=lambda c: str(c["name"]))
def test_rate(case: dict[str, Any]) -> None:
    value = case["headers"].get("X-Ruuvi-Gateway-Rate")
    period = case["configured_period"] if value is None else parse_rate(value)
    assert period == case["period_after"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("+15", 15),
        (" \t 15", 15),
        ("0000000000015", 15),
        ("15.9", 15),
        ("3600 s", 3600),
        ("-15", 10),
        ("+-15", 10),
        ("+ 15", 10),
        ("", 10),
        ("0x20", 10),
        ("36000", 10),
        ("9" * 10_000, 10),
        ("٣", 10),  # a digit, but not of ours
        ("²", 10),
    ],
)
def test_rate_is_read_as_the_gateway_reads_it(value: str, seconds: int) -> None:
    assert parse_rate(value) == seconds


@pytest.mark.parametrize("case", HTTP["hmac"], ids=lambda c: str(c["name"]))
def test_signature(case: dict[str, Any]) -> None:
    signer = Signer()
    if "previous_key" in case:
        assert signer.replace_key(case["previous_key"].encode())
    assert signer.replace_key(case["key"].encode()) is case.get("accepted", True)
    assert signer.sign(case["body"].encode(), DEVICE) == case["signature"]


@pytest.mark.parametrize(
    "case",
    [case for case in HTTP["hmac"] if case["name"].startswith("device_id")],
    ids=lambda c: str(c["name"]),
)
def test_the_default_key_is_the_device_id(case: dict[str, Any]) -> None:
    device = DeviceId(bytes.fromhex(case["key"].replace(":", "")), bytes(6))
    assert default_key(device) == case["key"]
    assert Signer().sign(case["body"].encode(), device) == case["signature"]


def test_an_empty_key_is_refused() -> None:
    signer = Signer()
    assert not signer.replace_key(b"")
    assert signer.sign(FOX, DEVICE) == Signer().sign(FOX, DEVICE)


def test_a_key_of_the_server_outlives_a_change_of_the_device() -> None:
    signer = Signer()
    signer.replace_key(b"key")
    other = DeviceId(bytes(8), bytes(6))
    assert signer.sign(FOX, other) == signer.sign(FOX, DEVICE)
