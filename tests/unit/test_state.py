"""The state folder: whose it is, who may read it, and what it remembers."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_protocol.messages import DeviceId
from ruuvi_host.errors import ConfigError
from ruuvi_host.jobs.state import StateDirectory
from ruuvi_host.monitoring.starts import ResetReason, Starts
from ruuvi_host.relay.spool.ballast import Ballast

DEVICE = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    directory = StateDirectory.open(tmp_path / "state")
    directory.close()
    return directory


# -- whose it is ----------------------------------------------------------------------------------

HOLDER = """
import sys
from pathlib import Path
from ruuvi_host.jobs.state import StateDirectory
StateDirectory.open(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_instance_is_told_which_process_has_it(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ConfigError) as caught:
            StateDirectory.open(path)
        assert str(caught.value) == (
            f"state folder: {path} is in use by another ruuvi-host (process {holder.pid}); "
            "give each instance its own with --state-dir"
        )
        assert caught.value.exit_code == 2
        holder.kill()
        holder.wait()
        # The end of a process frees it, however it came; its number is not left behind.
        state = StateDirectory.open(path)
    assert (path / "lock").read_text() == f"{os.getpid()}\n"
    state.close()


def test_closing_frees_it(tmp_path: Path) -> None:
    StateDirectory.open(tmp_path).close()
    (tmp_path / "lock").write_text("a longer number from before\n")
    StateDirectory.open(tmp_path).close()
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_two_folders_are_two_instances(tmp_path: Path) -> None:
    first = StateDirectory.open(tmp_path / "a")
    second = StateDirectory.open(tmp_path / "b")
    first.close()
    second.close()


# -- who may read it ------------------------------------------------------------------------------


def test_every_folder_that_is_made_and_every_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host" / "simulated"
    old_mask = os.umask(0)
    try:
        state = StateDirectory.open(path)
        state.save_gateway(DEVICE)
    finally:
        os.umask(old_mask)
    assert mode(path.parent) == mode(path) == 0o700
    assert {each.name: mode(each) for each in path.iterdir()} == {
        "lock": 0o600,
        "gateway.json": 0o600,
    }
    state.close()


def test_a_folder_of_the_user_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    StateDirectory.open(tmp_path).close()
    assert mode(tmp_path) == 0o750


# -- what does not work ---------------------------------------------------------------------------


def test_a_file_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(
        ConfigError, match=f"^state folder: cannot keep state in {path}: it is no f"
    ):
        StateDirectory.open(path)
    with pytest.raises(ConfigError, match=f"cannot keep state in {path}/below: Not a directory"):
        StateDirectory.open(path / "below")


def test_a_folder_that_cannot_be_written() -> None:
    path = Path("/proc/state")  # even root cannot make it
    with pytest.raises(ConfigError, match="state folder: cannot keep state in /proc/state: "):
        StateDirectory.open(path)


# -- what it remembers ----------------------------------------------------------------------------


def test_the_coprocessor_is_remembered(state: StateDirectory) -> None:
    assert state.load_gateway() is None
    state.save_gateway(DEVICE)
    assert state.load_gateway() == DEVICE
    other = DeviceId(bytes(8), bytes(6))
    state.save_gateway(other)
    assert state.load_gateway() == other


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b"null",
        b"{}",
        b'{"id": 1, "addr": 2}',
        b'{"id": "4098A778581AE138", "addr": "zz"}',
        b'{"id": "4098A778581AE1", "addr": "C8252D8E9C2C"}',
        b'{"id": "4098A778581AE138", "addr": "C8252D8E9C"}',
        b'{"id": "4098A778581AE138", "addr": "C8252D8E9C2C"}' + b" " * 1000,
    ],
)
def test_a_damaged_memory_is_none_and_said(
    state: StateDirectory, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = state.path / "gateway.json"
    path.write_bytes(content)
    assert state.load_gateway() is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"{path}: cannot be used (")


def test_what_cannot_be_written_is_a_warning(
    state: StateDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    (state.path / "gateway.new").mkdir()
    state.save_gateway(DEVICE)
    (record,) = caplog.records
    assert "gateway.json: cannot be written: Is a directory" in record.getMessage()


def test_what_is_undelivered_tells_its_target(state: StateDirectory) -> None:
    for name in ("custom.spool", "custom.spool-wal", "custom.ballast", "ruuvi.jsonl"):
        (state.path / name).touch()
    assert state.spools() == ["custom", "ruuvi"]


# -- what others may have put there ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["lock", "gateway.json", "gateway.new"])
def test_a_link_is_not_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    other, path = tmp_path / "other", tmp_path / "state"
    content = '{"id": "4098a778581ae138", "addr": "c8252d8e9c2c"}'
    other.write_text(content)
    path.mkdir(0o700)
    (path / name).symlink_to(other)
    if name == "lock":
        with pytest.raises(ConfigError, match=r"cannot keep state in .* symbolic link"):
            StateDirectory.open(path)
    else:
        state = StateDirectory.open(path)
        assert state.load_gateway() is None
        state.save_gateway(DEVICE)
        assert state.load_gateway() == DEVICE
        assert not (path / name).is_symlink()
        state.close()
    assert other.read_text() == content


@pytest.mark.parametrize("name", ["lock", "crash.txt", "custom.ballast"])
def test_a_file_with_a_second_name_is_not_written(tmp_path: Path, name: str) -> None:
    """Only names are protected against others by the system, and not on every one."""
    other, path = tmp_path / "other", tmp_path / "state"
    other.write_text("precious")
    path.mkdir(0o700)
    os.link(other, path / name)
    if name == "lock":
        with pytest.raises(ConfigError, match=r"cannot keep state in .*: lock has a second name"):
            StateDirectory.open(path)
    else:
        StateDirectory.open(path).close()
        starts = Starts.begin(path, "boot")
        starts.enable_crash_report()
        starts.ended(ResetReason.SW, "told to stop")
        Ballast(path / name, 4096).take()
    assert other.read_text() == "precious"


def test_a_pipe_is_not_waited_for(state: StateDirectory, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(state.path / "gateway.json")
    assert state.load_gateway() is None
    assert "gateway.json: cannot be used ([Errno 22] it is not a file)" in caplog.text


def test_a_folder_that_every_user_may_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.mkdir()
    for mode_of_it in (0o707, 0o1777):
        path.chmod(mode_of_it)
        with pytest.raises(ConfigError, match=r"every user may write to .*: chmod o-w"):
            StateDirectory.open(path)
    assert list(path.iterdir()) == []


def test_a_folder_that_a_group_may_write_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o770)
    StateDirectory.open(tmp_path).close()
    assert "its group may write to it" in caplog.text


def test_a_link_to_the_folder_itself_is_followed(tmp_path: Path) -> None:
    """systemd makes one for a service with a user of its own."""
    (tmp_path / "private").mkdir(0o700)
    (tmp_path / "state").symlink_to(tmp_path / "private")
    StateDirectory.open(tmp_path / "state").close()
    assert (tmp_path / "private" / "lock").exists()
