"""Files of a spool that are not, or no longer, ours: what is damaged, and a disk that refuses."""

import asyncio
import logging
import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import pytest
from full_disk import nothing_can_be_written
from spool_world import NOW, batch, fill, noise, open_files, run, spool_in, take_all
from spooled import rows

from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.relay.spool import jobs, values
from ruuvi_host.relay.spool.errors import DamagedError
from ruuvi_host.relay.spool.file import SpoolFile
from ruuvi_host.relay.spool.values import Entry
from ruuvi_host.relay.spool.worker import Worker


def test_what_cannot_be_saved_leaves_no_file_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "custom.spool"
    asyncio.run(_made(tmp_path, size=30_000))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE batch SET reports = 'many' WHERE seq > 5")
    too_small = 2 * 64 * 4096 + 50_000

    async def main() -> None:
        spool = spool_in(tmp_path, max_bytes=too_small)
        await spool.open()
        assert open_files(tmp_path) == set()
        await fill(spool, batch(1))
        assert [row.batch.nonce for row in rows(path)] == [1]
        await spool.close()

    run(main())
    assert "one batch alone is larger than the bound" in caplog.text


def a_spool_of_another_version(path: Path) -> None:
    asyncio.run(_made(path.parent))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")


def a_table_of_another_shape(path: Path) -> None:
    asyncio.run(_made(path.parent))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE batch RENAME COLUMN packed TO wrapped")


def somebody_elses(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (id)")


def overwritten(path: Path) -> None:
    asyncio.run(_made(path.parent))
    content = bytearray(path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    path.write_bytes(content)


def damaged_in_the_middle(path: Path) -> None:
    asyncio.run(_made(path.parent, size=3000))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096] = bytes(4096)
    path.write_bytes(content)


def text_for_a_number(path: Path) -> None:
    asyncio.run(_made(path.parent))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE batch SET reports = 'many'")


async def _made(folder: Path, size: int = 1) -> None:
    spool = spool_in(folder)
    await fill(spool, *(noise(n, size) for n in range(100)))
    await spool.close()


FOREIGN: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("Dear diary,\n" * 1000),
    "a folder": lambda path: path.mkdir(),
    "another version": a_spool_of_another_version,
    "another shape": a_table_of_another_shape,
    "somebody else's": somebody_elses,
    "overwritten": overwritten,
    "damaged in the middle": damaged_in_the_middle,
    "a text where a number belongs": text_for_a_number,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_that_cannot_be_used_is_moved_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    path = tmp_path / "custom.spool"
    FOREIGN[kind](path)
    before = path.read_bytes() if path.is_file() else b""

    async def main() -> None:
        for n in (1, 2):
            spool = spool_in(tmp_path)
            await spool.open()
            await fill(spool, batch(n))
            await spool.close()
        spool = spool_in(tmp_path)
        assert [b.nonce for b in await take_all(spool)][-2:] == [1, 2]
        await spool.close()

    run(main())
    aside = tmp_path / "custom.damaged1"
    assert aside.exists()
    assert not aside.is_file() or aside.read_bytes() == before
    error = next(r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR)
    assert error.startswith(f"custom: {path}")
    assert error.endswith("it was set aside as custom.damaged1")


def overwrite(path: Path) -> None:
    """As a failing card does: all but what a process has in its own memory."""
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\x55" * (size - 4096))


def test_what_can_be_read_of_a_damaged_file_is_saved(tmp_path: Path) -> None:
    damaged_in_the_middle(tmp_path / "custom.spool")

    async def main() -> None:
        spool = spool_in(tmp_path)
        await spool.open()
        await fill(spool, batch(1000))
        nonces = [b.nonce for b in await take_all(spool)]
        assert len(nonces) >= 95
        assert nonces == sorted(nonces)
        assert {0, 1, 98, 99, 1000} <= set(nonces)
        await spool.close()

    run(main())


def test_a_file_that_is_damaged_while_it_is_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path)
        waiting = [spool.new(noise(n, 10_000)) for n in range(100)]
        for each in waiting:
            await spool.add(each)
        in_hand = await spool.oldest(0.0, int)
        assert in_hand
        overwrite(spool.path)
        await fill(spool, noise(100, 10_000), noise(101, 10_000))
        counters = spool.counters
        assert spool.batches + counters.unreadable == 102
        await spool.remove(in_hand)
        left = await take_all(spool)
        assert [b.nonce for b in left][-2:] == [100, 101]
        assert len(left) + counters.unreadable == 101
        await spool.close()

    run(main())
    assert "set aside" in caplog.text


def test_one_row_that_cannot_be_read_costs_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path)
        await fill(spool, batch(1), batch(2, 7, 8), batch(3))
        await spool.close()
        with closing(sqlite3.connect(spool.path)) as connection, connection:
            connection.execute("UPDATE batch SET packed = x'00' WHERE nonce = 2")
        spool = spool_in(tmp_path)
        await spool.open()
        assert [b.nonce for b in await take_all(spool)] == [1, 3]
        assert (spool.counters.unreadable, spool.counters.unreadable_reports) == (1, 2)
        await spool.close()

    run(main())
    assert "custom: unreadable: batches 1" in caplog.text


def test_a_disk_that_cannot_be_written_keeps_them_in_memory_until_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        folder = tmp_path / "state"  # is not there: not even root can write into it
        spool = spool_in(folder)
        await fill(spool, batch(1), batch(2))
        assert spool.only_in_memory == (2, 2)
        first = await spool.oldest(0.0, int)
        assert first
        assert first.batch.nonce == 1
        await spool.remove(first)
        folder.mkdir()
        await fill(spool, batch(3))
        assert spool.only_in_memory == (0, 0)
        assert [b.nonce for b in await take_all(spool)] == [2, 3]
        await spool.close()

    run(main())
    (error,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert "custom.spool: No such file" in error
    assert error.endswith("batches only in memory 1, lost because there was no room 0")


# -- the two sides --------------------------------------------------------------------------------


def test_what_crosses_between_the_threads_cannot_be_changed() -> None:
    found = [
        kind
        for module in (jobs, values)
        for kind in vars(module).values()
        if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.__name__
    ]
    assert {jobs.Write, values.Answer, values.Entry} <= set(found)
    for kind in found:
        assert kind.__dataclass_params__.frozen, kind  # type: ignore[attr-defined]
        for field in fields(kind):
            assert not re.search(r"\b(list|dict|set|bytearray)\b", str(field.type)), (kind, field)


@dataclass(frozen=True)
class WriteAndFindDamage:
    """A job that has written when it finds out, with the first of its files."""

    entry: Entry
    files: list[SpoolFile]

    def run(self, file: SpoolFile) -> bool:
        self.files.append(file)
        file.add(self.entry)
        if len(self.files) == 1:
            raise DamagedError("custom.spool", "is damaged")
        return True


def test_a_job_that_finds_damage_is_done_again_and_told_once(tmp_path: Path) -> None:
    worker, entry = Worker(tmp_path / "custom.spool"), Entry(1, NOW, batch(1, 5, 6))
    context = values.JobContext(NOW, SpoolSettings(), frozenset())
    answer = worker.do(WriteAndFindDamage(entry, []), context)
    worker.close()
    assert (answer.result, answer.error) == (True, None)
    assert [e for e in answer.events if not isinstance(e, values.Notice)] == [
        values.Found(0, 0),
        values.FileLost(),
        values.Reopened(((1, 2),)),  # it could be recovered
        values.Wrote(entry),
    ]


def test_a_batch_in_hand_outlives_a_file_that_cannot_be_replaced(tmp_path: Path) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path)
        await fill(spool, *(noise(n, 10_000) for n in range(100)))
        in_hand = [await spool.oldest(0.0, int)]
        overwrite(spool.path)
        with nothing_can_be_written():
            while waiting := await spool.oldest(0.0, int):
                in_hand.append(waiting)
        assert 0 < len(in_hand) < 100
        assert spool.only_in_memory[0] == len(in_hand)
        assert spool.batches == 100, "what is lost is not known yet"
        assert in_hand[0]
        await spool.add(in_hand[0])  # its delivery has failed
        spool.put_back()
        assert spool.only_in_memory == (0, 0)
        assert (spool.batches, spool.counters.unreadable) == (len(in_hand), 100 - len(in_hand))
        assert await take_all(spool) == [waiting.batch for waiting in in_hand if waiting]
        await spool.close()

    run(main())
    assert (tmp_path / "custom.damaged1").exists()


def test_a_batch_that_could_not_be_postponed_keeps_its_place(tmp_path: Path) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path)
        await fill(spool, batch(1), batch(2))
        for put_back in (True, False):
            first = await spool.oldest(0.0, int)
            assert first
            with nothing_can_be_written():
                await spool.postpone(first)
            assert [row.batch.nonce for row in rows(spool.path)] == [1, 2]
            if put_back:
                spool.put_back()
            else:
                await spool.remove(first)
        assert [row.batch.nonce for row in rows(spool.path)] == [2]
        await spool.close()

    run(main())
