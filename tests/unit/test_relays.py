"""The relays of a host together: one that fails at the end does not cost the others theirs."""

import asyncio
from itertools import repeat
from pathlib import Path

import pytest
from relay_world import ACCEPTED, GATEWAY, LATER, LoopClock, World, jump_through

from ruuvi_host.errors import SpoolError
from ruuvi_host.jobs.relays import Relays


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
