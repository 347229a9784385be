"""`ruuvi-host decode` of captures: whole, growing, cut, damaged, or of another kind."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from captured import BOOT, told
from programs import COMMAND, ruuvi_host

from firmware_protocol.messages import DeviceId, GetAll, SetAll
from ruuvi_host.capture.pcapng import Record, packet, section

# -- decode


def test_decode_tells_a_capture_by_its_content(tmp_path: Path) -> None:
    with ruuvi_host("decode", "uart", str(BOOT)) as program:
        assert program.wait() == 0
    assert program.out[0] == "2027-01-15 08:00:00.000000  host         GET_DEVICE_ID   ca0018368e0a"
    assert program.out[1].startswith("2027-01-15 08:00:00.002000  coprocessor  GET_ALL")
    assert program.err[0] == "From the coprocessor:"
    assert "Records: " in program.err[-1]


def test_decode_takes_a_capture_that_is_still_growing() -> None:
    reader, writer = os.pipe()
    with subprocess.Popen(
        [COMMAND, "decode", "uart", "-"], stdin=reader, stdout=subprocess.PIPE, text=True
    ) as program:
        os.close(reader)
        os.write(writer, section("x") + packet(Record(False, 0, 0, GetAll().to_frame())))
        assert program.stdout
        assert "GET_ALL" in program.stdout.readline()
        os.close(writer)


@pytest.mark.parametrize("order", ["little", "big"])
def test_pcap_of_the_older_kind_is_not_taken_for_noise(order: str, tmp_path: Path) -> None:
    path = tmp_path / "old.pcap"
    path.write_bytes(0xA1B2C3D4.to_bytes(4, "little" if order == "little" else "big") + bytes(20))
    assert "editcap -F pcapng converts it" in told("decode", "uart", str(path))


def test_what_is_wrong_with_a_capture_is_told_when_nothing_is_left_of_it(tmp_path: Path) -> None:
    path, target = tmp_path / "damaged.pcapng", tmp_path / "out.pcapng"
    path.write_bytes(section("x")[:80] + b"?" * 80)
    said = told("capture", "--anonymize", str(path), str(target))
    assert "holds no frame" in said
    assert "; damaged at byte" in said
    assert not target.exists()


@pytest.mark.parametrize(("rest", "code"), [(b"?" * 80, 1), (b"", 0), (bytes(80), 0)])
def test_a_damaged_capture_was_not_read_to_its_end(rest: bytes, code: int, tmp_path: Path) -> None:
    path = tmp_path / "air.pcapng"
    path.write_bytes(section("x") + packet(Record(False, 0, 0, GetAll().to_frame())) + rest)
    ran = subprocess.run([COMMAND, "decode", "uart", str(path)], capture_output=True, text=True)
    assert ran.returncode == code
    assert "GET_ALL" in ran.stdout
    assert ("damaged at byte" in ran.stderr) == bool(code)


def test_other_link_types_are_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "other.pcapng"
    data = bytearray(section("x") + packet(Record(False, 0, 0, GetAll().to_frame())))
    at = data.index((157).to_bytes(2, "little") + bytes(6))
    data[at] = 1
    path.write_bytes(data)
    assert "1 packets of other link types left out" in told("decode", "uart", str(path), code=0)


def test_decode_gives_up_a_false_beginning_when_it_is_quiet(tmp_path: Path) -> None:
    path = tmp_path / "silence.pcapng"
    frame = GetAll().to_frame()
    times = [(10**18, b"\xca\xf0\x12" + frame), (10**18 + 10**9, frame)]
    path.write_bytes(
        section("x") + b"".join(packet(Record(False, at, at, data)) for at, data in times)
    )
    with ruuvi_host("decode", "uart", "--json", str(path)) as program:
        assert program.wait() == 0
    assert [json.loads(line)["time"] for line in program.out] == [1e9, 1e9 + 1]


def test_decode_shows_the_key_of_the_signature_on_request_only(tmp_path: Path) -> None:
    path = tmp_path / "device.pcapng"
    device = DeviceId(bytes.fromhex("0123456789ABCDEF"), bytes.fromhex("E1F2A3B4C5D6"))
    content = packet(Record(False, 0, None, device.to_frame()))
    for recorded in (section("x") + content, device.to_frame()):
        path.write_bytes(recorded)
        for options, shown in (([], False), (["--show-device-id"], True)):
            with ruuvi_host("decode", "uart", *options, str(path)) as program:
                assert program.wait() == 0
            said = "".join(program.out + program.err).lower()
            assert ("0123456789abcdef" in said, "e1:f2:a3:b4:c5:d6" in said) == (shown, True)


@pytest.mark.parametrize("wall", [1_700_000_000_002_000_000, 2**64 - 1])
def test_decode_takes_any_time(wall: int, tmp_path: Path) -> None:
    path = tmp_path / "time.pcapng"
    path.write_bytes(section("x") + packet(Record(False, wall, None, GetAll().to_frame())))
    with ruuvi_host("decode", "uart", "--json", str(path)) as program:
        assert program.wait() == 0
    assert json.loads(program.out[0])["time"] == wall / 10**9
    (at,) = [at for at in range(200) if path.read_bytes()[at:].startswith(b"\x09\0\x01\0\x09")]
    content = bytearray(path.read_bytes())
    content[at + 4] = 0  # seconds are its unit now: far beyond what calendars know
    path.write_bytes(content)
    with ruuvi_host("decode", "uart", str(path)) as program:
        assert program.wait() == 0
    assert program.out[0].startswith(f"{wall}.000000 s  coprocessor  GET_ALL")


# -- the page


def test_what_a_false_beginning_holds_back_keeps_its_time(tmp_path: Path) -> None:
    """Until the 249 bytes are there that it claims, or the end, the frame behind it waits."""
    path = tmp_path / "held-back.pcapng"
    step = 10**8
    boot = GetAll().to_frame()
    pieces = [
        *((1, b"\xca\xf9\x12"), (2, boot[:3]), (3, boot[3:]), (4, bytes(200)), (5, bytes(100))),
        (6, b"\xca\xf9\x12" + boot),
    ]
    records = [Record(False, at * step, at * step, data) for at, data in pieces]
    records.append(Record(True, 9 * step, 9 * step, SetAll().to_frame()))
    path.write_bytes(section("test") + b"".join(map(packet, records)))
    with ruuvi_host("decode", "uart", "--json", str(path)) as decoded:
        assert decoded.wait() == 0
    lines = [json.loads(line) for line in decoded.out]
    assert sorted((line["time"], line["monotonic"], line["command"]) for line in lines) == [
        *((0.3, 0.3, "GET_ALL"), (0.6, 0.6, "GET_ALL"), (0.9, 0.9, "SET_ALL"))
    ]
