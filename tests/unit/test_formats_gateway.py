"""The gateway's view of a reading: names, digits, rounding and what it recognises."""

import json
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

import pytest
from conftest import load_vectors
from hypothesis import given
from hypothesis import strategies as st

from ruuvi_host.formats.gateway import gateway_members

FORMATS = load_vectors("formats.json")["cases"]
HTTP = load_vectors("http.json")
DF5 = "0201061BFF990405{t}{h}C37C0004FFFC040CAC364200CDCBB8334C884F"
DF6 = "020106030398FC17FF990406{t}5668C79E0070C90501D9{l}CD004C884F00"
DFE1 = (
    "2BFF9904E1170C{h}C79E0070007004BD11CA00C90A0213E0ACFFFFFFDECDEE10FFFFFFFFFFCBB8334C884F"
    "030398FC"
)


def members(data: str) -> dict[str, str]:
    return dict(gateway_members(bytes.fromhex(data)))


@pytest.mark.parametrize(
    "case", [c for c in FORMATS if "gateway_json" in c], ids=lambda c: str(c["name"])
)
def test_values(case: dict[str, Any]) -> None:
    got = {name: json.loads(text) for name, text in members(case["adv_hex"]).items()}
    assert list(got) == list(case["gateway_json"])
    for name, value in case["gateway_json"].items():
        number = isinstance(value, float)
        assert got[name] == (pytest.approx(value, abs=1e-6, rel=0) if number else value), name


@pytest.mark.parametrize(
    "case", [c for c in HTTP["batch"] if "decoded" in c["format"]], ids=lambda c: str(c["name"])
)
def test_digits(case: dict[str, Any]) -> None:
    """The very lines of the firmware's own output."""
    lines = iter(case["expected_body"].splitlines())
    for adv in case["advs"]:
        for name, text in members(adv["data"]).items():
            wanted = f'        "{name}": {text}'
            assert any(line.rstrip(",") == wanted for line in lines), wanted


@pytest.mark.parametrize("case", [c for c in FORMATS if "error" in c], ids=lambda c: str(c["name"]))
def test_anything_can_be_asked(case: dict[str, Any]) -> None:
    gateway_members(bytes.fromhex(case["adv_hex"]))


@given(st.integers(-0x7FFF, 0x7FFF))
def test_temperature_is_rounded_half_to_even(raw: int) -> None:
    text = members(DF6.format(t=f"{raw & 0xFFFF:04X}", l="00"))["temperature"]
    exact = Decimal(raw) / 200
    assert Decimal(text) == exact.quantize(Decimal("0.1"), ROUND_HALF_EVEN)
    assert text.startswith("-") is (raw < 0), "also -0.0"
    text = members(DF5.format(t=f"{raw & 0xFFFF:04X}", h="5394"))["temperature"]
    assert Fraction(text) == Fraction(raw, 200)
    assert len(text.partition(".")[2]) == 3


def test_humidity_of_e1_is_single_precision() -> None:
    """The specification counts the raw values that differ from an exact calculation."""
    different = 0
    for raw in range(0xFFFF):
        text = members(DFE1.format(h=f"{raw:04X}"))["humidity"]
        exact = (Decimal(raw) / 400).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
        different += Decimal(text) != exact
    assert different == 1146
    assert members(DFE1.format(h="0076"))["humidity"] == "0.29"


def test_exponentials_of_f0_are_single_precision() -> None:
    def co2(raw: int) -> str:
        payload = f"F01650640000000{0}{raw:02X}0000000000CBB8334C884F"
        return members("020106030398FC17FF9904" + payload)["CO2"]

    assert co2(0xED) == "19680"
    assert co2(0xF3) == "25278"
    assert co2(0xFF) == "null"


@pytest.mark.parametrize(
    "data",
    [
        "",
        "0201061BFF99040312FC",  # another format
        "0201061BFF4C000512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F",  # another maker
        "1BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F020106",  # another order
    ],
)
def test_what_it_does_not_recognise(data: str) -> None:
    assert members(data) == {}


def test_neither_flags_nor_lengths_are_checked_and_zeros_follow_the_end() -> None:
    short = members("0201FF1BFF990405")
    assert short["temperature"] == "0.000"
    assert short["pressure"] == "50000"
    assert short["id"] == '"00:00:00:00:00:00"'
