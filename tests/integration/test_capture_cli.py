"""`ruuvi-host capture` and `run --capture` as people use them, and misuse them."""

import json
import os
import re
import resource
import signal
import subprocess
import time
from pathlib import Path
from stat import S_IMODE

import pytest
from captured import BOOT, CAPTURES, read, told
from programs import COMMAND, Program, replayed, ruuvi_host, simulated

from firmware_protocol.messages import SetAll
from ruuvi_host.capture.pcapng import section


def grown(program: Program, path: Path, records: int) -> None:
    """Wait until so many are in the file. There is no line to wait for."""
    until = time.monotonic() + 30
    while not path.exists() or len(read(path)[0]) < records:
        assert time.monotonic() < until, program
        time.sleep(0.02)


# -- capture


def test_capture_of_a_simulated_board(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    with (
        simulated("--rate", "200", "--seed", "9") as board,
        ruuvi_host("capture", str(path), "--port", board.port) as program,
    ):
        grown(program, path, 50)
        assert S_IMODE(path.stat().st_mode) == 0o600
        assert program.stop(signal.SIGINT) == 0
    records, reader = read(path)
    assert (reader.problem, reader.ended) == (None, True)
    sent = b"".join(record.data for record in records if record.sent)
    assert SetAll().to_frame() in sent
    received = sum(len(record.data) for record in records if not record.sent)
    figures = f"{len(records)} records, {received} bytes received, {len(sent)} sent, nothing lost"
    assert program.err[-1].startswith(f"{path}: ")
    assert program.err[-1].endswith(figures)
    # Nothing that was sent here is a secret; but the key is, and no line may tell it.
    with ruuvi_host("decode", "uart", "--json", str(path)) as decoded:
        assert decoded.wait() == 0
    identifiers = [
        line["fields"]["id"] for line in map(json.loads, decoded.out) if "id" in line["fields"]
    ]
    assert identifiers
    assert not any(identifier in "".join(program.err).lower() for identifier in identifiers)


def test_killed_in_the_midst_it_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    with ruuvi_host("capture", str(path), "--simulate") as program:
        grown(program, path, 10)
        assert program.stop(signal.SIGKILL) == -signal.SIGKILL
    records, reader = read(path)
    assert len(records) >= 10
    assert not reader.ended
    assert reader.problem is None or reader.cut
    with ruuvi_host("capture", str(path), "--simulate") as program:
        grown(program, path, len(records) + 5)
        assert program.stop() == 0
    assert read(path)[1].sections == 2


def test_passive_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    with (
        replayed(CAPTURES / "begun-late.pcapng", "--speed", "max") as player,
        ruuvi_host("capture", str(path), "--passive", "--port", player.port) as program,
    ):
        assert player.wait() == 0
        assert program.wait() == 3
    assert "lost: unplugged" in program.err[-1]
    played = b"".join(r.data for r in read(CAPTURES / "begun-late.pcapng")[0])
    assert b"".join(record.data for record in read(path)[0]) == played
    assert "the host sent 0 bytes" in player.err[-1]


def test_run_records_too(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    with ruuvi_host(
        *("run", "--simulate", "--url", "http://127.0.0.1:1/", "--capture", str(path)),
        *("--state-dir", str(tmp_path / "state")),
    ) as program:
        grown(program, path, 10)
        assert program.stop() == 0
    assert read(path)[1].ended
    assert any(" records, " in line and "nothing lost" in line for line in program.err)


def test_run_records_each_of_several_coprocessors(tmp_path: Path) -> None:
    path, config = tmp_path / "air.pcapng", tmp_path / "host.toml"
    with simulated("--seed", "1") as one, simulated("--seed", "2") as two:
        ports = [board.port for board in (one, two)]
        config.write_text("".join(f'[[coprocessor]]\nport = "{port}"\n' for port in ports))
        with ruuvi_host(
            *("run", "--config", str(config), "--url", "http://127.0.0.1:1/", "--trust-clock"),
            *("--capture", str(path), "--state-dir", str(tmp_path / "state")),
        ) as program:
            program.wait_for("#1: coprocessor configured")
            program.wait_for("#2: coprocessor configured")
            assert program.stop() == 0
    with ruuvi_host("decode", "uart", "--json", str(path)) as decoded:
        assert decoded.wait() == 0
    devices = {
        (line["interface"], line["fields"]["id"])
        for line in map(json.loads, decoded.out)
        if line["command"] == "DEVICE_ID"
    }
    assert [interface for interface, _ in sorted(devices)] == [0, 1]
    assert len({identifier for _, identifier in devices}) == 2
    assert "From the coprocessor #2:" in decoded.err


def test_into_a_pipe(tmp_path: Path) -> None:
    ran = subprocess.run(
        f"'{COMMAND}' capture - --simulate | '{COMMAND}' decode uart --json - | head -n 3",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {line["command"] for line in lines} <= {
        "GET_DEVICE_ID",
        "GET_ALL",
        "DEVICE_ID",
        "SET_ALL",
    }
    assert len(lines) == 3
    assert "Traceback" not in ran.stderr


def test_a_full_disk_ends_it_with_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))

    ran = subprocess.run(
        [COMMAND, "capture", str(path), "--simulate"],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == f"Error: {path}: cannot be written: File too large"
    assert "lost" in ran.stderr
    records, reader = read(path)
    assert records
    assert reader.problem is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("capture", "FILE: name one file"),
        ("capture x", "--port: name the port"),
        ("capture x y --simulate", "FILE: name one file"),
        ("capture x --simulate --port y", "--port: name the port"),
        ("capture x --simulate --passive", "--passive: sends nothing"),
        ("capture x --simulate --seed 1", "--seed: is for --anonymize"),
        ("capture x --anonymize", "--anonymize: name two files"),
        ("capture x y --anonymize --simulate", "--anonymize: records nothing"),
        ("capture /dev/full --simulate", "/dev/full: cannot be written: No space left"),
        ("capture nowhere/x --simulate", "nowhere/x: cannot be written: No such file"),
        ("capture pyproject.toml --simulate", "exists and is no capture"),
        ("run --simulate --url http://127.0.0.1:1/ --capture /dev/full", "No space left on device"),
        ("capture nowhere y --anonymize", "nowhere: No such file"),
        ("capture / y --anonymize", "/: Is a directory"),
        ("capture README.md nowhere/y --anonymize", "nowhere/y: cannot be written"),
        (f"capture {BOOT} pyproject.toml --anonymize", "pyproject.toml: exists"),
        ("replay nowhere", "nowhere: No such file"),
        ("replay /", "/: Is a directory"),
        ("replay -", "cannot come from a pipe"),
        ("replay pipe", "cannot come from a pipe"),
        ("replay /dev/null", "holds no frame of a coprocessor"),
        ("replay pyproject.toml", "holds no frame of a coprocessor"),
        (f"replay {BOOT} --speed fast", "'fast' is neither a number"),
        (f"replay {BOOT} --speed 0", "'0' is neither a number"),
        (f"replay {BOOT} --speed nan", "'nan' is neither a number"),
        (f"replay {BOOT} --link pyproject.toml", "pyproject.toml exists and is no symbolic link"),
        (f"replay {BOOT} --link nowhere/x", "cannot make 'nowhere/x'"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    arguments: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pyproject.toml", "README.md"):
        (tmp_path / name).write_text("# not a capture\n")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert sentence in told(*arguments.split()).splitlines()[-1]
    assert (tmp_path / "pyproject.toml").read_text() == "# not a capture\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    path.touch(0o000)
    for command in ("replay", "decode uart"):
        assert "Permission denied" in told(*command.split(), str(path))


# -- anonymize


def test_anonymize_writes_what_can_be_given_away(tmp_path: Path) -> None:
    one, other, third = (tmp_path / name for name in ("one", "other", "third"))
    noise = CAPTURES / "noise.pcapng"
    said = told("capture", "--anonymize", str(noise), str(one), "--seed", "x", code=0)
    assert (
        said == f"{one}: 28 frames, 23 of them reports; 825 bytes that were in no frame left out\n"
    )
    assert S_IMODE(one.stat().st_mode) == 0o600
    told("capture", "--anonymize", str(noise), str(other), "--seed", "x", code=0)
    told("capture", "--anonymize", str(noise), str(third), code=0)
    assert one.read_bytes() == other.read_bytes() != third.read_bytes()
    assert b"tools/captures" not in one.read_bytes()  # nor what else the original says about itself
    records, reader = read(one)
    assert reader.ended
    assert records[0].monotonic == 0


def test_nothing_is_left_of_what_cannot_be_written_or_read(tmp_path: Path) -> None:
    target = tmp_path / "out"
    (tmp_path / "in").write_bytes(section("x") + b"\0" * 40)
    assert "holds no frame" in told("capture", "--anonymize", str(tmp_path / "in"), str(target))
    assert not target.exists()
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [COMMAND, "capture", "--anonymize", str(BOOT), "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (ran.returncode, "No space left on device" in ran.stderr) == (2, True)


# -- the page


def test_the_page_shows_commands_that_there_are() -> None:
    page = (CAPTURES.parent.parent / "docs" / "pages" / "captures.md").read_text("utf-8")
    commands = re.findall(r"ruuvi-host ((?:decode uart|\w+)) ?([^|`\n]*)", page)
    assert len(commands) > 5
    for command, rest in commands:
        shown = subprocess.run(
            [COMMAND, *command.split(), "--help"], capture_output=True, text=True, timeout=60
        )
        assert shown.returncode == 0, command
        for option in re.findall(r"--[\w-]+", rest):
            assert option in shown.stdout, (command, option)
