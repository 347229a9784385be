"""The relays of a host together: one that fails at the end does not cost the others theirs."""

import asyncio
from itertools import repeat
from pathlib import Path

import pytest
from relay_world import ACCEPTED, GATEWAY, LATER, LoopClock, World, jump_through

from ruuvi_host.config.model import Config
from ruuvi_host.config.target_parts import MAX_PERIOD
from ruuvi_host.config.targets import FileTarget
from ruuvi_host.errors import SpoolError
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.jobs.relays import Relays
from ruuvi_host.monitoring.accounting import accounts, unaccounted


def test_a_disk_that_fails_for_one_does_not_cut_short_the_end_of_another(tmp_path: Path) -> None:
    async def main() -> None:
        good = World(repeat(ACCEPTED), takes=repeat(2.0))
        bad = World(repeat(LATER), folder=tmp_path / "missing")
        relays = Relays(tmp_path, good.table, lambda: GATEWAY, asyncio.Event(), LoopClock())
        relays._relays = [bad.relay, good.relay]
        good.hear(1)
        bad.hear(1)
        with pytest.raises(SpoolError):
            await relays.finish(3)
        assert good.counters.accepted_reports == 1
        assert good.sink.closed

    jump_through(main())


def test_a_target_that_comes_back_is_accounted_for(tmp_path: Path) -> None:
    """Switched off by a configuration, and on again by a later one."""

    async def main() -> None:
        table, ready = AdvertisementTable(), asyncio.Event()
        ready.set()
        relays = Relays(tmp_path, table, lambda: GATEWAY, ready, LoopClock())
        target = FileTarget("log", tmp_path / "data", period=MAX_PERIOD)
        for targets in ((target,), (), (target,)):
            retired = relays.make_last()
            table.reset(100)
            relays.begin(Config(targets=targets))
            await relays.retire(retired)
            report = Advertisement(bytes(6), b"\x01", -60, 1, 15, 37, None, 0.0, 1)
            table.put([report])
        relays.make_last()
        found = accounts([], table.counters, relays.counters())
        assert unaccounted([each for each in found if each.name.startswith("log")]) == []
        [(_, counters)] = relays.counters()
        assert counters.relay.batch_reports == 1
        for relay in relays.make_last():
            await relay.retire()

    asyncio.run(main())
