"""A clock that is set while a trial lasts: the trial lasts as long as before, and whoever looks at
its end, another process too, finds it by the clock as it is now."""

import asyncio
import time
from pathlib import Path

import pytest
from programs import PATIENCE

from ruuvi_host.config.load import load
from ruuvi_host.config.sources import Inputs
from ruuvi_host.jobs.changes import Changes
from ruuvi_host.jobs.configuration import Configuration
from ruuvi_host.jobs.remote_targets import Targets
from ruuvi_host.jobs.remote_trial import TrialWatch
from ruuvi_host.lifetime import ended
from ruuvi_host.remote.answer import Download, Failed
from ruuvi_host.remote.book import Book
from ruuvi_host.remote.memory import Memory
from ruuvi_host.remote.record import Record, RecordFile
from ruuvi_host.remote.trial import Phase, Trial

LONG = 3000.0
"""Seconds of a trial that no test sees the end of; it is looked at every ten."""


async def kept(folder: Path, *, other_than: float) -> Trial:
    """The trial that is on the disk, when it began at another time than this one."""
    async with asyncio.timeout(PATIENCE):
        while True:  # it tells only who asks
            trial = RecordFile(folder).read().trial
            if trial and trial.began != other_than:
                return trial
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("step", [7200.0, -7200.0, 30 * 3600.0, -30 * 3600.0])
def test_a_clock_that_is_set_while_a_trial_lasts(tmp_path: Path, step: float) -> None:
    async def main() -> None:
        file = tmp_path / "gw_cfg.json"
        file.write_text("new")
        trial = Trial(Phase.APPLYING, 0.0, LONG, {file: "old"}, "new", "d")
        RecordFile(tmp_path).write(Record(trial=trial))
        book, off = Book(tmp_path), 0.0
        loaded = load(Inputs())
        configuration = Configuration(loaded, lambda: loaded)
        asked = asyncio.Event()

        async def away() -> Download:
            asked.set()
            return Download(Failed("unreachable", 502, "away"), Memory())

        def wall() -> float:
            return time.time() + off

        watch = TrialWatch(
            *(configuration, lambda: Changes(configuration, wall), book),
            *(Targets(list, list), away, (wall, time.monotonic)),
        )
        await watch.resume()
        running = asyncio.create_task(watch.run())
        begun = await kept(tmp_path, other_than=0.0)
        off = step
        configuration.loaded = load(Inputs())  # so that it looks at once
        configuration.taken()
        now = await kept(tmp_path, other_than=begun.began)
        assert now.until - begun.until == pytest.approx(step, abs=5)
        assert not running.done()
        assert not asked.is_set(), "no try comes earlier for it"
        await ended(running)

    asyncio.run(main())
