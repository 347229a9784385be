"""Captures in Wireshark: its own reader opens them, and tools/ca_uart.lua finds our frames."""

import json
import os
import re
import shutil
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from firmware_protocol.commands import Command
from firmware_protocol.framing import Frame, FrameScanner, frames
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetAll,
    GetDeviceId,
    LedCtrl,
    Message,
    SetAll,
    parse,
)
from ruuvi_host.capture.pcapng import Line, Record, packet, section, statistics
from ruuvi_host.capture.source import open_source

TESTS = Path(__file__).parent.parent
DISSECTOR = TESTS.parent / "tools" / "ca_uart.lua"
FILES = sorted((TESTS / "captures").glob("*.pcapng"))
TSHARK = shutil.which("tshark")
NOBODY = ("--reuid=65534", "--regid=65534", "--clear-groups")


def test_tshark_is_there() -> None:
    if not TSHARK and os.environ.get("CI") == "true":
        pytest.fail("tshark is missing (Debian package tshark)")


needs_tshark = pytest.mark.skipif(not TSHARK, reason="needs tshark (Debian package tshark)")


@cache
def as_whom() -> tuple[str, ...]:
    """What starts a tshark that loads scripts. From 4.2 on, which comes without the init.lua
    that allowed it, it loads none for root. So it runs as nobody, who may read what root may: the
    captures are in folders of root's."""
    assert TSHARK
    told = subprocess.run([TSHARK, "--version"], capture_output=True, text=True, timeout=120)
    version = re.search(r"(\d+)\.(\d+)\.", told.stdout)
    assert version
    if os.geteuid() != 0 or (int(version[1]), int(version[2])) < (4, 2):
        return ()
    return ("setpriv", *NOBODY, "--inh-caps=+dac_override", "--ambient-caps=+dac_override")


def tshark(path: Path, *options: str) -> tuple[str, str, int]:
    """What it says on stdout and stderr, and its exit code."""
    assert TSHARK
    ran = subprocess.run(
        [*as_whom(), TSHARK, "-X", f"lua_script:{DISSECTOR}", "-r", str(path), *options],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"HOME": "/nonexistent", "LC_ALL": "C.UTF-8"},
    )
    for line in ran.stderr.splitlines():
        assert "Lua" not in line, ran.stderr
        assert "bug" not in line, ran.stderr
    return ran.stdout, ran.stderr, ran.returncode


FIELDS = ["ca_uart.direction", "ca_uart.command", "ca_uart.mac", "ca_uart.rssi", "ca_uart.id"]


def dissected(path: Path, *options: str) -> list[dict[str, list[str]]]:
    """The fields of each packet, each with all its values."""
    wanted = [part for field in FIELDS for part in ("-e", field)]
    out, err, code = tshark(path, "-T", "json", *wanted, *options)
    assert code == 0 or "cut short" in err  # which is an error to it, but it shows what is there
    loaded: list[dict[str, Any]] = json.loads(out)
    return [entry["_source"]["layers"] for entry in loaded]


def expected(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Direction → command and what tells it from others, of each frame, by our own scanner."""
    scanners = defaultdict[Line, FrameScanner[Frame]](lambda: FrameScanner(frames))
    found: dict[str, list[tuple[str, str]]] = {"device_to_host": [], "host_to_device": []}
    for record in open_source(str(path)):
        scanner = scanners[record.line]
        # tshark cannot be told that a capture ends, so nothing is flushed here either.
        for frame in scanner.feed(record.data):
            message, about = parse(frame), ""
            if isinstance(message, AdvRprt | AdvRprt2):
                about = f"{message.address.hex(':')} {message.rssi}"
            elif isinstance(message, DeviceId):
                about = message.id.hex()
            direction = "host_to_device" if record.sent else "device_to_host"
            found[direction].append((Command(frame.command).name, about))
    return found


def seen(packets: list[dict[str, list[str]]]) -> dict[str, list[tuple[str, str]]]:
    """The same, by the dissector. In a packet, each field has its own list of values."""
    found: dict[str, list[tuple[str, str]]] = {"device_to_host": [], "host_to_device": []}
    for fields in packets:
        macs, levels = fields.get("ca_uart.mac", []), fields.get("ca_uart.rssi", [])
        reports = iter(zip(macs, levels, strict=True))
        identifiers = iter(fields.get("ca_uart.id", []))
        for command in fields.get("ca_uart.command", []):
            about = ""
            if command.startswith("ADV_RPRT"):
                about = " ".join(next(reports))
            elif command == "DEVICE_ID":
                about = next(identifiers).replace(":", "")  # versions differ
            found[fields["ca_uart.direction"][0]].append((command, about))
    return found


@needs_tshark
@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_it_finds_our_frames(path: Path) -> None:
    assert seen(dissected(path)) == expected(path)


@needs_tshark
def test_two_passes_find_the_same() -> None:
    """Wireshark looks at each packet again and again; tshark -2 does it twice."""
    path = TESTS / "captures" / "noise.pcapng"
    assert dissected(path, "-2") == dissected(path)


@needs_tshark
def test_directions_do_not_mix(tmp_path: Path) -> None:
    """Two frames, one each way, cut into bytes that alternate; and rubbish, which is told."""
    path = tmp_path / "mixed.pcapng"
    pieces = []
    for number, (down, up) in enumerate(
        zip(GetAll().to_frame(), GetDeviceId().to_frame(), strict=True)
    ):
        for sent, byte in ((False, down), (True, up)):
            at = 10**18 + number * 10**6
            pieces.append(packet(Record(sent, at, at, bytes([byte]))))
    pieces.append(packet(Record(False, 10**18 + 10**8, 0, b"rubbish" + GetAll().to_frame())))
    path.write_bytes(section("test") + b"".join(pieces) + statistics(0, 0, 0, 0))
    packets = dissected(path)
    commands = [fields.get("ca_uart.command") for fields in packets]
    assert commands == [None] * 10 + [["GET_ALL"], ["GET_DEVICE_ID"], ["GET_ALL"]]
    out, _, _ = tshark(path, "-Y", "ca_uart.noise", "-T", "fields", "-e", "ca_uart.skipped")
    assert out.strip() == b"rubbish".hex()


@needs_tshark
def test_ports_and_sections_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "ports.pcapng"
    frame = GetAll().to_frame()

    def piece(data: bytes, interface: int) -> bytes:
        return packet(Record(False, 10**18, 0, data, interface=interface))

    life = section("test", "one", "other") + piece(frame[:4], 0) + piece(frame[:3], 1)
    path.write_bytes(life + section("test", "one") + piece(frame, 0))
    assert [fields.get("ca_uart.command") for fields in dissected(path)] == [
        *(None, None),
        ["GET_ALL"],
    ]
    assert tshark(path, "-Y", "ca_uart.noise")[0] == ""
    whole = life + piece(frame[3:], 1) + piece(frame[4:], 0)
    path.write_bytes(whole)
    assert [fields.get("ca_uart.command") for fields in dissected(path)] == [
        *(None, None),
        *(["GET_ALL"], ["GET_ALL"]),
    ]


@needs_tshark
def test_silence_gives_up_what_is_incomplete(tmp_path: Path) -> None:
    path = tmp_path / "silence.pcapng"
    frame = GetAll().to_frame()
    times = [(10**18, b"\xca\xf0\x12" + frame), (10**18 + 10**9, frame)]
    path.write_bytes(
        section("test") + b"".join(packet(Record(False, at, at, data)) for at, data in times)
    )
    assert [fields.get("ca_uart.command") for fields in dissected(path)] == [
        None,
        ["GET_ALL", "GET_ALL"],
    ]


@needs_tshark
def test_a_truncated_file_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = TESTS / "captures" / "boot.pcapng"
    path = tmp_path / "cut.pcapng"
    path.write_bytes(whole.read_bytes()[:2000])
    out, err, _ = tshark(path)
    assert "cut short" in err
    shown = out.splitlines()
    assert len(shown) > 5
    assert any("SET_ALL company 0x0499" in line for line in shown)


@needs_tshark
def test_each_packet_keeps_its_times_and_direction() -> None:
    path = TESTS / "captures" / "boot.pcapng"
    fields = ["frame.time_epoch", "frame.comment", "frame.p2p_dir", "frame.len"]
    out, _, _ = tshark(path, "-T", "fields", *(part for f in fields for part in ("-e", f)))
    rows = [line.split("\t") for line in out.splitlines()]
    records = list(open_source(str(path)))
    assert len(rows) == len(records)
    for (time, comment, direction, length), record in zip(rows, records, strict=True):
        seconds, nanoseconds = divmod(record.wall, 10**9)
        assert time == f"{seconds}.{nanoseconds:09d}"
        assert record.monotonic is not None
        assert comment == f"monotonic {record.monotonic / 1e9:.9f} s"
        assert direction == ("0" if record.sent else "1")
        assert int(length) == len(record.data)


@needs_tshark
def test_without_directions_it_tells_them_as_we_do(tmp_path: Path) -> None:
    led = LedCtrl(1500)
    sent: list[Message] = [GetAll(), GetDeviceId(), SetAll(), Ack(Command.SET_ALL, False)]
    sent += [led, led, led, Ack(Command.LED_CTRL, False), led]
    blocks = section("test")
    for number, message in enumerate(sent):
        block = packet(Record(True, number, None, message.to_frame()))
        flags = block.index(bytes.fromhex("0200040002000000"))
        blocks += block[: flags + 4] + bytes(4) + block[flags + 8 :]
    path = tmp_path / "bare.pcapng"
    path.write_bytes(blocks)
    ours = ["host_to_device" if r.sent else "device_to_host" for r in open_source(str(path))]
    assert ours.count("host_to_device") == 5
    for options in ([], ["-2"]):
        fields = dissected(path, *options)
        assert [layers["ca_uart.direction"] for layers in fields] == [[name] for name in ours]


@needs_tshark
@pytest.mark.parametrize("link_type", [147, 156, 158, 162])
def test_every_user_link_type_is_ours_unless_it_is_somebody_elses(
    tmp_path: Path, link_type: int
) -> None:
    path = tmp_path / "theirs.pcapng"
    raw = bytearray(section("test") + packet(Record(False, 0, 0, GetAll().to_frame())))
    where = raw.index((157).to_bytes(2, "little"))
    raw[where : where + 2] = link_type.to_bytes(2, "little")
    path.write_bytes(raw)
    assert "GET_ALL" in tshark(path)[0]
    only_ours = ("-o", "ca_uart.every_user_link_type:FALSE")
    assert "GET_ALL" not in tshark(path, *only_ours)[0]
    number = link_type - 147
    told = f'uat:user_dlts:"User {number} (DLT={link_type})","ca_uart","0","","0",""'
    assert "GET_ALL" in tshark(path, *only_ours, "-o", told)[0], "what is set up there counts again"
