"""Damage that sqlite does not notice: a batch is delivered as it was, or counted as unreadable."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from conftest import ManualClock
from spooled import rows

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.spool.reading import log_is_damaged, summary
from ruuvi_host.relay.spool.record import pack
from ruuvi_host.relay.spool.schema import APPLICATION_ID, PAGE, TABLE
from ruuvi_host.relay.spool.spool import Spool

GATEWAY = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))
NOW = 1_800_000_000
BATCHES = 30


def batch(nonce: int) -> Batch:
    """Of a part of a page, or of several."""
    data = Random(nonce).randbytes(250)
    heard = Advertisement(bytes(6), data, -60, 1, 15, 37, None, 0.0, NOW)
    count = 2 + nonce % 3 * 8
    return Batch(
        nonce,
        GATEWAY,
        tuple(
            heard._replace(address=bytes([n] * 6), data=Random(nonce * 99 + n).randbytes(250))
            for n in range(count)
        ),
    )


MADE = {n: batch(n) for n in range(1000, 1000 + BATCHES)}


def spool_in(folder: Path) -> Spool:
    return Spool(folder, "custom", SpoolSettings(), RelayCounters(), ManualClock(NOW))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a host that was killed leaves: a part of it is in the log."""
    live, left = tmp_path_factory.mktemp("live"), tmp_path_factory.mktemp("left")

    async def main() -> None:
        spool = spool_in(live)
        for each in MADE.values():
            await spool.add(spool.new(each))
        for suffix in ("", "-wal"):
            shutil.copy(f"{spool.path}{suffix}", left)
        await spool.close()

    asyncio.run(main())
    return left


async def delivered(folder: Path) -> tuple[Spool, list[Batch]]:
    spool, taken = spool_in(folder), []
    await spool.open()
    while waiting := await spool.oldest(0.0, int):
        taken.append(waiting.batch)
        await spool.remove(waiting)
    await spool.close()
    assert (spool.batches, spool.reports) == (0, 0)
    return spool, taken


def told(folder: Path) -> tuple[int, int]:
    """Batches that are delivered, each as it was made, and those that are unreadable."""
    spool, taken = asyncio.run(delivered(folder))
    assert all(MADE[b.nonce] == b for b in taken)
    assert len({b.nonce for b in taken}) == len(taken)
    counters = spool.counters
    assert counters.from_previous_run == len(taken) + counters.unreadable
    return len(taken), counters.unreadable


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("seed", range(40))
def test_one_changed_bit(killed: Path, tmp_path: Path, suffix: str, seed: int) -> None:
    shutil.copytree(killed, folder := tmp_path / "state")
    path = folder / f"custom.spool{suffix}"
    content = bytearray(path.read_bytes())
    bit = Random(seed).randrange(8 * (0 if suffix else PAGE), 8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    taken, unreadable = told(folder)
    assert taken + unreadable == BATCHES, f"bit {bit}"
    assert unreadable <= 3


def test_what_lies_behind_a_changed_bit_of_the_log_is_saved(
    killed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(killed, folder := tmp_path / "state")
    path = folder / "custom.spool"
    before = summary(path).batches
    assert before == BATCHES
    log = folder / "custom.spool-wal"
    content = bytearray(log.read_bytes())
    content[32 + 24 + 5 * (24 + PAGE) + 3000] ^= 1
    log.write_bytes(content)
    assert log_is_damaged(path)
    assert summary(path).batches < before, "sqlite says nothing"
    assert log.read_bytes() == content, "a look changes nothing"
    assert told(folder)[0] >= BATCHES - 1
    assert "custom.spool-wal: is damaged; it was set aside as custom.damaged1" in caplog.text
    assert "of custom.damaged1: batches saved" in caplog.text


def test_the_log_of_a_host_that_was_killed_is_not_damaged(killed: Path, tmp_path: Path) -> None:
    assert not log_is_damaged(killed / "custom.spool")
    # A write that was cut short is no damage either: nobody was told that it is kept.
    shutil.copytree(killed, folder := tmp_path / "state")
    log = folder / "custom.spool-wal"
    log.write_bytes(log.read_bytes()[:-100])
    assert not log_is_damaged(folder / "custom.spool")


COLUMNS: dict[str, Callable[[int], str]] = {
    "nonce": lambda n: f"nonce = nonce + {1 << n}",
    "made": lambda n: f"made = made - {10.0**n}",
    "gateway": lambda n: "gateway = zeroblob(14)",
    "reports": lambda n: f"reports = reports + {1 << n}",
    "seq": lambda n: f"seq = {500 + n}",
    "packed": lambda n: "packed = substr(packed, 1, length(packed) - 1)",
}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("n", [0, 7])
def test_each_column_is_under_the_checksum(
    killed: Path, tmp_path: Path, column: str, n: int
) -> None:
    shutil.copytree(killed, folder := tmp_path / "state")
    with closing(sqlite3.connect(folder / "custom.spool")) as connection, connection:
        changed = COLUMNS[column](n)
        connection.execute(f"UPDATE batch SET {changed} WHERE nonce = {1000 + 7}")
    assert told(folder) == (BATCHES - 1, 1)


@pytest.mark.parametrize("column", ["gateway", "packed"])
def test_bytes_that_say_they_are_text_are_the_same_bytes(
    killed: Path, tmp_path: Path, column: str
) -> None:
    """One changed bit. They are no text that could be decoded."""
    shutil.copytree(killed, folder := tmp_path / "state")
    with closing(sqlite3.connect(folder / "custom.spool")) as connection, connection:
        connection.execute(f"UPDATE batch SET {column} = CAST({column} AS TEXT)")
    assert [each.batch for each in rows(folder / "custom.spool")] == [*MADE.values()]
    assert told(folder) == (BATCHES, 0)


@pytest.mark.parametrize(
    "changed", ["reports = 2.5", "reports = -1", "made = 'x'", "nonce = 0.5", "gateway = 7"]
)
@pytest.mark.parametrize("sealed", [True, False])
def test_a_value_of_another_kind_costs_its_batch(
    killed: Path, tmp_path: Path, changed: str, sealed: bool
) -> None:
    shutil.copytree(killed, folder := tmp_path / "state")
    with closing(sqlite3.connect(folder / "custom.spool")) as connection, connection:
        if not sealed:  # as in files of the first versions
            connection.execute("UPDATE batch SET packed = substr(packed, 6)")
        connection.execute(f"UPDATE batch SET {changed} WHERE nonce = {1000 + 7}")
    assert told(folder) == (BATCHES - 1, 1)


def test_a_spool_of_the_first_versions_is_read_and_goes_on(tmp_path: Path) -> None:
    path, old = tmp_path / "custom.spool", [MADE[1000], MADE[1001]]
    with closing(sqlite3.connect(path)) as connection, connection:
        for pragma in ("page_size = 4096", "auto_vacuum = 2", "journal_mode = WAL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(TABLE)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        for seq, b in enumerate(old, 1):
            gateway = b.gateway.id + b.gateway.addr
            row = (seq, NOW - 9.0, b.nonce, len(b.advertisements), gateway, pack(b))
            connection.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?)", row)
    assert [each.batch for each in rows(path)] == old, "a look does not need a new version"

    async def main() -> None:
        spool = spool_in(tmp_path)
        await spool.add(spool.new(MADE[1002]))
        await spool.close()

    asyncio.run(main())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    assert [each.batch for each in rows(path)] == [*old, MADE[1002]]
    _, taken = asyncio.run(delivered(tmp_path))
    assert taken == [*old, MADE[1002]]


def test_rows_that_are_hidden_by_damage_to_the_structure_are_missed(
    killed: Path, tmp_path: Path
) -> None:
    shutil.copytree(killed, folder := tmp_path / "state")
    path = folder / "custom.spool"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    content = bytearray(path.read_bytes())
    leaf = next(  # a page of the table with several rows
        at
        for at in range(2 * PAGE, len(content), PAGE)
        if content[at] == 13 and 1 < int.from_bytes(content[at + 3 : at + 5], "big") < 20
    )
    content[leaf + 4] -= 1
    path.write_bytes(content)
    assert summary(path).batches == BATCHES - 1, "sqlite says nothing"
    assert told(folder) == (BATCHES - 1, 1)


# -- what others may have put there ---------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["spool", "spool-wal", "ballast", "jsonl"])
def test_links_are_not_followed(tmp_path: Path, suffix: str) -> None:
    other = tmp_path / "other"
    other.write_text("of somebody else")
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / f"custom.{suffix}").symlink_to(other)
    if suffix == "spool-wal":
        (folder / "custom.spool").touch()

    async def main() -> None:
        spool = spool_in(folder)
        await spool.add(spool.new(MADE[1000]))
        assert spool.only_in_memory == (0, 0)
        await spool.close()

    asyncio.run(main())
    assert other.read_text() == "of somebody else"
    _, taken = asyncio.run(delivered(folder))
    assert taken == [MADE[1000]]


def test_a_link_in_the_place_of_the_refused_costs_no_files_elsewhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other, folder = tmp_path / "other", tmp_path / "state"
    other.mkdir()
    folder.mkdir()
    for n in range(150):
        (other / f"{n}").touch()
    (folder / "custom.refused").symlink_to(other)

    async def main() -> None:
        spool = spool_in(folder)
        await spool.keep_refused(MADE[1000], 413, b"{}")
        await spool.close()

    asyncio.run(main())
    assert len(list(other.iterdir())) == 150
    assert "cannot be written: it is not a folder" in caplog.text
