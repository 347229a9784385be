"""The simulated board on a real pty: as a process that people start, and in the same process."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path

import pytest
import serial
from conftest import ManualClock

from firmware_protocol.coprocessor import Booted, Cause, CoprocessorEvent
from firmware_protocol.framing import FrameScanner
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
    messages,
)
from ruuvi_host.errors import ConfigError, PortError
from ruuvi_host.formats import df5
from ruuvi_host.simulator.board import Board
from ruuvi_host.simulator.kinds import KEY
from ruuvi_host.simulator.pty import LONGEST_STEP, PtyLine, PtyServer

PATIENCE = 30.0
"""Seconds after which a test gives up."""
GATEWAY = SetAll(max_adv_len=0)  # the form that every firmware knows


class Host:
    """A plain host: pyserial and our scanner."""

    def __init__(self, path: str) -> None:
        self.port = serial.Serial(path, 115200, timeout=0.01, exclusive=True)
        self.scanner: FrameScanner[Message] = FrameScanner(messages)
        self.messages: list[Message] = []

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, *_: object) -> None:
        self.port.close()

    def read(self) -> None:
        self.messages += self.scanner.feed(self.port.read(4096))

    def wait(self, enough: Callable[[list[Message]], bool]) -> list[Message]:
        """Read until there is enough; all that has come since the last time."""
        give_up = time.monotonic() + PATIENCE
        while not enough(self.messages):
            assert time.monotonic() < give_up, f"only {self.messages} came"
            self.read()
        found, self.messages = self.messages, []
        return found

    def wait_for(self, kind: type[Message], count: int = 1) -> list[Message]:
        return self.wait(lambda all_: sum(isinstance(m, kind) for m in all_) >= count)

    def ask(self, command: GetDeviceId | SetAll | LedCtrl, answer: type[Message]) -> Message:
        self.port.write(command.to_frame())
        return next(m for m in self.wait_for(answer) if isinstance(m, answer))


class Simulate:
    """A `ruuvi-host simulate` in a process of its own."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ruuvi_host", "simulate", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.path = self.process.stdout.readline().strip()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Exit code, the rest of stdout, and stderr."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


@contextmanager
def simulate(*options: str) -> Iterator[Simulate]:
    running = Simulate(*options)
    try:
        assert running.path.startswith("/dev/"), running.process.communicate()
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


def failed(*options: str) -> tuple[int, str]:
    """The exit code and stderr of a `simulate` that cannot start."""
    ran = subprocess.run(
        [sys.executable, "-m", "ruuvi_host", "simulate", *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.stdout == ""
    assert "Traceback" not in ran.stderr
    return ran.returncode, ran.stderr


# -- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("firmware", "report"), [("2.0.0", AdvRprt2), ("1.0.0", AdvRprt)])
def test_handshake_and_reports(firmware: str, report: type[AdvRprt] | type[AdvRprt2]) -> None:
    with simulate("--firmware", firmware, "--rate", "100", "--tags", "5") as running:
        with Host(running.path) as host:
            device = host.ask(GetDeviceId(), DeviceId)
            assert device == Board(tags=5).device
            assert host.ask(GATEWAY, Ack) == Ack(GATEWAY.command, False)
            heard = [m for m in host.wait_for(report, 50) if isinstance(m, report)]
            assert host.scanner.counters.bytes_skipped == 0
        for message in heard:
            reading = df5.decode_advert(message.data)
            assert reading is not None
            assert reading.mac == message.address.hex(":").upper()
        assert len({message.address for message in heard}) == 5
        code, out, err = running.stop()
    assert (code, out) == (0, "")
    booted, configured, stopped = err.splitlines()
    assert re.fullmatch(r" +0\.000 s  booted; waits for SET_ALL", booted)
    assert configured.endswith(
        "configured: PHY 1M 2M and channels 37 38 39, only company 0x0499, of any length"
    )
    assert re.match(r"stopped: \d+ reports sent, 0 lost", stopped)


def test_undecodable_commands_crash_it() -> None:
    with simulate("--tags", "0") as running:
        with Host(running.path) as host:
            host.port.write(b"\x55" * 70 + b"\n")
            host.wait_for(GetAll)
            assert host.ask(GATEWAY, Ack) == Ack(GATEWAY.command, False)
        _, _, err = running.stop()
    assert "crashed and booted" in err.splitlines()[1]


def test_firmware_1_echoes_led_ctrl() -> None:
    with simulate("--firmware", "1.0.0") as running, Host(running.path) as host:
        assert host.ask(LedCtrl(1500), LedCtrl) == LedCtrl(1500)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number: int, tmp_path: Path) -> None:
    link = tmp_path / "board"
    with simulate("--link", str(link)) as running, Host(str(link)) as host:
        host.ask(GATEWAY, Ack)
        code, out, err = running.stop(number)
        assert (code, out) == (0, "")
        assert err.splitlines()[-1].startswith("stopped: ")
        assert not os.path.lexists(link)


def test_hosts_come_and_go() -> None:
    with simulate("--rate", "200") as running:
        for _ in range(5):
            with Host(running.path) as host:
                host.ask(GATEWAY, Ack)
                host.wait_for(AdvRprt2, 3)
        code, _, err = running.stop()
    assert code == 0
    assert err.count("configured") == 5


def test_a_line_of_115200_baud_carries_no_more_than_it_can() -> None:
    with simulate("--rate", "2000", "--baud", "115200") as running, Host(running.path) as host:
        host.ask(GATEWAY, Ack)
        host.wait_for(AdvRprt2, 1)
        begin = time.monotonic()
        count = len(host.wait_for(AdvRprt2, 100))
        # Being slow is no failure; being faster than the line is. What was on its way, and the
        # share of a second that the clock is read too early or too late, come on top.
        assert count <= 226 * (time.monotonic() - begin) + 60
        _, _, err = running.stop()
    assert not re.search(r" 0 lost", err)


# -- the link -------------------------------------------------------------------------------------


def test_link_points_to_the_pty(tmp_path: Path) -> None:
    link = tmp_path / "board"
    with simulate("--link", str(link)) as running:
        assert os.readlink(link) == running.path
        assert os.listdir(tmp_path) == ["board"]


def test_link_replaces_a_symbolic_link_and_removes_only_its_own(tmp_path: Path) -> None:
    link = tmp_path / "board"
    link.symlink_to("/nowhere")
    with simulate("--link", str(link)) as first:
        assert os.readlink(link) == first.path
        with simulate("--link", str(link)) as second:
            assert os.readlink(link) == second.path
            assert first.stop()[0] == 0
            assert os.readlink(link) == second.path
            assert second.stop()[0] == 0
    assert not os.path.lexists(link)


@pytest.mark.parametrize("kind", ["file", "folder", "nowhere"])
def test_link_leaves_anything_else_alone(kind: str, tmp_path: Path) -> None:
    link = tmp_path / "board"
    if kind == "file":
        link.write_text("precious")
    elif kind == "folder":
        link.mkdir()
    else:
        link = tmp_path / "no" / "board"
    code, err = failed("--link", str(link))
    assert code == 2
    assert err.startswith("Error: --link: ")
    assert str(link) in err
    assert len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ([] if kind == "nowhere" else ["board"])


def test_the_key_of_encrypted_tags_is_told() -> None:
    with simulate("--tag", "5", "--tag", "FA") as running:
        _, _, err = running.stop()
    assert err.splitlines()[0] == f"encrypted tags: listen with --key {KEY.hex().upper()}"
    with simulate("--tag", "air") as running:
        _, _, err = running.stop()
    assert "encrypted" not in err


WITHOUT_THE_EXTRA = """
import sys
sys.modules["cryptography"] = None  # what an import finds where it is not installed
sys.argv = ["ruuvi-host", "simulate", "--tag", "8"]
from ruuvi_host.cli.main import main
main()
"""


def test_encrypted_tags_without_the_extra() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EXTRA], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "Error: encrypting needs the extra ruuvi-host[encrypted]\n"


# -- what cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--tags", "-1"], "'--tags'"),
        (["--tags", "10001"], "'--tags'"),
        (["--rate", "0"], "'--rate'"),
        (["--rate", "nan"], "'--rate'"),
        (["--rate", "inf"], "'--rate'"),
        (["--rate", "1000001"], "'--rate'"),
        (["--baud", "300"], "'--baud'"),
        (["--baud", "-1"], "'--baud'"),
        (["--firmware", "3.0.0"], "'--firmware'"),
        (["--transmit", "perfect"], "'--transmit'"),
        (["--tag", "9"], "--tag: '9' is none of 2, 3, 4, 5"),
        (["--link", ""], "--link"),
        (["surplus"], "surplus"),
    ],
    ids=str,
)
def test_bad_options_get_a_sentence(options: list[str], complaint: str) -> None:
    code, err = failed(*options)
    assert code == 2
    assert complaint in err.splitlines()[-1]


# -- in the same process --------------------------------------------------------------------------


def serve(server: PtyServer, exercise: Callable[[], Awaitable[None]]) -> None:
    """Run `exercise` while the board is served."""

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            with server:
                serving = group.create_task(server.run(), name="pty")
                async with asyncio.timeout(PATIENCE):
                    await exercise()
                serving.cancel()
                await asyncio.wait([serving])

    asyncio.run(both())


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.001)


def test_unplug_and_replug(tmp_path: Path) -> None:
    link = str(tmp_path / "board")
    events: list[str] = []
    server = PtyServer(
        Board(tags=3, rate=100),
        link=link,
        on_event=lambda event: events.append(type(event).__name__),
    )

    def until_unplugged(loop: asyncio.AbstractEventLoop) -> None:
        with Host(link) as host:
            host.ask(GATEWAY, Ack)
            host.wait_for(AdvRprt2)
            loop.call_soon_threadsafe(server.unplug)
            with pytest.raises(serial.SerialException):
                host.wait_for(GetDeviceId)  # never comes

    def again() -> None:
        with Host(link) as host:
            host.ask(GATEWAY, Ack)
            assert host.wait_for(AdvRprt2)

    async def exercise() -> None:
        await asyncio.to_thread(until_unplugged, asyncio.get_running_loop())
        assert server.path == ""
        assert os.listdir(tmp_path) == []
        server.replug()
        assert os.readlink(link) == server.path
        await asyncio.to_thread(again)

    serve(server, exercise)
    assert events == ["Booted", "Configured", "Booted", "Configured"]


def test_a_host_that_does_not_read_holds_up_nobody() -> None:
    server = PtyServer(Board(tags=10, rate=20_000, baud=0))

    async def exercise() -> None:
        slave = os.open(server.path, os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(slave, GATEWAY.to_frame())
            await asyncio.to_thread(wait_until, lambda: server.bytes_lost > 1_000_000)
            assert server.host_present
        finally:
            os.close(slave)

    serve(server, exercise)


def test_without_a_host_everything_is_lost() -> None:
    server = PtyServer(Board(tags=0))

    async def exercise() -> None:
        await asyncio.to_thread(wait_until, lambda: server.bytes_lost > 0)
        assert server.bytes_lost == len(GetAll().to_frame())
        assert not server.host_present

    serve(server, exercise)


def test_what_one_host_has_not_read_is_not_for_the_next() -> None:
    board = Board(tags=0, baud=0)
    server = PtyServer(board)

    async def exercise() -> None:
        slave = os.open(server.path, os.O_RDWR | os.O_NOCTTY)
        os.write(slave, GetDeviceId().to_frame())
        await asyncio.to_thread(wait_until, lambda: board.counters.replies_sent == 1)
        os.close(slave)
        await asyncio.to_thread(wait_until, lambda: not server.host_present)
        slave = os.open(server.path, os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(slave, LedCtrl(0).to_frame())
            answer = await asyncio.to_thread(os.read, slave, 4096)
        finally:
            os.close(slave)
        assert answer == Ack(LedCtrl(0).command, False).to_frame()

    serve(server, exercise)


def test_a_long_standstill_is_not_made_up_for() -> None:
    clock = ManualClock()
    events: list[CoprocessorEvent] = []
    server = PtyServer(Board(tags=0), clock=clock, on_event=events.append)

    def ask() -> None:
        with Host(server.path) as host:
            host.port.write(GetDeviceId().to_frame())
            while server.board.device not in host.messages:
                clock.advance(0.001)
                host.read()

    async def exercise() -> None:
        await asyncio.to_thread(ask)
        clock.advance(1000.0)  # the watchdog of a board that had lived through it would bite
        await asyncio.to_thread(ask)

    serve(server, exercise)
    assert events == [Booted(0.0, Cause.POWER_ON)]


class Silent:
    """Something on a line that never has anything to do."""

    deadline = inf
    now = 0.0

    def receive(self, data: bytes, now: float) -> None: ...

    def advance(self, now: float) -> bytes:
        self.now = now
        return b""

    def take_events(self) -> tuple[()]:
        return ()

    def restart(self, now: float) -> None: ...


def test_time_goes_on_while_there_is_nothing_to_do() -> None:
    """For longer than a standstill that is made up for: or no silent board met its watchdog."""

    async def main() -> None:
        silent = Silent()
        with PtyLine[CoprocessorEvent](silent) as line:
            slave = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
            serving = asyncio.create_task(line.run())
            await asyncio.to_thread(wait_until, lambda: silent.now > 3 * LONGEST_STEP)
            serving.cancel()
            await asyncio.wait([serving])
            os.close(slave)

    asyncio.run(main())


def test_the_pty_is_raw_from_the_start() -> None:
    server = PtyServer(Board(tags=0))

    def ask() -> None:
        expected = server.board.device.to_frame()
        slave = os.open(server.path, os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(slave, GetDeviceId().to_frame())
            received = b""  # GET_ALL comes first if we were quick
            while len(received) < len(expected) or not received.endswith(b"\n"):
                received += os.read(slave, 4096)
        finally:
            os.close(slave)
        assert received.removeprefix(GetAll().to_frame()) == expected

    async def exercise() -> None:
        await asyncio.to_thread(ask)

    serve(server, exercise)


def test_errors_of_the_library_name_the_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    server = PtyServer(Board(tags=0), link=str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="no symbolic link"):
        server.open()
    assert server.path == ""


def test_a_link_that_cannot_be_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="cannot make '': No such file"):
        PtyServer(Board(tags=0), link="").open()
    assert os.listdir() == []


def test_no_pty_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> tuple[int, int]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "openpty", refuse)
    with pytest.raises(PortError, match="No space left on device"):
        PtyServer(Board(tags=0)).open()
