"""The serial side of a host: what it remembers of the coprocessor."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from conftest import ManualClock

from firmware_protocol.events import Identified
from firmware_protocol.messages import DeviceId
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.model import Config
from ruuvi_host.errors import PortError
from ruuvi_host.jobs.receiving import SAVING, Receiving
from ruuvi_host.jobs.state import StateDirectory


def test_one_that_is_another_each_time_is_not_written_each_time(tmp_path: Path) -> None:
    with closing(StateDirectory.open(tmp_path / "state")) as state:
        port = CoprocessorSettings(str(tmp_path / "not-there"))
        receiving = Receiving([port], Config(), state, ManualClock())

        def written(number: int, now: float) -> DeviceId | None:
            receiving._on_event(0, Identified(DeviceId(bytes(8), bytes([number] * 6))), now)
            assert receiving.gateway().addr[0] == number
            return state.load_gateway()

        first = written(1, 10.0)
        assert first == receiving.gateway()
        assert written(2, 11.0) == written(3, 10.0 + SAVING - 0.1) == first
        assert written(4, 10.0 + SAVING) == receiving.gateway()
        written(5, 11.0 + SAVING)
        with pytest.raises(PortError):
            asyncio.run(receiving.run(required=True))
        assert state.load_gateway() == receiving.gateway()
