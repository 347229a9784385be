"""What systemd is told, over a real socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ruuvi_host.monitoring.systemd import Notifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(20)
        yield listening


def told(systemd: socket.socket) -> str:
    return systemd.recv(4096).decode()


def test_all_that_can_be_told(systemd: socket.socket) -> None:
    notifier = Notifier(systemd.getsockname(), interval=30.0)
    notifier.ready()
    assert told(systemd) == "READY=1"
    notifier.alive()
    assert told(systemd) == "WATCHDOG=1"
    notifier.status("reports flow")
    notifier.status("reports flow")
    notifier.status("two\nlines")
    assert told(systemd) == "STATUS=reports flow"
    assert told(systemd) == "STATUS=two lines"
    notifier.reloading()
    first, second = told(systemd).split("\n")
    assert first == "RELOADING=1"
    assert second.startswith("MONOTONIC_USEC=")
    assert second.removeprefix("MONOTONIC_USEC=").isdecimal()
    notifier.stopping()
    assert told(systemd) == "STOPPING=1"
    notifier.close()


def test_an_abstract_socket() -> None:
    name = f"ruuvi-host-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(20)
        notifier = Notifier(f"@{name}")
        notifier.alive()  # nobody asked for it
        notifier.ready()
        assert told(listening) == "READY=1"
        notifier.close()


def test_nobody_listens(tmp_path: Path) -> None:
    for address in ("", str(tmp_path / "nothing"), "x" * 200):
        notifier = Notifier(address, 1.0)
        notifier.ready()
        notifier.alive()
        notifier.close()


def test_a_listener_that_does_not_read_holds_nobody_up(systemd: socket.socket) -> None:
    notifier = Notifier(systemd.getsockname(), 1.0)
    for _ in range(10_000):
        notifier.alive()
    notifier.close()


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_environment(environment: dict[str, str], interval: float | None) -> None:
    given = {"NOTIFY_SOCKET": "/run/x", "HOME": "/root"} | environment
    assert Notifier.from_environment(given).interval == interval
    assert given == {"HOME": "/root"}
