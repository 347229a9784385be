"""Files of a configuration: what cannot be read, who may read them, how they are written."""

import os
import socket
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from config_inputs import Write, inputs
from config_inputs import write as write

from ruuvi_host.config.files import Unreadable, read_text, write_private
from ruuvi_host.config.load import load
from ruuvi_host.config.problems import Severity


def test_what_cannot_be_read(tmp_path: Path, write: Write) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for path, why in (
            (tmp_path / "none", "cannot be read: No such file or directory"),
            (tmp_path, "cannot be read: Is a directory"),
            (Path("/dev/zero"), "longer than 262144 bytes"),
            (Path("/dev/full"), "longer than 262144 bytes"),
            (tmp_path / "socket", "cannot be read: No such device or address"),
            (Path("a\0b"), "cannot be the name of a file"),
            (write("latin1", b'coordinates = "\xe4"'), "not UTF-8 text (at byte 15)"),
            (write("utf16", "x = 1".encode("utf-16")), "not UTF-8 text (at byte 0)"),
        ):
            (problem,) = load(inputs(path)).problems
            assert why in problem.why
            assert problem.severity is Severity.ERROR
    assert load(inputs(Path("/dev/null"))).problems == []


def test_nothing_waits_for_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ruuvi_host.config.files.PIPE_PATIENCE", 0.05)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (problem,) = load(inputs(pipe)).problems
    assert "is no file, and nothing comes out of it" in problem.why
    silent = os.open(pipe, os.O_RDWR)  # a writer that says nothing
    assert "nothing comes out of it" in load(inputs(pipe)).problems[0].why
    os.close(silent)
    master, slave = os.openpty()
    assert "nothing comes out of it" in load(inputs(Path(os.ttyname(slave)))).problems[0].why
    os.close(master)
    os.close(slave)


def test_a_pipe_with_a_writer_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("max_sensors = 3\n" + "#" * 200_000,))
    writer.start()
    assert load(inputs(pipe)).config.max_sensors == 3
    writer.join()
    reading, writing = os.pipe()  # as a shell's <(…) is
    os.write(writing, b"s3cret")
    os.close(writing)
    assert read_text(Path(f"/dev/fd/{reading}")) == "s3cret"
    # When the configuration is read again, an empty secret must not take its place.
    with pytest.raises(Unreadable, match="a pipe that has been read already"):
        read_text(Path(f"/dev/fd/{reading}"))
    os.close(reading)


@pytest.mark.parametrize(
    ("name", "content", "secret"),
    [
        ("gw_cfg.json", {"http_stat_pass": "s"}, True),
        ("gw_cfg.json", {"wifi_sta_config": {"password": "s"}}, True),
        ("gw_cfg.json", {"http_stat_pass": "", "wifi_sta_config": {"password": ""}}, False),
        ("gw_cfg.json", {"wifi_sta_config": 5, "coordinates": "password"}, False),
        ("ruuvi-host.toml", "http.client_key_password = 's'", True),
        ("ruuvi-host.toml", "http.proxy = 'http://u:p@proxy/'", True),
        ("ruuvi-host.toml", "[gateway]\nhttp_stat_pass = 's'", True),
        ("ruuvi-host.toml", "state_dir = 'password'", False),
    ],
)
def test_secrets_that_everybody_may_read(
    write: Write, name: str, content: Any, secret: bool
) -> None:
    path = write(name, content)
    whys = [p.why for p in load(inputs(path)).problems]
    assert "every user of this machine may read its secrets" not in whys
    path.chmod(0o644)
    warned = [p for p in load(inputs(path)).problems if "every user" in p.why]
    assert [(p.key, p.severity) for p in warned] == (
        [(str(path), Severity.WARNING)] if secret else []
    )


def test_a_file_is_written_in_one_step_and_for_its_owner_alone(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o644)
    link.symlink_to(path)
    write_private(link, "new ä")
    assert link.is_symlink()
    assert path.read_text() == "new ä"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "link"]


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="would not be UTF-8"):
        write_private(path, "half \ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    with pytest.raises(OSError, match="not a file"):
        write_private(Path("/dev/full"), "x")
    with pytest.raises(OSError, match="No such file"):
        write_private(tmp_path / "none" / "file", "x")


def test_a_trap_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    path, victim = tmp_path / "file", tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".file.new").symlink_to(victim)
    write_private(path, "secret")
    assert victim.read_text() == "precious"
    assert not path.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_owner_of_a_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    os.chown(path, 1234, 5678)
    write_private(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)
