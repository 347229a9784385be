"""Files of a spool: cut short while they were made, left open, or of the first versions."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import ManualClock
from spool_world import NOW, Slow, batch, fill, names, open_files, run, spool_in, take_all
from spooled import rows

from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.intake.batch import Batch
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.spool.file import SpoolFile
from ruuvi_host.relay.spool.reading import summary
from ruuvi_host.relay.spool.spool import Spool
from ruuvi_host.relay.spool.values import Entry

# -- files whose making was cut short, and files that are left -------------------------------------


def cut_short_before_the_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for pragma in ("page_size = 4096", "auto_vacuum = INCREMENTAL", "journal_mode = WAL"):
            connection.execute(f"PRAGMA {pragma}")
    assert path.stat().st_size


UNMADE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.touch(),
    "without tables": cut_short_before_the_tables,
}


@pytest.mark.parametrize("how", UNMADE)
def test_a_file_whose_making_was_cut_short_is_a_spool_with_nothing_in_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    path = tmp_path / "custom.spool"
    UNMADE[how](path)
    before = path.read_bytes()
    found = summary(path)
    assert (found.batches, found.reports, found.oldest, found.newest) == (0, 0, None, None)
    assert list(rows(path)) == []
    assert path.read_bytes() == before, "who only looks changes nothing"

    async def main() -> None:
        spool = spool_in(tmp_path)
        await spool.open()
        assert (spool.batches, spool.counters.from_previous_run) == (0, 0)
        found = summary(path)
        assert (found.batches, found.reports) == (0, 0)
        await fill(spool, batch(1), batch(2))
        await spool.close()
        with closing(sqlite3.connect(path)) as connection:
            for pragma, value in (
                ("page_size", 4096),
                ("auto_vacuum", 2),
                ("journal_mode", "wal"),
                ("application_id", 0x52755370),
                ("user_version", 2),
            ):
                assert connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)
        assert [row.batch.nonce for row in rows(path)] == [1, 2]
        spool = spool_in(tmp_path)
        assert [b.nonce for b in await take_all(spool)] == [1, 2]
        await spool.close()

    run(main())
    assert names(tmp_path) == []
    assert not caplog.records


def test_a_file_that_cannot_be_asked_any_more_is_closed_and_left(tmp_path: Path) -> None:
    path = tmp_path / "custom.spool"
    file = SpoolFile.open(path, SpoolSettings(), NOW)
    file.add(Entry(1, NOW, batch(1)))
    assert "custom.spool" in open_files(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE batch")
    file.close()
    assert open_files(tmp_path) == set()
    assert path.exists()


def test_a_file_that_is_just_being_opened_is_closed_at_the_end(tmp_path: Path) -> None:
    async def main() -> None:
        clock, disk = ManualClock(NOW), Slow()
        spool = Spool(
            tmp_path, "custom", SpoolSettings(), RelayCounters(), clock, lambda name: disk
        )
        adding = asyncio.create_task(fill(spool, batch(1)))
        await disk.asked.wait()
        adding.cancel()
        closing_it = asyncio.create_task(spool.close())
        await asyncio.sleep(0)  # it begins
        disk.go_on()
        await closing_it
        assert names(tmp_path) == ["custom.ballast", "custom.spool"]
        assert open_files(tmp_path) == set()

    run(main())


# -- what the first versions left -----------------------------------------------------------------


def old_line(b: Batch) -> str:
    rows = [[a.address.hex(), a.data.hex(), *a[2:7], a.timestamp] for a in b.advertisements]
    return json.dumps(
        {
            "nonce": b.nonce,
            "id": b.gateway.id.hex(),
            "addr": b.gateway.addr.hex(),
            "advertisements": rows,
        }
    )


def test_the_old_file_is_taken_over(tmp_path: Path) -> None:
    old = tmp_path / "custom.jsonl"
    old.write_text("".join(old_line(batch(n)) + "\n" for n in (1, 2)))

    async def main() -> None:
        spool = spool_in(tmp_path)
        await spool.open()
        assert not old.exists()
        assert spool.counters.from_previous_run == 2
        await fill(spool, batch(3))
        await spool.close()
        # As after a crash between taking over and removing the old file.
        old.write_text("".join(old_line(batch(n)) + "\n" for n in (1, 2, 4)))
        spool = spool_in(tmp_path)
        await spool.open()
        assert await take_all(spool) == [batch(n) for n in (1, 2, 3, 4)]
        await spool.close()

    run(main())
    assert names(tmp_path) == []


DAMAGE: dict[str, Callable[[str], str]] = {
    "cut": lambda line: line[: len(line) // 2],
    "no JSON": lambda line: "\x00",
    "another shape": lambda line: "[1, 2]",
    "nested": lambda line: "[" * 100_000,
    "a key is missing": lambda line: line.replace('"nonce"', '"nonse"'),
    "a number is a text": lambda line: line.replace("-60", '"-6"'),
    "an address is short": lambda line: line.replace('"000000000001"', '"0000000001"'),
    "an id is short": lambda line: line.replace("4098a7", "4098"),
    "hex": lambda line: line.replace("020106", "02010g"),
    "no reports": lambda line: json.dumps(json.loads(line) | {"advertisements": []}),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_line_of_the_old_file_costs_only_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    lines = [old_line(batch(n)) for n in (1, 2, 3)]
    damaged = DAMAGE[how](lines[1])
    assert damaged != lines[1]
    content = "\n".join([lines[0], damaged, lines[2]]) + "\n"
    (tmp_path / "custom.jsonl").write_text(content)

    async def main() -> None:
        spool = spool_in(tmp_path)
        await spool.open()
        assert [b.nonce for b in await take_all(spool)] == [1, 3]
        await spool.close()

    run(main())
    assert (tmp_path / "custom.damaged1").read_text() == content
    assert "damaged lines 1; it was set aside as custom.damaged1" in caplog.text
