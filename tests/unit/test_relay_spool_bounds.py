"""The spool keeps to its bounds: bytes on disk, ages, refused bodies."""

from pathlib import Path

import pytest
from conftest import ManualClock
from spool_world import NOW, batch, fill, noise, run, spool_in, take_all

# -- bounds ---------------------------------------------------------------------------------------


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
