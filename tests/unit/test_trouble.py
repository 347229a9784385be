"""Why a port cannot be opened, in words."""

import errno
import grp
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial
from programs import PATIENCE, Program

from ruuvi_host.device.trouble import describe, permission_advice, who_else_has, why_not_opened


def some_ports() -> list[str]:
    return ["/dev/ttyACM0", "/dev/ttyUSB1"]


def no_ports() -> list[str]:
    return []


def refused(number: int) -> OSError:
    return serial.SerialException(number, f"could not open port /dev/x: [Errno {number}]")


def test_the_ports_that_there_are_instead() -> None:
    missing = refused(errno.ENOENT)
    assert why_not_opened("/dev/x", missing, some_ports) == (
        "there is no such port. Ports here: /dev/ttyACM0, /dev/ttyUSB1"
    )
    assert why_not_opened("/dev/x", missing, no_ports) == (
        "there is no such port. This machine has no serial port"
    )


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_no_permission_is_advised_about(tmp_path: Path, number: int) -> None:
    path = tmp_path / "tty"
    path.touch()
    advice = why_not_opened(str(path), refused(number), no_ports)
    assert advice.startswith("no permission to open it. ")


def device(mode: int, uid: int, gid: int) -> os.stat_result:
    return os.stat_result((stat.S_IFCHR | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


ME, SOMEBODY = 54321, 12345
A_GROUP = next(g for g in grp.getgrall() if g.gr_gid != 0)


@pytest.mark.parametrize(
    ("status", "groups", "words"),
    [
        (device(0o660, 0, A_GROUP.gr_gid), {ME}, f"sudo usermod -aG {A_GROUP.gr_name} $USER"),
        (device(0o660, 0, 54322), {ME}, "sudo usermod -aG 54322 $USER"),
        (device(0o660, 0, 0), {ME}, "It belongs to root: give it a group with a udev rule"),
        (device(0o600, 0, A_GROUP.gr_gid), {ME}, "Its mode is crw-------, so that its group may"),
        (device(0o640, 0, A_GROUP.gr_gid), {A_GROUP.gr_gid}, "Its mode is crw-r-----"),
        (device(0o460, ME, SOMEBODY), {SOMEBODY}, "so that its owner may not use it"),
        (device(0o660, 0, A_GROUP.gr_gid), {A_GROUP.gr_gid}, "Its mode would allow it"),
        (device(0o600, ME, 0), {ME}, "Its mode would allow it"),
    ],
)
def test_the_advice_looks_at_the_mode(status: os.stat_result, groups: set[int], words: str) -> None:
    assert words in permission_advice("/dev/x", status, ME, groups)


def test_root_is_stopped_by_something_else() -> None:
    assert "container" in permission_advice("/dev/x", device(0o000, ME, ME), 0, {0})


def test_no_permission_even_to_look() -> None:
    assert why_not_opened("/nowhere/tty", refused(errno.EACCES), no_ports) == (
        "no permission to open it. Ask the owner of the device"
    )


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EAGAIN])
def test_in_use_by_somebody_who_cannot_be_seen(number: int) -> None:
    assert why_not_opened("/nowhere/tty", refused(number), no_ports).startswith(
        "in use by another process"
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer"),
        (OSError(errno.EIO, "whatever"), "Input/output error"),
        (OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"), "Connection refused"),
        (OSError("Multiple exceptions: [Errno 111] a, [Errno 111] b"), "Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (serial.SerialException("read failed: [Errno 5] x"), "Input/output error"),
        (serial.SerialException("Remote does not [a:False]"), "Remote does not"),
        (serial.SerialException("No change (RFC2217): dict_values([a])"), "No change (RFC2217)"),
        (ValueError("embedded null byte"), "embedded null byte"),
    ],
)
def test_what_libraries_say_becomes_half_a_sentence(error: Exception, words: str) -> None:
    assert describe(error) == words


HOLD = (
    "import sys, signal; open('/proc/self/comm', 'w').write(sys.argv[1]); "
    "f = open(sys.argv[2]); print('held', flush=True); signal.pause()"
)


@pytest.mark.parametrize(
    ("name", "why", "remedy"),
    [
        ("ModemManager", "which takes it for a modem", 'ENV{ID_MM_DEVICE_IGNORE}="1"'),
        ("brltty", "which takes it for a Braille display", "apt remove brltty"),
        ("gpsd", "which takes it for a GPS receiver", "USBAUTO"),
        ("agetty", "which offers a login on it", "serial-getty@"),
    ],
)
def test_programs_that_open_ports_unasked(tmp_path: Path, name: str, why: str, remedy: str) -> None:
    port = tmp_path / "tty"
    port.touch()
    with Program(sys.executable, "-c", HOLD, name, str(port)) as holder:
        holder.wait_for("held")
        sentence = why_not_opened(str(port), refused(errno.EBUSY), no_ports)
        assert f"in use by {name} (process {holder.pid}), {why}" in sentence
        assert remedy in sentence
        assert who_else_has(str(port)) == f"{name} (process {holder.pid})"
        assert who_else_has(str(port), but=holder.pid) == ""
    with open(port):
        assert who_else_has(str(port)) == ""


ANOTHER_OF_THAT_NAME = """
import os, signal, sys
ends = [os.openpty()]
while os.path.basename(os.ttyname(ends[-1][1])) != sys.argv[1]: ends.append(os.openpty())
print("held", flush=True)
signal.pause()
"""
OF_ITS_OWN = "mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts && exec "


def test_a_port_of_a_container_is_another_one(tmp_path: Path) -> None:
    """Its pseudo-terminals are its own, and have the names of ours."""
    unshared = ("unshare", "--mount", "sh", "-c")
    if not shutil.which("unshare") or subprocess.run([*unshared, OF_ITS_OWN + "true"]).returncode:
        pytest.skip("needs unshare, and the right to mount in a namespace of one's own")
    master, slave = os.openpty()
    try:
        port = os.ttyname(slave)
        script = f'{OF_ITS_OWN} "$0" -c "$1" "$2"'
        (link := tmp_path / "port").symlink_to(port)
        other_one = (sys.executable, ANOTHER_OF_THAT_NAME, Path(port).name)
        with Program(*unshared, script, *other_one) as other:
            other.wait_for("held")
            assert who_else_has(port) == ""
            with Program(sys.executable, "-c", HOLD, "minicom", str(link)) as holder:
                holder.wait_for("held")
                assert who_else_has(str(link)) == f"minicom (process {holder.pid})"
    finally:
        os.close(master)
        os.close(slave)


def test_a_port_that_brltty_has_taken_away(tmp_path: Path) -> None:
    """It leaves no port behind; only the program is there."""
    (tmp_path / "other").touch()
    gone = refused(errno.ENOENT)
    with Program(sys.executable, "-c", HOLD, "brltty", str(tmp_path / "other")) as holder:
        holder.wait_for("held")
        sentence = why_not_opened("/dev/ttyUSB7", gone, no_ports)
        assert "there is no such port" in sentence
        assert "brltty runs here, and perhaps takes it for a Braille display" in sentence
        assert "brltty" not in why_not_opened("/dev/ttyACM7", gone, no_ports)
    # That of a test beside this one may still run: all of the machine are looked at.
    give_up = time.monotonic() + PATIENCE
    while "brltty" in why_not_opened("/dev/ttyUSB7", gone, no_ports):
        assert time.monotonic() < give_up
        time.sleep(0.05)
