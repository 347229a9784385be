"""What a running host says of sensors: in its log, and only while it can hear them."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ManualClock

from ruuvi_host.config.api import ApiSettings, Listen
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.model import Config
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.jobs.receiving import Receiving
from ruuvi_host.jobs.sensor_care import SensorCare
from ruuvi_host.jobs.state import StateDirectory
from ruuvi_host.monitoring.health import LinkFacts

ADDRESS = bytes.fromhex("CBB8334C884F")
CONFIG = Config(sensors=(SensorSettings(ADDRESS, "Sauna", silent_after=60.0),))
ANSWERS = [LinkFacts("port", answers=True, present=True, answered=0.0)]
GONE = [LinkFacts("port", answers=False, present=False, answered=0.0)]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    with closing(StateDirectory.open(tmp_path / "state")) as state:
        yield state


def care_of(state: StateDirectory, clock: ManualClock, config: Config = CONFIG) -> SensorCare:
    port = CoprocessorSettings("/nowhere")
    return SensorCare(config, Receiving([port], config, state, clock))


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    found = [(record.levelno, record.getMessage()) for record in caplog.records]
    caplog.clear()
    return found


def test_the_log_tells_of_each_change_once(
    state: StateDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ruuvi_host")
    clock = ManualClock()
    care = care_of(state, clock, replace(CONFIG, trust_clock=True))
    for _ in range(100):
        clock.advance(5.0)
        care.look(ANSWERS)
    who = "sensor Sauna (CB:B8:33:4C:88:4F)"
    assert lines(caplog) == [(logging.WARNING, f"{who}: not heard for 60 s")]
    care.reconfigure(Config())
    assert care.look(ANSWERS) == []


@pytest.mark.parametrize("port_is_there", [True, False])
def test_nothing_is_told_while_nothing_can_be_heard(
    state: StateDirectory, port_is_there: bool
) -> None:
    clock = ManualClock(synchronised=not port_is_there)
    care = care_of(state, clock)
    assert care._receiving.wall.check() is not port_is_there
    for _ in range(100):
        clock.advance(5.0)
        assert not care.look(ANSWERS if port_is_there else GONE)[0].silent


def test_without_times_no_clock_is_needed(state: StateDirectory) -> None:
    clock = ManualClock(synchronised=False)
    care = care_of(state, clock, replace(CONFIG, use_timestamps=False))
    clock.advance(100.0)
    assert care.look(ANSWERS)[0].silent


def test_the_history_is_sampled_from_the_table_while_the_api_is_on(state: StateDirectory) -> None:
    clock = ManualClock(wall=1_800_000_000.0, uptime=1000.0)
    care = care_of(state, clock)
    data = bytes.fromhex("0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")
    care._receiving.table.put([(ADDRESS, data, -60, 1, 15, 37, None, 0.0, 1)])
    on = replace(CONFIG, api=ApiSettings(Listen()))

    async def check() -> None:
        sampling = asyncio.create_task(care.sample())
        for config, points in ((CONFIG, 0), (on, 1), (on, 1), (CONFIG, 0)):
            care.reconfigure(config)
            for _ in range(3):
                await asyncio.sleep(0)
            found = care.series(ADDRESS, "temperature", 0.0)
            assert [value for _, value in found] == [24.3] * points
            assert all(1_800_000_000 - 120 < utc <= 1_800_000_000 for utc, _ in found)
            assert (care.history is None) is not bool(points)
        sampling.cancel()

    asyncio.run(check())
