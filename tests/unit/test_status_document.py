"""The document of statistics: its text, its members, and that every server's schema takes it."""

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from published import published

from firmware_protocol.dialect import Generation
from firmware_protocol.messages import DeviceId
from ruuvi_host.monitoring.starts import ResetReason, Start
from ruuvi_host.receiver.body import BadBody, GatewayStatus, read
from ruuvi_host.relay.status_document import (
    SENSORS_PER_SLICE,
    CoprocessorFacts,
    StatusFacts,
    document,
    firmware_version,
    semver,
)

DEVICE = DeviceId(bytes.fromhex("4098A778581AE138"), bytes.fromhex("C8252D8E9C2C"))
TAG, OTHER, SILENT = (bytes.fromhex(f"AABBCC0102{n:02X}") for n in (3, 4, 5))
FACTS = StatusFacts(
    coprocessor=CoprocessorFacts(
        DEVICE, "v2.0.0", answers=True, self_reboots=3, resets=2, lost_acks=1
    ),
    version="v0.1.0",
    uptime=11,
    nonce=2821115890,
    wireless=True,
    connections_lost=4,
    start=Start(5, ResetReason.SW, "Reset by software: told to stop"),
    memory=123456,
    samples=[(OTHER, 7), (SILENT, 0), (TAG, 1)],
)
# Written by hand from the rules: tabs, a tab behind each colon, numbers as strings.
TEXT = """{
	"DEVICE_ADDR":	"C8:25:2D:8E:9C:2C",
	"ESP_FW":	"v0.1.0",
	"NRF_FW":	"v2.0.0",
	"NRF_STATUS":	true,
	"UPTIME":	"11",
	"NONCE":	"2821115890",
	"CONNECTION":	"WIFI",
	"NUM_CONN_LOST":	"4",
	"NUM_MIC_FAILURE":	"0",
	"RESET_REASON":	"SW",
	"RESET_CNT":	"5",
	"RESET_INFO":	"Reset by software: told to stop",
	"NRF_SELF_REBOOT_CNT":	"3",
	"NRF_EXT_HW_RESET_CNT":	"2",
	"NRF_LOST_ACK_CNT":	"1",
	"TOTAL_FREE_BYTES_INTERNAL":	"123456",
	"TOTAL_FREE_BYTES_DEFAULT":	"123456",
	"LARGEST_FREE_BLOCK_INTERNAL":	"123456",
	"LARGEST_FREE_BLOCK_DEFAULT":	"123456",
	"SENSORS_SEEN":	"2",
	"ACTIVE_SENSORS":	[{
			"MAC":	"AA:BB:CC:01:02:04",
			"COUNTER":	"7"
		}, {
			"MAC":	"AA:BB:CC:01:02:03",
			"COUNTER":	"1"
		}],
	"INACTIVE_SENSORS":	["AA:BB:CC:01:02:05"],
	"TASKS":	[]
}"""

OWN_SCHEMA = json.loads(files("ruuvi_host.receiver").joinpath("status.schema.json").read_text())
MORE_THAN_PUBLISHED = (
    "NRF_SELF_REBOOT_CNT NRF_EXT_HW_RESET_CNT NRF_LOST_ACK_CNT TOTAL_FREE_BYTES_INTERNAL "
    "TOTAL_FREE_BYTES_DEFAULT LARGEST_FREE_BLOCK_INTERNAL LARGEST_FREE_BLOCK_DEFAULT"
).split()
"""Members that the firmware sends and the published schema does not know."""


def test_the_text() -> None:
    assert document(FACTS).decode() == TEXT


@pytest.mark.parametrize("count", [1, SENSORS_PER_SLICE, SENSORS_PER_SLICE + 1, 1250])
def test_many_sensors(count: int) -> None:
    samples = [(n.to_bytes(6, "big"), n % 2) for n in range(2 * count)]
    told = json.loads(document(replace(FACTS, samples=samples)))
    assert len(told["ACTIVE_SENSORS"]) == len(told["INACTIVE_SENSORS"]) == count
    assert told["INACTIVE_SENSORS"][-1] == (2 * count - 2).to_bytes(6, "big").hex(":").upper()


def test_what_is_not_so() -> None:
    quiet = replace(
        FACTS,
        coprocessor=CoprocessorFacts(DEVICE, "v1.0.0", answers=False),
        wireless=False,
        start=Start(1, ResetReason.POWER_ON, ""),
        samples=[],
    )
    told = json.loads(document(quiet))
    assert told["NRF_STATUS"] is False
    assert told["CONNECTION"] == "ETHERNET"
    assert told["RESET_INFO"] == ""
    assert told["SENSORS_SEEN"] == "0"
    assert told["ACTIVE_SENSORS"] == told["INACTIVE_SENSORS"] == []


def status_facts() -> st.SearchStrategy[StatusFacts]:
    number = st.integers(0, 2**32 - 1)
    coprocessors = st.builds(
        CoprocessorFacts,
        st.builds(DeviceId, st.binary(min_size=8, max_size=8), st.binary(min_size=6, max_size=6)),
        st.sampled_from(Generation).map(firmware_version),
        st.booleans(),
        *[number] * 3,
    )
    sample = st.tuples(st.binary(min_size=6, max_size=6), st.integers(0, 10**6))
    return st.builds(
        StatusFacts,
        coprocessor=coprocessors,
        version=st.sampled_from(["v0.1.0", "v1.2.3-rc.1"]),
        uptime=number,
        nonce=number,
        wireless=st.booleans(),
        connections_lost=number,
        start=st.builds(Start, number, st.sampled_from(ResetReason), st.text()),
        memory=number,
        samples=st.lists(sample, max_size=5, unique_by=lambda pair: pair[0]),
    )


@given(status_facts())
def test_any_facts_make_a_document_that_is_read_back(facts: StatusFacts) -> None:
    body = document(facts)
    jsonschema.validate(json.loads(body), OWN_SCHEMA)
    told = read(body)
    assert isinstance(told, GatewayStatus)
    assert told.nonce == facts.nonce
    samples = {address.hex(":").upper(): count for address, count in facts.samples}
    assert told.active == {address: count for address, count in samples.items() if count}
    assert told.inactive == [address for address, count in samples.items() if not count]
    assert list(told.members) == list(json.loads(TEXT))


@given(status_facts())
def test_the_published_schema_takes_it_but_for_the_seven_members(facts: StatusFacts) -> None:
    schema = published("ruuvi_gw_status.schema.json")
    told = json.loads(document(facts))
    for name in MORE_THAN_PUBLISHED:
        del told[name]
    jsonschema.validate(told, schema)


@pytest.mark.parametrize(
    "name", ["gw_status_after_reboot.json", "gw_status_reset_reason_panic.json"]
)
def test_our_receiver_takes_what_a_gateway_sends(name: str) -> None:
    example = published(f"examples/{name}")
    told = read(json.dumps(example).encode())
    assert isinstance(told, GatewayStatus)
    assert told.members == example


def changed(**members: Any) -> bytes:
    return json.dumps(json.loads(TEXT) | members).encode()


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"UPTIME": 11}, "body.UPTIME: must be a whole number from 0 on, as a string"),
        ({"ESP_FW": "0.1.0"}, "body.ESP_FW: must be a semantic version"),
        ({"NRF_FW": "v2.0"}, "body.NRF_FW: must be a semantic version"),
        ({"NONCE": "4294967296"}, "body.NONCE: must be at most 4294967295"),
        ({"CONNECTION": "LTE"}, "body.CONNECTION: must be WIFI or ETHERNET"),
        ({"SENSORS_SEEN": "3"}, "body.SENSORS_SEEN: must be 2"),
        ({"INACTIVE_SENSORS": ["AA:BB:CC:01:02:03"]}, "body: a sensor is listed twice"),
        ({"SMELL": "0"}, 'body: unknown member "SMELL"'),
        ({"DEVICE_ADDR": "C8252D8E9C2C"}, "body.DEVICE_ADDR: must be six bytes"),
    ],
)
def test_the_receiver_says_what_is_wrong(members: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadBody) as caught:
        read(changed(**members))
    assert str(caught.value).startswith(problem)


def test_a_missing_member_is_named() -> None:
    members = json.loads(TEXT)
    del members["TASKS"]
    with pytest.raises(BadBody, match='body: "TASKS" is missing'):
        read(json.dumps(members).encode())


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("0.1.0", "v0.1.0"),
        ("v2.0.0", "v2.0.0"),
        ("1.2", "v1.2.0"),
        ("3", "v3.0.0"),
        ("1.02.3", "v1.2.3"),
        ("0.1.0.dev3+g12ab", "v0.1.0"),
        ("v1.12.4-26-g42d064a-dirty", "v1.12.4-26-g42d064a-dirty"),
        ("unknown", "v0.0.0"),
    ],
)
def test_versions_are_semantic_versions(text: str, version: str) -> None:
    assert semver(text) == version


def test_the_generation_as_a_version() -> None:
    assert [firmware_version(g) for g in (Generation.V1, Generation.V2)] == ["v1.0.0", "v2.0.0"]
    assert firmware_version(Generation.UNKNOWN) == "v0.0.0"
