"""A disk that is full: a real one, small, in a mount namespace of its own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from soak_figures import tell

SCRIPT = Path(__file__).with_name("disk_full.py")


def in_small_file_system(
    folder: Path, size: str, *command: str
) -> subprocess.CompletedProcess[str]:
    mounted = f'mount -t tmpfs -o size={size} tmpfs "$0" && exec "$@"'
    return subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", mounted, str(folder), *command],
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
