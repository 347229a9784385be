"""The spool over a real file: rows, order, batches that were confirmed in parts, windows."""

import asyncio
import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ManualClock
from hypothesis import given
from hypothesis import strategies as st
from spool_world import GATEWAY, NOW, Slow, batch, batches, fill, names, run, spool_in, take_all
from spooled import rows

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.spool.record import pack, unpack
from ruuvi_host.relay.spool.spool import Spool

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
