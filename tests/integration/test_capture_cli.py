"""`ruuvi-host capture`, `run --capture` and `replay` as people use them, and misuse them."""

import fcntl
import json
import os
import re
import resource
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from stat import S_IMODE

import pytest
from programs import COMMAND, Program, replayed, ruuvi_host, simulated

from firmware_protocol.messages import AdvRprt2, DeviceId, GetAll, SetAll
from ruuvi_host.capture.pcapng import Reader, Record, packet, section

CAPTURES = Path(__file__).parent.parent / "captures"
BOOT = CAPTURES / "boot.pcapng"


def read(path: Path) -> tuple[list[Record], Reader]:
    reader = Reader([path.read_bytes()])
    return list(reader), reader


def told(*arguments: str, code: int = 2) -> str:
    """What the command says on stderr; it must end by itself, with this exit code."""
    ran = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=60)
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stderr


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


# -- replay


def test_replay_ends_with_its_host_told_what_it_sent(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    with replayed(BOOT, "--speed", "100", link=link) as player:
        player.wait_for("^/dev/")
        with ruuvi_host("listen", "--port", str(link), "--json") as host:
            assert player.wait() == 0
            host.wait_for("lost")
            assert host.stop() == 0
    assert not link.is_symlink()
    assert "host: GET_DEVICE_ID" in player.err
    # It was rebooted in between; on a busy machine a host asks again.
    assert sum("host: SET_ALL" in line for line in player.err) >= 2
    told = re.match(
        r"played 1278 of 1278 bytes; the host sent (\d+) bytes, (\d+) frames", player.err[-1]
    )
    assert told
    assert int(told[2]) == sum(line.startswith("host: ") for line in player.err) >= 3
    assert int(told[1]) >= 32


def test_replay_does_not_tell_the_key_that_comes_back() -> None:
    """A terminal that echoes sends the coprocessor's answers back."""
    device = DeviceId(bytes(range(8)), bytes(range(0xC0, 0xC6)))
    with replayed(BOOT) as player:
        port = os.open(player.port, os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(port, device.to_frame())
            player.wait_for("^host: DEVICE_ID")
        finally:
            os.close(port)
        assert player.stop(signal.SIGINT) == 0
    assert "host: DEVICE_ID id=(not shown) addr=C0:C1:C2:C3:C4:C5" in player.err


def test_replay_without_a_host_waits_until_it_is_stopped() -> None:
    with replayed(BOOT) as player:
        player.wait_for("^/dev/")
        assert player.stop(signal.SIGINT) == 0
    assert player.err[-1].startswith("played 0 of 1278 bytes; the host sent 0 bytes")


def unread(port: int) -> int:
    return int.from_bytes(fcntl.ioctl(port, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_replay_loses_nothing_to_a_slow_reader(tmp_path: Path) -> None:
    """More than a pseudo-terminal has room for, and a host that looks at it only now and then."""
    path = tmp_path / "long.pcapng"
    report = AdvRprt2(bytes(6), bytes(31), -60, 1, 15, 37, False, -64).to_frame()
    path.write_bytes(section("x") + packet(Record(False, 0, 0, report)) * 4000)
    with replayed(path, "--speed", "max") as player:
        port = os.open(player.port, os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(port, SetAll().to_frame())
            before, waiting = -1, 0
            while not waiting or waiting != before:  # until nothing more fits
                time.sleep(0.2)
                before, waiting = waiting, unread(port)
            raw = 0
            while raw < 4000 * len(report):
                raw += len(os.read(port, 65536))
            player.wait_for("^played")
        finally:
            os.close(port)
        assert player.wait() == 0
    assert player.err[-1].endswith("0 bytes not read by it")


def test_replay_goes_on_when_the_host_comes_back() -> None:
    with replayed(CAPTURES / "begun-late.pcapng", "--speed", "0.5") as player:
        port = player.port
        with ruuvi_host("listen", "--port", port, "--json") as host:
            host.wait_for("^{", 3)
            host.stop()
        with ruuvi_host("listen", "--port", port, "--json") as again:
            assert player.wait() == 0
            again.stop()
    assert again.out
    # What is on its way when a host goes is lost: the more, the longer it takes to end.
    assert 4 <= len(host.out) + len(again.out) <= 15
    assert player.err.count("answered SET_ALL: there is no answer in the capture") >= 2


def test_a_bare_recording_is_played_at_the_speed_of_the_line(tmp_path: Path) -> None:
    recording = tmp_path / "recording"
    reports = b"".join(r.data for r in read(CAPTURES / "begun-late.pcapng")[0])
    recording.write_bytes(reports)
    with replayed(recording) as player:
        port = player.port
        with ruuvi_host("listen", "--port", port, "--json") as host:
            assert player.wait() == 0
            host.wait_for("^{", 15)
            host.stop()
    assert any("a recording without times" in line for line in player.err)


def test_a_cut_capture_is_played_and_that_is_told() -> None:
    with replayed(CAPTURES / "crash.pcapng") as player:
        player.wait_for("cut off: the last block is incomplete")
        player.wait_for("^/dev/")
        assert player.stop() == 0


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
