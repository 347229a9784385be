"""Why a port cannot be opened, in words."""

import errno
import grp
import os
import socket
from pathlib import Path

import pytest
import serial

from ruuvi_host.device.trouble import describe, why_not_opened


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
def test_no_permission_names_the_group_to_join(tmp_path: Path, number: int) -> None:
    path = tmp_path / "tty"
    path.touch()
    group = grp.getgrgid(path.stat().st_gid).gr_name
    advice = why_not_opened(str(path), refused(number), no_ports)
    assert advice.startswith("no permission to open it. ")
    if group == "root":
        assert "udev rule" in advice
        dialout = next(g for g in grp.getgrall() if g.gr_gid != 0)
        os.chown(path, -1, dialout.gr_gid)
        group = dialout.gr_name
        advice = why_not_opened(str(path), refused(number), no_ports)
    assert f"sudo usermod -aG {group} $USER" in advice


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
