"""The watch over the host: in a loop of its own, in a process that stands still, and in `run`."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic, monotonic_ns, sleep

import pytest
from lines import run, until
from programs import PATIENCE, ruuvi_host

from ruuvi_host.errors import HealthError
from ruuvi_host.monitoring.accounting import Account
from ruuvi_host.monitoring.health import HostFacts, Level, LinkFacts, TargetFacts
from ruuvi_host.monitoring.systemd import Notifier
from ruuvi_host.monitoring.watchdog import Watch

LOOK = 0.01


class Systemd:
    """Takes what a service tells."""

    def __init__(self, path: Path) -> None:
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(PATIENCE)
        self.address = str(path)

    def wait_for(self, text: str) -> str:
        """What began with `text`."""
        while not (found := [each for each in self.told if each.startswith(text)]):
            self.told.append(self._socket.recv(4096).decode())
        return found[-1]

    def all(self) -> list[str]:
        self._socket.setblocking(False)
        while True:
            try:
                self.told.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self.told

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listening = Systemd(tmp_path / "notify")
    yield listening
    listening.close()


class World:
    """Facts that can be changed, and a watch over them."""

    def __init__(self, address: str, **options: float) -> None:
        now = monotonic()
        self.link = LinkFacts("/dev/ttyACM0", True, True, now, now)
        self.target = TargetFacts("custom", batch_due=now + 1000, served=now, answered=now)
        self.others: list[TargetFacts] = []
        self.notifier = Notifier(address, 30.0)
        self.watch = Watch(self.facts, self.notifier, look=LOOK, **options)  # type: ignore[arg-type]

    def facts(self) -> HostFacts:
        return HostFacts([self.link], [self.target, *self.others])

    async def run_until(self, systemd: Systemd, text: str, times: int = 1) -> None:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.watch.run())
            await until(lambda: systemd.all().count(text) >= times)
            running.cancel()
        self.notifier.close()


def test_ready_alive_and_a_status(systemd: Systemd) -> None:
    world = World(systemd.address)
    run(world.run_until(systemd, "WATCHDOG=1"))
    assert systemd.told[:3] == [
        "STATUS=reports flow; custom: batches are accepted",
        "READY=1",
        "WATCHDOG=1",
    ]


def test_what_is_known_is_told_and_is_alive(systemd: Systemd) -> None:
    world = World(systemd.address)
    world.target = replace(world.target, failing="Connection refused")
    run(world.run_until(systemd, "WATCHDOG=1"))
    assert world.watch.health
    assert world.watch.health.level is Level.DEGRADED
    assert "READY=1" not in systemd.told  # not yet: it may still come up


def test_a_fault_ends_it_and_is_not_alive(systemd: Systemd) -> None:
    world = World(systemd.address)
    world.link = replace(world.link, answers=False, answered=monotonic() - 1000)

    async def main() -> None:
        with pytest.raises(HealthError, match="no answer from the coprocessor for 17 min"):
            await world.watch.run()
        world.notifier.close()

    run(main())
    assert systemd.all() == ["STATUS=/dev/ttyACM0: no answer from the coprocessor for 17 min"]


def test_the_network_watchdog_says_it_once(
    systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(systemd.address, network_watchdog=3600)
    run(world.run_until(systemd, "WATCHDOG=1", 3))
    assert caplog.records == []
    world = World(systemd.address, network_watchdog=3600)
    world.target = replace(world.target, answered=monotonic() - 7200)
    run(world.run_until(systemd, "WATCHDOG=1", 6))
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == (
        "custom: no answer to a batch for 2.0 h: is the network there, and the address right?"
    )


def test_a_target_that_is_served_does_not_hide_a_dead_server(
    systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a file, nor another server. But only if no server answers is a restart any use."""
    world = World(systemd.address, network_watchdog=3600, exit_by_watchdog=True)
    file = replace(world.target, name="file", network=False)
    world.others = [file, replace(world.target, name="other", answered=monotonic() - 7200)]
    run(world.run_until(systemd, "WATCHDOG=1", 6))
    (record,) = caplog.records
    assert record.getMessage().startswith("other: no answer to a batch for 2.0 h: ")
    world = World(systemd.address, network_watchdog=3600, exit_by_watchdog=True)
    world.others = [file]
    world.target = replace(world.target, answered=monotonic() - 7200)

    async def main() -> None:
        with pytest.raises(HealthError, match="Network watchdog: custom: no answer"):
            await world.watch.run()
        world.notifier.close()

    run(main())


def test_the_network_watchdog_may_end_it(systemd: Systemd) -> None:
    world = World(systemd.address, network_watchdog=3600, exit_by_watchdog=True)
    world.target = replace(world.target, answered=monotonic() - 7200)

    async def main() -> None:
        with pytest.raises(
            HealthError, match=r"^Network watchdog: custom: no answer to a batch for"
        ):
            await world.watch.run()
        world.notifier.close()

    run(main())


def test_in_debug_mode_a_accounting_that_does_not_add_up_ends_it(systemd: Systemd) -> None:
    world = World(systemd.address)
    looks: list[int] = []

    def audit() -> list[Account]:
        """On its way from one counter to the next at first, then really missing."""
        looks.append(len(looks))
        return [Account("reports", 10, {"changed": 9 if len(looks) in (2, 4, 5) else 10})]

    watch = Watch(world.facts, world.notifier, audit=audit, look=LOOK)

    async def main() -> None:
        with pytest.raises(AssertionError, match=r"^reports 10 = changed 9, UNACCOUNTED 1$"):
            await watch.run()
        world.notifier.close()

    run(main())
    assert len(looks) == 5


# -- an event loop that stands still --------------------------------------------------------------

STANDING = """
import asyncio, sys, time
from pathlib import Path
from ruuvi_host import logs
from ruuvi_host.monitoring.watchdog import Standstill

def hold_up():
    print("held up", flush=True)
    sys.stdin.read()

async def main():
    standstill.alive()
    if sys.argv[2] == "hold up":
        hold_up()
    for _ in range(int(sys.argv[3])):
        standstill.alive()
        print("alive", flush=True)
        await asyncio.sleep(0.01)

logs.configure()
with Standstill(float(sys.argv[1]), Path(sys.argv[4]).write_text) as standstill:
    asyncio.run(main())
"""


def standing(tmp_path: Path, limit: float, how: str, batches: int = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", STANDING, str(limit), how, str(batches), str(tmp_path / "last")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_an_event_loop_that_stands_still_ends_the_process(tmp_path: Path) -> None:
    with standing(tmp_path, 1.0, "hold up") as process:
        assert process.wait(PATIENCE) == HealthError.exit_code
        assert process.stderr
        said = process.stderr.read().decode()
    assert "CRITICAL: the event loop has stood still for 1 s; the process ends:" in said
    assert "in hold_up" in said
    last = (tmp_path / "last").read_text()
    assert last.startswith("the event loop has stood still for 1 s\n")
    assert "in hold_up" in last


def test_one_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    with standing(tmp_path, PATIENCE, "go on", batches=20) as process:
        assert process.wait(PATIENCE) == 0
    assert not (tmp_path / "last").exists()


def test_a_process_that_was_stopped_is_forgiven(tmp_path: Path) -> None:
    """Ctrl-Z and fg, for longer than the limit."""
    limit = 2.0
    with standing(tmp_path, limit, "go on", batches=100_000) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        sleep(1.5 * limit)  # not to wait for anything: this is the fault
        process.send_signal(signal.SIGCONT)
        for _ in range(500):  # more than a pipe holds: it goes on
            assert process.stdout.readline() == b"alive\n"
        process.kill()
    assert not (tmp_path / "last").exists()


# -- the real command -----------------------------------------------------------------------------


def test_run_under_systemd(tmp_path: Path, systemd: Systemd) -> None:
    environment = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "1000000"}
    with ruuvi_host("receive", "--port", "0", "--json", "--simulated", "1") as server:
        url = server.wait_for(r'"listening": "(.*?)"')[1]
        options = ["--simulate", "--url", url, "--state-dir", str(tmp_path / "state")]
        with ruuvi_host("run", *options, env=environment) as host:
            systemd.wait_for("READY=1")
            systemd.wait_for("WATCHDOG=1")
            systemd.wait_for("STATUS=reports flow; custom: ")
            os.kill(host.pid, signal.SIGHUP)
            reloading = systemd.wait_for("RELOADING=1")
            assert int(reloading.partition("MONOTONIC_USEC=")[2]) <= monotonic_ns() // 1000
            systemd.told.clear()
            systemd.wait_for("READY=1")
            assert host.stop() == 0
            systemd.wait_for("STOPPING=1")


def test_a_reload_that_fails_is_told_until_one_does_not(tmp_path: Path, systemd: Systemd) -> None:
    path, state = tmp_path / "ruuvi-host.toml", str(tmp_path / "state")
    good = '[gateway]\nuse_http = true\nhttp_url = "http://127.0.0.1:9/"\n'
    path.write_text(good)
    options = ["--simulate", "--config", str(path), "--state-dir", state]
    with ruuvi_host("run", *options, env={"NOTIFY_SOCKET": systemd.address}) as host:
        host.wait_for("not delivered")
        path.write_text(f"{good}http_perod = 5\n")
        os.kill(host.pid, signal.SIGHUP)
        failure = f"configuration: not read again, {path}: http_perod: unknown key; is http_period"
        while failure not in systemd.wait_for("STATUS="):
            systemd.told.clear()
        with ruuvi_host("status", "--state-dir", state) as asked:
            assert asked.wait() == 0
            assert failure in asked.wait_for("^health: degraded: .*")[0]
        path.write_text(good)
        os.kill(host.pid, signal.SIGHUP)
        while "not read again" in systemd.wait_for("STATUS="):
            systemd.told.clear()
        assert host.stop() == 0
