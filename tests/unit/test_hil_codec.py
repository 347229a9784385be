"""The codec in C against the same vectors as the one in Python, under sanitizers."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import load_vectors
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.commands import Command
from firmware_protocol.errors import RemoteProtocolError
from firmware_protocol.framing import Frame, FrameScanner, decode_frame, frames
from firmware_protocol.messages import Fields, parse
from hil.firmware import build
from hil.firmware.build import (
    ARM_GCC,
    BOARDS,
    OBJCOPY,
    BuildError,
    Options,
    build_chip,
    build_codec_tool,
    build_host,
    missing,
)

VECTORS = load_vectors("uart.json")


@pytest.fixture(autouse=True)
def warnings_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here, and not for those who build it with a compiler of another day."""
    monkeypatch.setattr(build, "WARNINGS", (*build.WARNINGS, "-Werror"))


def needs_programs(*programs: str) -> None:
    """Skip where they are missing, by the name of the package; continuous integration has them."""
    if absent := missing(programs):
        text = f"not installed: {', '.join(absent)}"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)


class Tool:
    """codec_tool, asked a line at a time."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, *words: object) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"a sanitizer has found something at {words}"
        return answer.rstrip("\n")


@contextmanager
def running(program: Path) -> Iterator[Tool]:
    with subprocess.Popen(
        [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Tool(process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tool]:
    needs_programs("gcc")
    with running(build_codec_tool(tmp_path_factory.mktemp("codec") / "codec_tool")) as tool:
        yield tool


def raw(text: str) -> str:
    return text or "-"


def as_told(command: int, fields: Fields) -> str:
    """Fields as codec_tool prints them."""
    words = [f"cmd={command}"]
    for name, value in fields.items():
        if isinstance(value, str):
            value = raw(value.replace(":", "").lower())
        words.append(f"{name}={value}")
    return " ".join(words)


@pytest.mark.parametrize("entry", VECTORS["valid"], ids=lambda entry: str(entry["name"]))
def test_valid(tool: Tool, entry: dict[str, Any]) -> None:
    told = as_told(entry["cmd_id"], entry["fields"])
    max_adv = entry.get("max_adv", VECTORS["default_max_adv"])
    assert tool.ask("decode", max_adv, entry["hex"]) == told
    if entry["encode"]:
        values = [word.partition("=")[2] for word in told.split()]
        assert tool.ask("encode", *values) == entry["hex"]


@pytest.mark.parametrize("entry", VECTORS["invalid"], ids=lambda entry: str(entry["name"]))
def test_invalid(tool: Tool, entry: dict[str, Any]) -> None:
    max_adv = entry.get("max_adv", VECTORS["default_max_adv"])
    assert tool.ask("decode", max_adv, raw(entry["hex"])) == entry["reason"]


@pytest.mark.parametrize("entry", VECTORS["streams"], ids=lambda entry: str(entry["name"]))
def test_streams(tool: Tool, entry: dict[str, Any]) -> None:
    assert tool.ask("scan", entry["hex"]).split() == entry["frames"]


def in_python(data: bytes, max_adv: int) -> str:
    try:
        frame = decode_frame(data, max_adv)
    except RemoteProtocolError as error:
        return error.reason
    return as_told(frame.command, parse(frame).fields())


nearly = st.sampled_from([bytes.fromhex(entry["hex"]) for entry in VECTORS["valid"]]).flatmap(
    lambda frame: st.builds(
        lambda at, byte, cut: (frame[:at] + byte + frame[at + 1 :])[:cut],
        st.integers(0, len(frame)),
        st.binary(max_size=2),
        st.integers(0, len(frame) + 1),
    )
)


def test_the_two_codecs_agree(tool: Tool) -> None:
    """On frames that are nearly right, and on anything."""

    @given(st.one_of(nearly, st.binary(max_size=300)), st.integers(0, 235))
    def agree(data: bytes, max_adv: int) -> None:
        assert tool.ask("decode", max_adv, raw(data.hex())) == in_python(data, max_adv)

    agree()


def test_the_two_scanners_agree(tool: Tool) -> None:
    @given(st.lists(st.one_of(nearly, st.binary(max_size=20), st.just(b"\xca")), max_size=6))
    def agree(pieces: list[bytes]) -> None:
        data = b"".join(pieces)
        scanner: FrameScanner[Frame] = FrameScanner(frames)
        found = scanner.feed(data) + scanner.flush()
        expected = [data[f.offset : f.offset + len(f.payload) + 6].hex() for f in found]
        assert tool.ask("scan", raw(data.hex())).split() == expected

    agree()


def test_every_command_is_known(tool: Tool) -> None:
    """Both know the same ones: of all others the answer is unknown_cmd."""
    known = set()
    for command in range(256):
        covered = bytes((0, command))
        from firmware_protocol.crc import crc16

        frame = b"\xca" + covered + crc16(covered).to_bytes(2, "little") + b"\n"
        if tool.ask("decode", 235, frame.hex()) != "unknown_cmd":
            known.add(command)
    assert known == set(Command)


@pytest.mark.parametrize("board", BOARDS)
def test_builds_for_a_board(board: str, tmp_path: Path) -> None:
    """The file to be flashed: Intel HEX, which ends as it should."""
    needs_programs(ARM_GCC, OBJCOPY)
    built = build_chip(board, Options(), tmp_path / "firmware.hex")
    assert built.read_text().splitlines()[-1] == ":00000001FF"


def test_builds_are_the_same_each_time(tmp_path: Path) -> None:
    needs_programs(ARM_GCC, OBJCOPY)
    built = [build_chip("pca10040", Options(), tmp_path / f"{n}.hex") for n in (1, 2)]
    assert built[0].read_bytes() == built[1].read_bytes()


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="gcc-arm-none-eabi"):
        build_chip("microbit", Options(), tmp_path / "firmware")
    with pytest.raises(BuildError, match="libc6-dev"):
        build_host(Options(), tmp_path / "firmware")
