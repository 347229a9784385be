"""The spool over a real file: order, bounds, ages, damage, and what the first versions left."""

import asyncio
import json
import logging
import os
import re
import resource
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ManualClock
from hypothesis import given
from hypothesis import strategies as st
from spooled import rows

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.spool import jobs, values
from ruuvi_host.relay.spool.errors import DamagedError
from ruuvi_host.relay.spool.file import SpoolFile
from ruuvi_host.relay.spool.reading import summary
from ruuvi_host.relay.spool.record import pack, unpack
from ruuvi_host.relay.spool.spool import Spool
from ruuvi_host.relay.spool.values import Entry
from ruuvi_host.relay.spool.worker import Worker

GATEWAY = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))
NOW = 1_800_000_000

bytes6 = st.binary(min_size=6, max_size=6)
advertisements = st.builds(
    Advertisement,
    address=bytes6,
    data=st.binary(max_size=255),
    rssi=st.integers(-128, 127),
    primary_phy=st.integers(0, 255),
    secondary_phy=st.integers(0, 255),
    channel=st.integers(0, 255),
    tx_power=st.none() | st.integers(-63, 63),
    received=st.just(0.0),
    timestamp=st.integers(0, 2**32 - 1),
)
batches = st.builds(
    Batch,
    nonce=st.integers(0, 2**32 - 1),
    gateway=st.builds(DeviceId, id=st.binary(min_size=8, max_size=8), addr=bytes6),
    advertisements=st.lists(advertisements, min_size=1, max_size=4).map(tuple),
    counted=st.booleans(),
)


def batch(nonce: int, *sensors: int, timestamp: int = NOW) -> Batch:
    return Batch(
        nonce,
        GATEWAY,
        tuple(
            Advertisement(
                n.to_bytes(6, "big"), b"\x02\x01\x06", -60, 1, 15, 37, None, 0.0, timestamp
            )
            for n in sensors or (1,)
        ),
    )


def spool_in(folder: Path, clock: ManualClock | None = None, **settings: Any) -> Spool:
    clock = clock or ManualClock(NOW)
    return Spool(folder, "custom", SpoolSettings(**settings), RelayCounters(), clock)


async def fill(spool: Spool, *batches: Batch) -> None:
    for each in batches:
        await spool.add(spool.new(each))


async def take_all(spool: Spool, window: float = 0.0) -> list[Batch]:
    """Take out what is in it, in order."""
    taken = []
    while waiting := await spool.oldest(window, lambda: 99):
        taken.append(waiting.batch)
        await spool.remove(waiting)
    assert (spool.batches, spool.reports) == (0, 0)
    return taken


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- what is in a row -----------------------------------------------------------------------------


@given(batches)
def test_what_is_packed_is_unpacked(b: Batch) -> None:
    gateway = b.gateway.id + b.gateway.addr
    assert unpack(b.nonce, gateway, pack(b)) == b


@given(b=batches, position=st.integers(0), cut=st.integers(0))
def test_damaged_rows_are_told(b: Batch, position: int, cut: int) -> None:
    packed = bytearray(pack(b))
    gateway = b.gateway.id + b.gateway.addr
    for damaged in (
        packed[: cut % len(packed)],
        packed[: position % len(packed)] + b"\xff\xff" + packed[position % len(packed) + 2 :],
    ):
        with suppress(ValueError):
            assert unpack(b.nonce, gateway, bytes(damaged)) == b


def test_what_no_coprocessor_can_have_sent_is_an_error() -> None:
    heard = batch(1).advertisements[0]
    for wrong in ({"rssi": 200}, {"primary_phy": -1}, {"data": bytes(256)}):
        with pytest.raises(ValueError, match=r"range|number"):
            pack(Batch(1, GATEWAY, (heard._replace(**wrong),)))


# -- the queue ------------------------------------------------------------------------------------


def test_nothing_is_made_before_something_is_kept(tmp_path: Path) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path)
        await spool.open()
        assert await spool.oldest(0.0, int) is None
        await spool.close()
        assert names(tmp_path) == []

    run(main())


def test_it_outlives_its_process_in_order_and_private(tmp_path: Path) -> None:
    async def main() -> None:
        old_mask = os.umask(0)
        try:
            spool = spool_in(tmp_path)
            await fill(spool, *(batch(n, n, n + 1) for n in range(5)))
            modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in names(tmp_path)}
            await spool.close()
        finally:
            os.umask(old_mask)
        assert {"custom.spool", "custom.spool-wal", "custom.ballast"} <= set(modes)
        assert set(modes.values()) == {0o600}
        spool = spool_in(tmp_path)
        await spool.open()
        assert (spool.batches, spool.reports) == (5, 10)
        assert (spool.counters.from_previous_run, spool.counters.from_previous_run_reports) == (
            5,
            10,
        )
        assert await take_all(spool) == [batch(n, n, n + 1) for n in range(5)]
        await spool.close()
        assert names(tmp_path) == [], "an empty spool leaves no file"

    run(main())


def test_order_is_that_of_cutting_not_of_writing(tmp_path: Path) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path)
        first, second, third = (spool.new(batch(n)) for n in (1, 2, 3))
        for waiting in (third, first, second, first):
            await spool.add(waiting)
        await spool.postpone(first)
        assert [b.nonce for b in await take_all(spool)] == [2, 3, 1]
        await spool.close()

    run(main())


def test_what_is_in_hand_is_not_given_out_again(tmp_path: Path) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path)
        await fill(spool, batch(1), batch(2))
        first = await spool.oldest(0.0, int)
        second = await spool.oldest(0.0, int)
        assert first
        assert second
        assert (first.batch.nonce, second.batch.nonce) == (1, 2)
        assert await spool.oldest(0.0, int) is None
        spool.put_back(first)
        again = await spool.oldest(0.0, int)
        assert again
        assert again.batch.nonce == 1
        await spool.close()

    run(main())


# -- confirmed in parts ---------------------------------------------------------------------------


def part(b: Batch, *sensors: int) -> tuple[Advertisement, ...]:
    return tuple(a for a in b.advertisements if int.from_bytes(a.address, "big") in sensors)


@pytest.mark.parametrize("from_disk", [True, False], ids=["found on disk", "kept in this run"])
def test_of_a_batch_that_was_confirmed_in_parts_the_rest_stays_at_its_place(
    tmp_path: Path, from_disk: bool
) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path)
        waiting = spool.new(batch(1, 1, 2, 3))
        await spool.add(waiting)
        await fill(spool, batch(2, 4))
        if from_disk:
            await spool.close()
            spool = spool_in(tmp_path)
            found = await spool.oldest(0.0, int)
            assert found
            waiting = found
        await spool.shorten(waiting, part(waiting.batch, 2, 3))
        assert (spool.batches, spool.reports, spool.only_in_memory) == (2, 3, (0, 0))
        assert [row.batch for row in rows(spool.path)] == [batch(1, 2, 3), batch(2, 4)]
        await spool.shorten(waiting, part(waiting.batch, 3))
        spool.put_back()
        assert await take_all(spool) == [batch(1, 3), batch(2, 4)]
        await spool.close()
        assert names(tmp_path) == []

    run(main())


def test_a_batch_that_is_not_kept_is_shortened_in_memory(tmp_path: Path) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path)
        waiting = spool.new(batch(1, 1, 2, 3))
        await spool.shorten(waiting, part(waiting.batch, 1))
        assert (spool.batches, spool.reports, names(tmp_path)) == (0, 0, [])
        await spool.add(waiting)
        assert (spool.batches, spool.reports) == (1, 1)
        assert await take_all(spool) == [batch(1, 1)]
        await spool.close()

    run(main())


def test_what_was_confirmed_does_not_come_back_while_the_disk_cannot_be_written(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path)
        await fill(spool, batch(1, 1, 2, 3), batch(2, 4))
        waiting = await spool.oldest(0.0, int)
        assert waiting
        with closing(sqlite3.connect(spool.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # it may be read, and not be written
            await spool.shorten(waiting, part(waiting.batch, 3))
            spool.put_back()
            assert (spool.batches, spool.reports, spool.only_in_memory) == (2, 2, (1, 1))
            given = [await spool.oldest(0.0, int), await spool.oldest(0.0, int)]
            assert {w.batch for w in given if w} == {batch(1, 3), batch(2, 4)}
        await fill(spool, batch(3, 5))
        assert spool.only_in_memory == (0, 0)
        found = [row.batch for row in rows(spool.path)]
        assert found == [batch(1, 3), batch(2, 4), batch(3, 5)]
        spool.put_back()
        assert await take_all(spool) == found
        await spool.close()

    run(main())


def test_what_is_confirmed_while_the_batch_is_being_written_is_written_too(tmp_path: Path) -> None:
    async def main() -> None:
        clock, disk = ManualClock(NOW), Slow()
        spool = Spool(
            tmp_path, "custom", SpoolSettings(), RelayCounters(), clock, lambda name: disk
        )
        waiting = spool.new(batch(1, 1, 2, 3))
        adding = asyncio.create_task(spool.add(waiting))
        await disk.asked.wait()
        shortening = asyncio.create_task(spool.shorten(waiting, part(waiting.batch, 3)))
        await asyncio.sleep(0)  # it begins
        disk.go_on()
        await asyncio.gather(adding, shortening)
        assert (spool.batches, spool.reports, spool.only_in_memory) == (1, 1, (0, 0))
        assert [row.batch for row in rows(spool.path)] == [batch(1, 3)]
        await spool.close()

    run(main())


# -- merged --------------------------------------------------------------------------------------


def test_a_window_does_not_mix_times_and_running_numbers(tmp_path: Path) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path)
        await spool.open()
        await fill(spool, batch(1), replace(batch(2, timestamp=7), counted=True), batch(3))
        taken = await take_all(spool, window=55.0)
        assert [(b.nonce, b.counted) for b in taken] == [(1, False), (2, True), (3, False)]
        await spool.close()

    run(main())


def test_a_window_keeps_the_newest_report_of_each_sensor(tmp_path: Path) -> None:
    async def main() -> None:
        clock = ManualClock(NOW)
        spool = spool_in(tmp_path, clock)
        for n in range(12):  # every 10 s: sensor 1 always, sensor 100 + n once
            await fill(spool, batch(n, 1, 100 + n, timestamp=NOW + 10 * n))
            clock.advance(10)
        taken = await take_all(spool, window=55.0)
        assert [b.nonce for b in taken] == [99, 99]
        for part, b in enumerate(taken):
            newest = NOW + 10 * (6 * part + 5)
            assert {int.from_bytes(a.address, "big"): a.timestamp for a in b.advertisements} == {
                1: newest,
                **{100 + n: NOW + 10 * n for n in range(6 * part, 6 * part + 6)},
            }
        assert (spool.counters.merged, spool.counters.merged_reports) == (10, 10)
        await spool.close()

    run(main())


def test_batches_of_two_gateways_are_never_made_one(tmp_path: Path) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path)
        other = Batch(2, DeviceId(bytes(8), bytes(6)), batch(2).advertisements)
        await fill(spool, batch(1), other, batch(3))
        assert [b.nonce for b in await take_all(spool, window=55.0)] == [1, 2, 3]
        await spool.close()

    run(main())


# -- bounds ---------------------------------------------------------------------------------------


def noise(nonce: int, size: int) -> Batch:
    """A batch of about `size` bytes that cannot be compressed."""
    count = max(1, size // 250)
    heard = batch(1).advertisements[0]
    return Batch(nonce, GATEWAY, tuple(heard._replace(data=os.urandom(250)) for _ in range(count)))


def bytes_on_disk(folder: Path) -> int:
    return sum((folder / f"custom.spool{end}").stat().st_size for end in ("", "-wal"))


def test_the_bound_counts_database_and_log_and_the_oldest_leave(tmp_path: Path) -> None:
    async def main() -> None:
        bound = 2 * 1024 * 1024
        spool = spool_in(tmp_path, max_bytes=bound)
        for nonce in range(100):
            await fill(spool, noise(nonce, 30_000 if nonce % 7 else 100_000))
            assert bytes_on_disk(tmp_path) <= bound
        assert spool.batches + spool.counters.overflowed == 100
        assert bytes_on_disk(tmp_path) > bound / 2, "the bound is made use of"
        nonces = [b.nonce for b in await take_all(spool)]
        assert nonces == list(range(100 - len(nonces), 100))
        assert bytes_on_disk(tmp_path) < 100_000, "the file shrinks again"
        await spool.close()

    run(main())


def test_what_is_too_old_leaves_and_jumps_of_the_clock_make_nothing_old(tmp_path: Path) -> None:
    class Jumping(ManualClock):
        jump = 0.0

        def wall(self) -> float:
            return super().wall() + self.jump

    async def main() -> None:
        clock = Jumping(NOW)
        spool = spool_in(tmp_path, clock, max_age=100.0)
        await fill(spool, batch(1))
        clock.jump = 1e9
        assert await spool.oldest(0.0, int)
        spool.put_back()
        clock.jump = -1e9
        await fill(spool, batch(2))
        clock.advance(60)
        await fill(spool, batch(3))
        clock.advance(60)
        assert [b.nonce for b in await take_all(spool)] == [3]
        assert (spool.counters.aged_out, spool.counters.aged_out_reports) == (2, 2)
        await spool.close()

    run(main())


@pytest.mark.parametrize("wrong", [1000.0, NOW + 1e8])
def test_a_batch_of_a_time_that_cannot_be_is_as_old_as_the_start(
    tmp_path: Path, wrong: float
) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path, ManualClock(wrong), max_age=100.0)
        await fill(spool, batch(1))
        await spool.close()
        clock = ManualClock(NOW)
        spool = spool_in(tmp_path, clock, max_age=100.0)
        await spool.open()
        clock.advance(99)
        assert await spool.oldest(0.0, int)
        spool.put_back()
        clock.advance(2)
        assert await take_all(spool) == []
        assert spool.counters.aged_out == 1
        await spool.close()

    run(main())


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


def open_files(folder: Path) -> set[str]:
    """What this process has open in `folder`."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that reads this folder
            if (target := link.readlink()).is_relative_to(folder):
                found.add(target.name)
    return found


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


class Slow:
    """A ruuvi_host.relay.spool.disk.Disk that does nothing before it is told to go on."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._jobs: list[Callable[[], None]] | None = []

    def submit(self, job: Callable[[], None]) -> None:
        self.asked.set()
        if self._jobs is None:
            job()
        else:
            self._jobs.append(job)

    def go_on(self) -> None:
        jobs, self._jobs = self._jobs or [], None
        for job in jobs:
            job()

    def stop(self) -> None: ...


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


# -- files that are not, or no longer, ours -------------------------------------------------------


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


@contextmanager
def nothing_can_be_written() -> Iterator[None]:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


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


# -- refused --------------------------------------------------------------------------------------


def test_refused_bodies_are_bounded_and_private(tmp_path: Path) -> None:
    async def main() -> None:
        spool = spool_in(tmp_path, refused_bytes=1000)
        for n in range(10):
            await spool.keep_refused(batch(n), 413 if n % 2 else None, b"x" * 300)
        await spool.keep_refused(batch(10), 413, b"y" * 5000)
        await spool.close()

    run(main())
    folder = tmp_path / "custom.refused"
    assert folder.stat().st_mode & 0o777 == 0o700
    (kept,) = folder.iterdir()
    assert (kept.name, kept.stat().st_size) == ("10-413.json", 1000)
    assert kept.stat().st_mode & 0o777 == 0o600
