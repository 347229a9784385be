"""A disk that is full: a real one, small, in a mount namespace of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fault_server import FaultServer
from programs import COMMAND, Program, simulated
from soak_figures import tell
from told_counters import assert_accounted_for, counted

from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.relay.spool.unwritten import MEMORY_REPORTS

SCRIPT = Path(__file__).with_name("disk_full.py")


def mounting(folder: Path, size: str) -> list[str]:
    """The beginning of a command that runs with a small file system on `folder`."""
    mounted = f'mount -t tmpfs -o size={size},mode=700 tmpfs "$0" && exec "$@"'
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", mounted, str(folder)]


def in_small_file_system(
    folder: Path, size: str, *command: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*mounting(folder, size), *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tried = in_small_file_system(tmp_path, "1m", "true") if shutil.which("unshare") else None
    if tried is None or tried.returncode:
        pytest.skip("needs unshare, and the right to mount in a namespace of one's own")
    return tmp_path


@pytest.mark.parametrize("size", ["1500k", "3m", "8m"])
def test_a_full_disk(folder: Path, size: str) -> None:
    done = in_small_file_system(folder, size, sys.executable, str(SCRIPT), str(folder))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    tell(f"a disk of {size}, full", **told)
    assert told["kept"] + told["overflowed"] == 1000, "each is kept or counted"
    assert told["overflowed"] > 0
    ballast, in_memory = told["when_the_first_left"]
    assert ballast <= SpoolSettings().ballast / 2, "the ballast helps first"
    assert MEMORY_REPORTS - 100 <= in_memory <= MEMORY_REPORTS, "then memory"
    assert told["most_in_memory"] == told["in_memory"] == MEMORY_REPORTS / 100
    assert told["were_on_disk"] > 20, "then the oldest leave"
    assert told["found"] == told["were_on_disk"], "a crash costs nothing of what was on disk"
    assert told["drained"] == told["found"], "they can be let go of on a full disk"
    assert told["twice"] == 0
    assert told["in_order"]
    assert told["newest"] == 999 - told["in_memory"]
    assert told["works_again"]
    assert "the disk is full, the oldest batches leave" in done.stderr
    assert len(done.stderr.splitlines()) <= 3, "an error a minute"


def test_the_real_program_on_a_full_disk(folder: Path) -> None:
    """The server wants to be left alone for a while, and the disk has room for a few batches."""
    with (
        FaultServer(lambda n: "ok" if n < 2 else "429") as server,
        simulated("--tags", "200", "--rate", "400") as board,
    ):
        port = board.port
        options = ("--interval", "1", "--trust-clock", "--state-dir", str(folder))
        command = (COMMAND, "run", "--port", port, "--url", server.url, *options)
        with Program(*mounting(folder, "300k"), *command) as program:
            program.wait_for("the disk is full; batches only in memory [1-9]")
            server.behave = lambda n: "ok"
            program.wait_for("batches are accepted after")
            server.wait_for(lambda: len(server.taken) > 12)  # most of them: a stop waits 3 s
            assert program.stop() == 0
        assert_accounted_for(program)
        assert counted(program, "overflowed") == 0, "there is room in memory"
        assert counted(program, "lost") == counted(program, "kept") == 0
        assert counted(program, "accepted") == len(server.taken)
        tell(
            "the real program on a disk of 300k",
            batches=counted(program, "batches"),
            accepted=counted(program, "accepted"),
        )


def test_a_target_on_a_full_disk(folder: Path) -> None:
    """It waits in the spool, which is elsewhere, and is written when there is room: once."""
    state, data = folder.with_name("state"), folder / "data"
    filled = f'dd if=/dev/zero of={folder}/other bs=1024 2>/dev/null; exec "$0" "$@"'
    settings = ("target.log.kind=file", f"target.log.folder={data}", "target.log.interval=1")
    options = [word for pair in settings for word in ("--set", pair)]
    command = (COMMAND, "run", "--simulate", "--state-dir", str(state), *options)
    with Program(*mounting(folder, "100k"), "sh", "-c", filled, *command) as program:
        program.wait_for("not delivered .*the disk is full: make room for .*/data")
        root = Path(f"/proc/{program.pid}/root")  # as the program sees it
        (root / str(folder / "other")[1:]).unlink()
        program.wait_for("batches are accepted after")
        assert program.stop() == 0
        assert_accounted_for(program, "log")


READ_ONLY = """
import asyncio, subprocess, sys
from pathlib import Path
sys.argv[1:] = sys.argv[1:2]
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.spool.spool import Spool
from disk_full import batch

async def main(folder):
    counters = RelayCounters()
    make = lambda: Spool(folder, "custom", SpoolSettings(), counters, SystemClock())
    spool = make()
    await spool.add(spool.new(batch(1)))
    await spool.close()
    ballast = (folder / "custom.ballast").stat().st_size
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    spool = make()
    await spool.add(spool.new(batch(2)))
    print(spool.unkept, spool.only_in_memory, (folder / "custom.ballast").stat().st_size == ballast)
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    await spool.add(spool.new(batch(3)))
    print(spool.unkept, spool.only_in_memory, spool.batches)
    await spool.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_read_only_file_system_is_not_a_full_disk(folder: Path) -> None:
    command = (sys.executable, "-c", READ_ONLY, str(folder))
    environment = os.environ | {"PYTHONPATH": str(SCRIPT.parent)}
    done = in_small_file_system(folder, "8m", *command, environment=environment)
    assert done.returncode == 0, done.stderr
    before, after = done.stdout.splitlines()
    assert "the file system is read-only: see what the kernel says of it" in before
    assert before.endswith(", room=True) (1, 100) True")
    assert after == "None (0, 0) 3"
    assert "the disk is full" not in done.stderr
