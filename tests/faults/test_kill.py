"""kill -9 at random moments, with a count at both ends: a real pty, a real server, a real file.

What the host wrote to its spool is read after each kill; what arrived is what the server says.
Batches are numbered: within one life of the process their nonces follow each other.
"""

import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from fault_server import FaultServer
from programs import Program, ruuvi_host, simulated
from soak_figures import tell, times

from ruuvi_host.monitoring.socket import ask

MEMORY = Path("/dev/shm")
"""What a process has written there outlives its kill, too, and no write waits for a busy disk: then
more than the batch under way would be in memory only."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """For the state."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as path:
        yield Path(path)


MISBEHAVING = (
    "ok",
    "ok",
    "503",
    "429",
    "late",
    "lost",
    "cut",
    "reset",
    "reset_early",
    *["hold"] * 4,
)
"""Often an attempt is under way for a while, so that many a kill meets one."""


def spooled(state: Path) -> set[int]:
    """Nonces in the spool, as sqlite itself finds them after a crash. In a copy: the host has to
    find them by itself."""
    with TemporaryDirectory() as copy:
        for file in state.glob("custom.spool*"):
            shutil.copy(file, copy)
        with closing(sqlite3.connect(Path(copy) / "custom.spool")) as spool:
            tables = spool.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if not tables:  # killed before it was made
                return set()
            return {nonce for (nonce,) in spool.execute("SELECT nonce FROM batch")}


def without_reports(state: Path) -> int:
    """Batches without any that are not kept: a starved board sends nothing for a second."""
    status = ask(state)
    assert status
    return int(status["targets"][0]["counters"]["empty_failed"])


def host(state: Path, port: str, url: str, sync: str) -> Program:
    options = ("--state-dir", str(state), "--interval", "1", "--trust-clock")
    return ruuvi_host("run", "--port", port, "--url", url, "--set", f"spool.sync={sync}", *options)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("sync", "seed"), [("after_failure", 1), ("always", 2)])
def test_kill_nine(folder: Path, sync: str, seed: int) -> None:
    dice = random.Random(seed + time.time_ns() * (times(0) > 0))
    kills = times(6)
    behaviours = [dice.choice(MISBEHAVING) for _ in range(10_000)]
    state = folder / "state"
    seen_in_spool: set[int] = set()
    lost_under_way = never_tried = 0
    with (
        FaultServer(lambda number: behaviours[number % 10_000]) as server,
        simulated("--rate", "100") as board,
    ):
        port = board.port
        lives: list[set[int]] = []
        empty: list[int] = []
        for _ in range(kills):
            posts = len(server.posts)
            with host(state, port, server.url, sync) as victim:
                server.wait_for(lambda: len(server.posts) > posts)  # noqa: B023
                time.sleep(dice.uniform(0, 2))  # the random moment; nothing waits for it
                empty.append(without_reports(state))
                victim.stop(signal.SIGKILL)
                assert "Traceback" not in str(victim)
            kept = spooled(state)
            fresh = kept - seen_in_spool
            seen_in_spool |= kept
            lives.append(fresh | {post.nonce for post in server.posts[posts:]})
        server.behave = lambda number: "ok"
        with host(state, port, server.url, sync) as survivor:
            server.wait_for(lambda: seen_in_spool <= set(server.taken))
            assert survivor.stop() == 0
    assert spooled(state) == set()
    taken = server.taken
    assert seen_in_spool <= set(taken), "a batch that was on disk never arrived"
    tags_of: dict[int, tuple[str, ...]] = {}
    for post in server.posts:
        if post.nonce in taken:
            assert tags_of.setdefault(post.nonce, post.tags) == post.tags, "told by its nonce"
    earlier: set[int] = set()
    for life, without in zip(lives, empty, strict=True):
        own = life - earlier
        earlier |= life
        run = own_run(own)
        missing = [nonce for nonce in run if nonce not in taken]
        tried = {post.nonce: post.tags for post in server.posts}
        with_data = [nonce for nonce in missing if tried.get(nonce)]
        unseen = [nonce for nonce in missing if nonce not in tried and nonce != min(run)]
        lost_under_way += len(with_data)
        never_tried += len(unseen)
        # One attempt is under way at a time; with `always` it is on disk before.
        unseen = unseen[without:]
        allowed = 0 if sync == "always" else 1
        assert len(with_data) + len(unseen) <= allowed, (missing, run, without)
    arrived = [post.nonce for post in server.posts if post.action in ("ok", "late", "lost", "cut")]
    tell(
        f"kill -9, sync {sync}",
        kills=kills,
        posts=len(server.posts),
        batches_taken=len(taken),
        on_disk_at_a_kill=len(seen_in_spool),
        of_those_missing=len(seen_in_spool - set(taken)),
        under_way_at_a_kill_and_lost=lost_under_way + never_tried,
        came_twice=len(arrived) - len(set(arrived)),
    )


@pytest.mark.parametrize("sync", ["after_failure", "always"])
def test_a_kill_during_the_first_attempt(folder: Path, sync: str) -> None:
    """It costs that one batch, or nothing when it was written ahead."""
    with (
        FaultServer(lambda n: "ok" if n < 2 else "hang") as server,
        simulated("--rate", "100") as board,
        host(folder, board.port, server.url, sync) as victim,
    ):
        server.wait_for(server.failed)
        under_way = server.failed()[0].nonce
        victim.stop(signal.SIGKILL)
        assert (under_way in spooled(folder)) is (sync == "always")


def own_run(nonces: set[int]) -> list[int]:
    """All numbers from the first to the last of one life, which may pass 2**32."""
    if not nonces:
        return []
    ordered = sorted(nonces)
    if ordered[-1] - ordered[0] > 2**31:
        ordered = sorted(ordered, key=lambda nonce: nonce + 2**32 if nonce < 2**31 else nonce)
    length = (ordered[-1] - ordered[0]) % 2**32
    return [(ordered[0] + n) % 2**32 for n in range(length + 1)]
