"""docs/pages/status.md lists each key of `status --json`, each counter, and each key of the log."""

import ast
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_protocol.commands import Command
from firmware_protocol.events import SessionCounters
from firmware_protocol.framing import ScannerCounters
from ruuvi_host.logs import StderrHandler, adjust
from ruuvi_host.monitoring.api_status import ApiStatus
from ruuvi_host.monitoring.configuration_status import ConfigurationStatus, FetchStatus
from ruuvi_host.monitoring.counters import (
    IntakeCounters,
    LinkCounters,
    QueueCounters,
    RelayCounters,
    StatisticsCounters,
    TargetCounters,
)
from ruuvi_host.monitoring.health import Finding, Health, Level
from ruuvi_host.monitoring.link_status import LineDamage, LinkState, LinkStatus
from ruuvi_host.monitoring.overview import Overview, lines
from ruuvi_host.monitoring.sensor_status import SensorStatus

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "pages" / "status.md").read_text("utf-8")
SCANNER = ScannerCounters(
    bytes_received=1823115,
    bytes_in_frames=1823100,
    bytes_skipped=15,
    crc_errors=2,
    frames=[35747 * (number == Command.ADV_RPRT2) for number in range(256)],
)
SESSION = SessionCounters(SCANNER, reports=35746, reports_unconfigured=1, reboots=1)
LINK = LinkStatus(
    *("/dev/ttyACM0", "/dev/ttyACM0", LinkState.READY, "C8:25:2D:8E:9C:2C", "2.0.0 or newer"),
    *(999.7, 990.0, ""),
    LinkCounters(opened=1, session=SESSION, uart_overruns=0),
)
RELAY = RelayCounters(
    batches=1152,
    batch_reports=10755,
    attempts=1105,
    accepted=1080,
    accepted_reports=10052,
    failed_attempts=25,
    spooled=73,
)
QUEUE = QueueCounters(replaced=10085, taken=10755)
PROBLEM = "Connection refused"
KEPT = "batches kept 72, growing by 360 an hour"
SENTENCE = f"custom: nothing accepted for 12 min ({PROBLEM}), {KEPT}"
OVERVIEW = Overview(
    growth={"custom": 360.0},
    version="0.1.0",
    pid=4711,
    uptime=(3 * 60 + 12) * 60,
    health=Health((Finding(Level.DEGRADED, SENTENCE),)),
    links=[LINK],
    intake=IntakeCounters(
        reports=35746, repeats=14903, changed=20843, legacy=35746, missed=212, missed_unknown=4
    ),
    sensors=10,
    missed_most=[("CB:B8:33:4C:88:4F", 200)],
    targets=[("custom", TargetCounters(20843, QUEUE, 3, RELAY, 72, 703))],
    problems={"custom": PROBLEM},
    statistics=StatisticsCounters(),
)
COUNTED = {"counters", "intake", "statistics", "missed_most", "parts"}
"""Mappings of a name to a count."""


def keys(document: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in document.items():
        path = f"{above}{key}"
        inner = value[0] if isinstance(value, list) else value
        if isinstance(inner, dict) and key not in COUNTED:
            yield from keys(inner, f"{path}[]." if inner is not value else f"{path}.")
        else:
            yield path


def listed(heading: str) -> list[str]:
    """The first column of the first table behind these words."""
    table = PAGE.partition(heading)[2].partition("| --- |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)


def log_calls() -> Iterator[ast.Call]:
    for path in (ROOT / "ruuvi_host").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"))):
                    yield node


def test_the_keys_of_the_document() -> None:
    damage = LineDamage(1000, 10, 3, 9.0, 999.0, True, "telnet", False, "so it is", "do this")
    sensor = SensorStatus("CB:B8:33:4C:88:4F", "Sauna", 990.0)
    api = ApiStatus(["http://127.0.0.1:8080/"], "", "lan_auth_ruuvi", "Admin", True, False)
    configuration = ConfigurationStatus(
        *("remote", "sha256:0", 1.0),
        FetchStatus(1.0, "applied", 200, "https://c/x.json", 2.0, 0),
        {"at": 1, "hash": None, "reason": ""},
        {"until": 1, "waiting_for": ["remote"]},
    )
    all_there_is = replace(
        OVERVIEW,
        links=[replace(LINK, damage=damage)],
        known_sensors=[sensor],
        api=api,
        configuration=configuration,
    )
    assert listed("`ruuvi-host status --json` prints") == list(keys(all_there_is.document(1000.0)))
    assert OVERVIEW.document(1000.0)["coprocessors"][0]["damage"] is None
    assert all_there_is.document(1200.0)["coprocessors"][0]["damage"] is None, "it is over"


@pytest.mark.parametrize(
    ("api", "told"),
    [
        (
            ApiStatus(["http://[::1]:80/"], "", "lan_auth_ruuvi", "Admin", True, True),
            "local API: http://[::1]:80/; lan_auth_ruuvi, user Admin; key for reading and writing",
        ),
        (
            ApiStatus([], "in use", "lan_auth_deny", "", False, False),
            "local API: nowhere; lan_auth_deny; no key; in use",
        ),
    ],
)
def test_the_api_is_told_in_words(api: ApiStatus, told: str) -> None:
    assert told in lines(replace(OVERVIEW, api=api).document(1000.0))
    assert not [line for line in lines(OVERVIEW.document(1000.0)) if "API" in line]


def test_damage_is_told_in_words() -> None:
    damage = LineDamage(1000, 10, 3, 9.0, 999.0, True, "telnet", False, "so it is", "do this")
    document = replace(OVERVIEW, links=[replace(LINK, damage=damage)]).document(1000.0)
    assert "  so it is; do this" in lines(document)


def test_the_tables_of_counters_are_those_of_the_code() -> None:
    program = (
        "import sys; sys.path.insert(0, 'tools'); import status_page\n"
        "assert status_page.PAGE.read_text('utf-8') == status_page.page(), "
        "'run tools/status_page.py'"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_the_keys_of_the_log() -> None:
    handler = StderrHandler()
    logging.getLogger().addHandler(handler)
    try:
        adjust("info", as_json=True)
        failure = (ValueError, ValueError(), None)
        record = logging.makeLogRecord({"name": "x", "msg": "y", "exc_info": failure})
        usual = list(json.loads(handler.format(record)))
        adjust("info", as_json=False)
    finally:
        logging.getLogger().removeHandler(handler)
    extra = set()
    for call in log_calls():
        for keyword in call.keywords:
            if keyword.arg == "extra":
                assert isinstance(keyword.value, ast.Dict), "only a literal shows its keys"
                extra |= {key.value for key in keyword.value.keys if isinstance(key, ast.Constant)}
    assert extra
    told = listed('With `log.format = "json"`')
    assert told[: len(usual)] == usual
    assert sorted(told[len(usual) :]) == sorted(map(str, extra))


def test_the_example() -> None:
    example = PAGE.partition("```\nruuvi-host 0.1.0")[2].partition("\n```")[0]
    assert f"ruuvi-host 0.1.0{example}".splitlines() == list(lines(OVERVIEW.document(1000.0)))
