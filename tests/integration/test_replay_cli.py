"""`ruuvi-host replay` as people use it: what its host is sent, and when."""

import fcntl
import os
import re
import signal
import sys
import termios
import time
from pathlib import Path

from captured import BOOT, CAPTURES, read
from programs import replayed, ruuvi_host

from firmware_protocol.messages import AdvRprt2, DeviceId, SetAll
from ruuvi_host.capture.pcapng import Record, packet, section


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
