"""A disk that is full: a real one, small, in a mount namespace of its own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fault_server import FaultServer
from programs import COMMAND, Program, simulated
from soak_figures import tell
from told_counters import assert_accounted_for, counted

SCRIPT = Path(__file__).with_name("disk_full.py")


def mounting(folder: Path, size: str) -> list[str]:
    """The beginning of a command that runs with a small file system on `folder`."""
    mounted = f'mount -t tmpfs -o size={size} tmpfs "$0" && exec "$@"'
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", mounted, str(folder)]


def in_small_file_system(
    folder: Path, size: str, *command: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*mounting(folder, size), *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
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
    assert told["kept"] > 20
    assert told["most_in_memory"] == 0, "the oldest leave, so that the newest can be written"
    assert told["found"] == told["were_on_disk"], "a crash costs nothing of what was on disk"
    assert told["drained"] == told["found"], "they can be let go of on a full disk"
    assert told["twice"] == 0
    assert told["in_order"]
    assert told["newest"] == 999
    assert told["works_again"]
    assert "the disk is full, the oldest batches leave" in done.stderr
    assert len(done.stderr.splitlines()) <= 3, "an error a minute"


def test_the_real_program_on_a_full_disk(folder: Path) -> None:
    """The server wants to be left alone for a while, and the disk has room for a few batches."""
    with (
        FaultServer(lambda n: "ok" if n < 2 else "429") as server,
        simulated("--tags", "50", "--rate", "200") as board,
    ):
        port = board.port
        options = ("--interval", "1", "--trust-clock", "--state-dir", str(folder))
        command = (COMMAND, "run", "--port", port, "--url", server.url, *options)
        with Program(*mounting(folder, "300k"), *command) as program:
            program.wait_for("the disk is full, the oldest batches leave")
            server.behave = lambda n: "ok"
            program.wait_for("batches are accepted after")
            assert program.stop() == 0
        assert_accounted_for(program)
        assert counted(program, "overflowed") > 0
        assert counted(program, "lost") == counted(program, "kept") == 0
        assert counted(program, "accepted") == len(server.taken)
        tell(
            "the real program on a disk of 300k",
            batches=counted(program, "batches"),
            accepted=counted(program, "accepted"),
            left_for_want_of_room=counted(program, "overflowed"),
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
