"""A folder as the only target, as a user tries it: the real program, a simulated coprocessor."""

import gzip
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import COMMAND, Program, ruuvi_host
from told_counters import assert_accounted_for, counted

from ruuvi_host.config.targets import FileTarget
from ruuvi_host.relay.file.folder import Folder

SETTINGS = ("target.log.kind=file", "target.log.interval=1")


def options(folder: Path, *settings: str) -> list[str]:
    pairs = (*SETTINGS, f"target.log.folder={folder / 'data'}", *settings)
    return [word for pair in pairs for word in ("--set", pair)]


def run(folder: Path, *settings: str) -> Program:
    state = ("--state-dir", str(folder / "state"))
    return ruuvi_host("run", "--simulate", *state, *options(folder, *settings))


def command(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    return done


def follow(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of the current file, as they come. It is read again from where it was."""
    place = 0
    while True:
        path = folder / "data" / "log.jsonl"
        data = path.read_bytes()[place:] if path.exists() else b""
        for line in data.splitlines(keepends=True):
            if line.endswith(b"\n"):
                place += len(line)
                yield json.loads(line)
        time.sleep(0.01)  # nothing tells of a line


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "data/log.jsonl").read_text().splitlines()]


def test_readings_without_any_server(tmp_path: Path) -> None:
    with run(tmp_path) as host:
        host.wait_for(f"log: {tmp_path}/data every 1 s")
        reading = next(follow(tmp_path))
        assert reading["gateway"] == "F5:CA:F0:01:B0:FC"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", reading["time"])
        assert reading["data_format"] == 5
        told = json.loads(
            command("status", "--json", "--state-dir", str(tmp_path / "state")).stdout
        )
        assert "log" in json.dumps(told)
        assert host.stop() == 0
    assert_accounted_for(host, "log")
    assert counted(host, "accepted_reports", "log") == len(lines(tmp_path)), "each once"


def test_bodies_of_a_gateway(tmp_path: Path) -> None:
    with run(tmp_path, "target.log.content=gateway", "coordinates=60,25") as host:
        body = next(follow(tmp_path))["data"]
        assert host.stop() == 0
    assert body["gw_mac"] == "F5:CA:F0:01:B0:FC"
    assert body["coordinates"] == "60,25"
    assert all(tag["data"] for tag in body["tags"].values())


def test_killed_and_started_again(tmp_path: Path) -> None:
    seen = follow(tmp_path)
    with run(tmp_path) as host:
        first = next(seen)
        host.wait_for("batches are accepted")  # all of it is written
        assert host.stop(signal.SIGKILL) == -signal.SIGKILL
    before = (tmp_path / "data/log.jsonl").read_bytes()
    assert before.endswith(b"\n")
    with (tmp_path / "data/log.jsonl").open("ab") as file:
        file.write(b'{"time":"2026-05-01T10:0')  # what a loss of power may leave
    with run(tmp_path) as host:
        host.wait_for("log.jsonl: the last line was not complete and was cut off: bytes 24")
        host.wait_for("batches are accepted")
        host.wait_for("configured")
        while counted_lines(tmp_path) <= before.count(b"\n"):
            next(seen)
        assert host.stop() == 0
    after = (tmp_path / "data/log.jsonl").read_bytes()
    assert after.startswith(before)
    assert lines(tmp_path)[0] == first
    assert len(after) > len(before)


def counted_lines(folder: Path) -> int:
    return (folder / "data/log.jsonl").read_bytes().count(b"\n")


def test_a_finished_file_is_compressed_also_one_of_an_earlier_run(tmp_path: Path) -> None:
    folder = Folder(FileTarget("log", tmp_path / "data", max_bytes=1))
    for n in range(2):
        folder.append([b'{"n":%d}\n' % n], 1_777_629_600.0)
    folder.close()
    # And one that is begun again as this run finds it: it is older than an hour.
    with run(tmp_path, "target.log.compress=yes", "target.log.max_age_hours=1") as host:
        host.wait_for("compressed .*/log-20260501T100000Z.jsonl.gz")
        host.wait_for("log: finished .*/log-20260501T100000Z-2.jsonl")
        host.wait_for("compressed .*/log-20260501T100000Z-2.jsonl.gz")
        assert host.stop() == 0
    packed = sorted((tmp_path / "data").glob("*.gz"))
    found = [gzip.decompress(path.read_bytes()) for path in packed]
    assert sorted(found) == [b'{"n":0}\n', b'{"n":1}\n']
    assert not list((tmp_path / "data").glob("log-*.jsonl"))


def test_a_folder_that_cannot_be_written_waits_in_the_spool(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in its place")
    state = str(tmp_path / "state")
    with run(tmp_path) as host:
        host.wait_for(r"needs fixing \(.*/data is not a folder: name another one\)")
        asked = ("status", "--json", "--state-dir", state)
        while not re.search(r'"spooled": [1-9]', command(*asked).stdout):
            pass
        assert host.stop() == 0
    assert_accounted_for(host, "log")
    kept = counted(host, "kept_reports", "log")
    assert kept
    common = ("--state-dir", state, *options(tmp_path))
    assert "is not a folder" in command("spool", "drain", "log", *common, code=4).stderr
    (tmp_path / "data").unlink()
    assert "left 0" in command("spool", "drain", "log", *common).stderr
    assert len(lines(tmp_path)) == kept


def test_a_new_configuration_goes_on_in_the_same_file(tmp_path: Path) -> None:
    seen = follow(tmp_path)
    with run(tmp_path) as host:
        next(seen)
        os.kill(host.pid, signal.SIGHUP)
        host.wait_for("configuration read again")
        before = counted_lines(tmp_path)
        while counted_lines(tmp_path) <= before:
            next(seen)
        assert host.stop() == 0
    assert "ERROR" not in str(host)
    assert_accounted_for(host, "log")
    assert counted(host, "accepted_reports", "log") == counted_lines(tmp_path)


def test_two_hosts_do_not_mix(tmp_path: Path) -> None:
    with run(tmp_path) as host:
        next(follow(tmp_path))
        other = tmp_path / "other"
        with ruuvi_host(
            *("run", "--simulate", "--state-dir", str(other), *options(tmp_path))
        ) as second:
            second.wait_for(r"ERROR: .*another ruuvi-host writes .*/data/log.jsonl: give each")
            assert host.stop() == 0
            assert second.stop() == 0
    assert counted(host, "accepted_reports", "log") <= len(lines(tmp_path))


# -- check, doctor, config ------------------------------------------------------------------------


def test_check_tries_it_without_leaving_a_trace(tmp_path: Path) -> None:
    done = command("check", "log", *options(tmp_path))
    assert done.stdout == f"log: {tmp_path}/data can be written\n"
    assert os.listdir(tmp_path / "data") == []
    assert json.loads(command("check", "--json", *options(tmp_path)).stdout)["delivered"]
    (tmp_path / "data").rmdir()
    (tmp_path / "data").touch()
    done = command("check", *options(tmp_path), code=4)
    assert "not delivered: folder: " in done.stdout
    done = command("check", "lag", *options(tmp_path), code=2)
    others = "there are ruuvi, custom, mqtt, status, remote, log"
    assert f"lag: there is no target of this name; {others}" in done.stderr


@pytest.mark.parametrize("fault", [False, True])
def test_config_check_and_doctor_know_the_folder(tmp_path: Path, fault: bool) -> None:
    own = tmp_path / "ruuvi-host.toml"
    own.write_text('[[target]]\nname = "log"\nkind = "file"\nfolder = "not/yet/there"\n')
    if fault:
        (tmp_path / "not").touch()
    done = command("config", "check", str(own), code=2 if fault else 0)
    sentence = f"fault: target.log.folder: {tmp_path}/not is not a folder: name another one"
    assert (sentence in done.stdout) is fault
    assert "targets: log " in done.stderr
    state = ("--state-dir", str(tmp_path / "state"), "--trust-clock")
    ran = subprocess.run(
        [COMMAND, "doctor", "--json", "--config", str(own), *state],
        capture_output=True,
        text=True,
        check=False,
    )
    findings = [json.loads(line) for line in ran.stdout.splitlines()]
    [finding] = [finding for finding in findings if finding["topic"] == "log"]
    assert finding["level"] == ("fault" if fault else "ok")
    assert ("can be written" in finding["sentence"]) is not fault
