"""docs/pages/sensors.md: its examples can be used, and what it shows is what is told."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

from test_status_page import OVERVIEW

from ruuvi_host.config.load import load
from ruuvi_host.config.sensors import MAX_SENSORS, SensorSettings
from ruuvi_host.config.sources import Inputs
from ruuvi_host.intake.history import HOLDS, MOST_SENSORS, POINTS, QUANTITIES, STEP
from ruuvi_host.intake.watched import COLD, FROST, GOOD_AGAIN
from ruuvi_host.jobs.sensor_care import SAMPLING
from ruuvi_host.monitoring.health import Health
from ruuvi_host.monitoring.overview import lines
from ruuvi_host.monitoring.sensor_log import PAUSE
from ruuvi_host.monitoring.sensor_status import MOST_NAMED, SensorStatus, findings

PAGE = (Path(__file__).parents[2] / "docs/pages/sensors.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_example_can_be_used(tmp_path: Path) -> None:
    [text] = blocks("toml")
    path = tmp_path / "ruuvi-host.toml"
    path.write_text(text)
    loaded = load(Inputs(path))
    assert loaded.problems == []
    assert [sensor.name for sensor in loaded.config.sensors] == ["Sauna", ""]
    assert set(tomllib.loads(text)) == {"sensors"}


def test_every_key_is_on_the_page() -> None:
    for key in SensorSettings.KEYS:
        assert f"`{key.name}`" in PAGE


def test_the_status_is_what_is_told() -> None:
    sensors = [
        SensorStatus("CB:B8:33:4C:88:4F", "Sauna", 1000.0, silent=True),
        SensorStatus("D2:44:01:AA:10:7B", "", 4700.0, False, 2.41, True),
    ]
    now = 1000.0 + 62 * 60
    health = Health(tuple(findings(sensors, now)))
    overview = replace(OVERVIEW, health=health, known_sensors=sensors)
    told = list(lines(overview.document(now)))
    block = PAGE.partition("\n```\nhealth: ")[2].partition("\n```")[0]
    assert set(f"health: {block}".splitlines()) <= set(told)


def test_the_numbers_of_the_page() -> None:
    for words in (
        f"There can be {MAX_SENSORS} such tables",
        f"`silent_minutes` ({SensorSettings(bytes(6)).silent_after / 60:.0f})",
        f"`battery_volts` ({SensorSettings(bytes(6)).battery_volts}), with {COLD} V less below 0",
        f"and {FROST} V less below -20 °C",
        f"from {GOOD_AGAIN} V above the limit on",
        f"a point every {'two' if STEP == 120 else '?'} minutes",
        f"the last {POINTS * STEP / 3600:.0f} hours",
        f"{MOST_SENSORS} sensors at most",
        f"every {SAMPLING:.0f} s",
        f"not heard for {'five' if HOLDS == 300 else '?'} minutes",
        f"at most every {'ten' if PAUSE == 600 else '?'} minutes",
        f"only the first {'five' if MOST_NAMED == 5 else '?'} and",
    ):
        assert words in re.sub(r"\s+", " ", PAGE), words
    assert len(QUANTITIES) == 11
