"""docs/pages/local-api-data.md: what it shows is what is answered, and its examples can be used."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_api_metrics import IDENTITY, heard, own
from test_status_page import OVERVIEW

from firmware_protocol.messages import DeviceId
from ruuvi_host.api.exposition import Family
from ruuvi_host.api.metrics import CheckSums, gateway_lines
from ruuvi_host.api.reading_metrics import add_readings
from ruuvi_host.config.targets import DataFormat
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.readings import Readings
from ruuvi_host.monitoring.sensor_status import SensorStatus
from ruuvi_host.relay.gateway_json import BodyFacts, history_slices

PAGE = (Path(__file__).parents[2] / "docs/pages/local-api-data.md").read_text("utf-8")
DATA = bytes.fromhex("0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")

KNOWN = replace(OVERVIEW, known_sensors=[SensorStatus("CB:B8:33:4C:88:4F", "Sauna", 990.0)])


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_history_is_what_is_answered() -> None:
    tag = Advertisement(DATA[-6:], DATA, -61, 1, 15, 37, None, 0.0, 1_777_629_595)
    facts = BodyFacts("60.17,24.94", data_format=DataFormat.RAW_AND_DECODED)
    gateway = DeviceId(bytes(8), bytes.fromhex("C8252D8E9C2C"))
    text = b"".join(history_slices(gateway, [tag], facts, 1_777_629_600)).decode()
    assert blocks("json") == [f"{text}\n"]


def named() -> set[str]:
    """Metrics that the page names in full."""
    return {name for name in re.findall(r"\bruuvi(?:gw|_host)_\w+", PAGE) if name[-1] != "_"}


def test_the_metrics_are_there() -> None:
    families: dict[str, Family] = {}
    add_readings(families, [heard(DATA.hex())], Readings(), 1000.0)
    gateway = "".join(gateway_lines(OVERVIEW, IDENTITY, 1, CheckSums(1, 2)))
    told = gateway + own(KNOWN) + "".join(map(str, families.values()))
    assert len(named()) > 20
    for name in named():
        assert re.search(rf"^{name}(?:\{{.*\}})? -?\d", told, re.MULTILINE), name


def test_all_that_is_no_counter_is_on_the_page() -> None:
    for name in re.findall(r"^# TYPE (\w+) gauge$", own(KNOWN), re.MULTILINE):
        assert name in named() or re.search(r"_(queued|bytes_pending)$", name), name


def test_the_reading_is_what_is_answered() -> None:
    families: dict[str, Family] = {}
    tag = Advertisement(DATA[-6:], DATA, -61, 1, 15, 37, None, 990.0, 5)
    add_readings(families, [tag], Readings(), 1000.0)
    assert str(families["temperature"]) in blocks("")


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_for_prometheus_are_yaml(number: int) -> None:
    document: dict[str, Any] = yaml.safe_load(blocks("yaml")[number])
    if number:
        rules = [rule for group in document["groups"] for rule in group["rules"]]
        names = [re.findall(r"ruuvi_host_\w+", rule["expr"]) for rule in rules]
        assert all(len(found) == 1 and found[0] in own(KNOWN) for found in names)
    else:
        [job] = document["scrape_configs"]
        assert job["params"] == {"readings": ["true"]}
        assert job["metrics_path"] == "/metrics"
