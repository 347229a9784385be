"""`ruuvi-host decode uart` as people and scripts run it: the real process, output, exit code."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import load_vectors
from decode_command import decode, limited
from programs import COMMAND

UART = load_vectors("uart.json")
NOISE = b"\xca\xff\x12noise\xca"
RECORDING = NOISE + b"".join(bytes.fromhex(entry["hex"]) + NOISE for entry in UART["valid"])
SMALL = bytes.fromhex("ca0019179e0aca04200f2c002ca2c20aff")


def uart_json(*arguments: str, stdin: bytes = b"") -> tuple[list[dict[str, Any]], str]:
    out, err = decode("uart", "--json", *arguments, stdin=stdin)
    return [json.loads(line) for line in out.splitlines()], err


def test_every_known_frame(tmp_path: Path) -> None:
    file = tmp_path / "recording.bin"
    file.write_bytes(RECORDING)
    frames, err = uart_json(str(file))
    assert [(f["command"], f["hex"], f["fields"]) for f in frames] == [
        (entry["cmd"], entry["hex"], entry["fields"]) for entry in UART["valid"]
    ]
    for frame in frames:
        data = bytes.fromhex(frame["hex"])
        assert RECORDING[frame["offset"] :].startswith(data)
        assert list(frame) == ["offset", "hex", "command", "fields"]
    assert err.startswith(f"Bytes: {len(RECORDING)} received, ")
    assert uart_json("-", stdin=RECORDING) == (frames, err)


@pytest.mark.parametrize("stream", UART["streams"], ids=lambda stream: str(stream["name"]))
def test_streams(stream: dict[str, Any]) -> None:
    frames, _ = uart_json("-", stdin=bytes.fromhex(stream["hex"]))
    assert [frame["hex"] for frame in frames] == stream["frames"]


def test_unknown_commands_only_when_asked_for() -> None:
    recording = bytes.fromhex("ca020d012c26fd0aca0019179e0a")
    known = {"offset": 8, "hex": "ca0019179e0a", "command": "GET_ALL", "fields": {}}
    unknown = {"offset": 0, "hex": "ca020d012c26fd0a", "command": "0x0D", "fields": {}}
    frames, err = uart_json("-", stdin=recording)
    assert frames == [known]
    assert "1 unknown command" in err
    frames, err = uart_json("--unknown", "-", stdin=recording)
    assert frames == [unknown, known]
    assert "Frames: 1 0x0D, 1 GET_ALL" in err


def test_frames_for_people() -> None:
    out, err = decode("uart", "-", stdin=b"?" + SMALL)
    assert out.splitlines() == [
        "         1  GET_ALL         ca0019179e0a",
        "         7  ACK             acked_cmd=15 state=0",
    ]
    assert err.splitlines() == [
        "Bytes: 18 received, 16 in frames, 2 skipped",
        "Rejected: 0 CRC, 0 ETX, 0 delimiter, 0 length, 0 unknown command; 0 idle rescans",
        "Frames: 1 GET_ALL, 1 ACK",
    ]


def test_noise_is_no_failure() -> None:
    frames, err = uart_json("-", stdin=bytes(range(256)) * 500)
    assert frames == []
    assert "Bytes: 128000 received, 0 in frames, 128000 skipped" in err
    assert "Frames: none" in err
    assert uart_json("-")[1].startswith("Bytes: 0 received")


def test_an_unfinished_frame_hides_none() -> None:
    """At the end of the input a false beginning is given up."""
    frames, err = uart_json("-", stdin=b"\xca\xf9\x12" + SMALL)
    assert [frame["command"] for frame in frames] == ["GET_ALL", "ACK"]
    assert "1 idle rescans" in err


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/nowhere/recording.bin", "/nowhere/recording.bin: No such file or directory"),
        ("/", "/: Is a directory"),
        ("/proc/self/mem", "/proc/self/mem: Input/output error"),  # opens, and cannot be read
    ],
)
def test_a_file_that_cannot_be_read(path: str, sentence: str) -> None:
    assert decode("uart", path, code=2) == ("", f"Error: {sentence}\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    file = tmp_path / "recording.bin"
    file.touch(0o000)
    _, err = decode("uart", str(file), code=2)
    assert err == f"Error: {file}: Permission denied\n"


def test_a_long_recording_is_not_kept() -> None:
    ran = limited("uart", "-", size=400_000_000)
    assert ran.returncode == 0
    assert ran.stderr.startswith("Bytes: 400000000 received, 0 in frames, 400000000 skipped")


def test_the_reader_of_frames_may_leave() -> None:
    command = f"'{COMMAND}' decode uart --json - | head -n 1"
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], input=SMALL * 50_000, capture_output=True
    )
    assert ran.returncode == 0
    assert ran.stderr == b""
    assert ran.stdout.count(b"\n") == 1
