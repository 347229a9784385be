"""What a host tells of itself: as on the page, and at once when something matters."""

import json
import re
from pathlib import Path
from typing import Any

from ruuvi_host.config.load import load
from ruuvi_host.config.sources import Inputs
from ruuvi_host.jobs.remote_status import text_of
from ruuvi_host.monitoring.configuration_status import (
    ConfigurationStatus,
    FetchStatus,
    text_hash,
)
from ruuvi_host.monitoring.counters import (
    IntakeCounters,
    LinkCounters,
    RelayCounters,
    StatisticsCounters,
    TargetCounters,
)
from ruuvi_host.monitoring.health import Finding, Health, Level
from ruuvi_host.monitoring.host_status import host_status, what_matters
from ruuvi_host.monitoring.link_status import LinkState, LinkStatus
from ruuvi_host.monitoring.overview import Overview

PAGE = Path(__file__).parents[2] / "docs" / "pages" / "mqtt.md"


def document(problem: str = "", lost: int = 0, waiting: int = 0, uptime: float = 9.5) -> Any:
    relay = RelayCounters(overflowed_reports=lost)
    counters = TargetCounters(relay=relay, waiting_batches=waiting, waiting_reports=waiting)
    link = LinkStatus(
        *("/dev/ttyACM0", "/dev/ttyACM0", LinkState.READY, "C8:25:2D:8E:9C:2C", "2.0.0 or newer"),
        *(100.0 - 0.42, 90.0, ""),
        LinkCounters(),
    )
    overview = Overview(
        version="0.1.0",
        pid=1,
        uptime=uptime,
        health=Health((Finding(Level.OK, f"for {uptime} s"),)),
        links=[link],
        intake=IntakeCounters(),
        sensors=0,
        missed_most=[],
        targets=[("mqtt", counters)],
        problems={"mqtt": problem},
        growth={},
        statistics=StatisticsCounters(),
        configuration=ConfigurationStatus(
            *("remote", "sha256:3f2a90c1d4e5b677", 1_795_000_000.0),
            FetchStatus(1_795_003_600.0, "not_modified", 304, "https://c/x.json", None, 0),
        ),
    )
    return host_status(overview, bytes.fromhex("AACCEE001122"), 1_795_000_000.0, 100.0)


def keys(value: Any) -> Any:
    """Names of members, all the way down."""
    if isinstance(value, dict):
        return {name: keys(member) for name, member in value.items()}
    return [keys(member) for member in value] if isinstance(value, list) else None


def test_it_is_as_on_the_page() -> None:
    examples = re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    [example] = [json.loads(text) for text in examples if '"radio"' in text]
    told = document()
    assert keys(told) == keys(example)
    assert told["gateway"] == "AA:CC:EE:00:11:22"
    assert told["started"] == 1_795_000_000 - 10
    assert told["radio"] == [{"state": "ready", "seconds_since_report": 0.4}]
    assert re.fullmatch("sha256:[0-9a-f]{16}", told["configuration"]["hash"])


def test_what_is_told_at_once() -> None:
    usual = what_matters(document())
    assert what_matters(document(uptime=500.0)) == usual
    assert what_matters(document(problem="Connection refused")) != usual
    assert what_matters(document(lost=1)) != usual
    assert what_matters(document(waiting=1)) != usual
    assert what_matters(document(waiting=1)) == what_matters(document(waiting=2))


def test_the_hash_is_of_the_settings_and_not_of_secrets(tmp_path: Path) -> None:
    def hashed(**settings: str) -> str:
        pairs = tuple((key, value, "--set") for key, value in settings.items())
        sources = load(Inputs(overrides=pairs)).sources
        text = text_of(sources)
        assert "SECRET" not in text
        return text_hash(text)

    assert hashed(mqtt_pass="SECRET1") == hashed(mqtt_pass="SECRET2")
    assert hashed(mqtt_pass="SECRET1") != hashed(mqtt_pass="SECRET1", mqtt_port="8883")
