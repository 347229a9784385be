"""A whole `ruuvi-host run` of a build: what it takes, as the kernel counts, and what it loses."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from time import clock_gettime, monotonic, monotonic_ns, sleep
from typing import Any, NamedTuple

from figures.figure import Unavailable
from figures.process import Child, path_of, resident_mib
from figures.sender import TIMESTAMP

SETTLE = 3.0
"""Seconds from the configuration of the coprocessor until it is measured: the start is over."""
TOOLS = os.pathsep.join((str(Path(__file__).parents[2]), str(Path(__file__).parents[1])))
"""Where the modules of this build are, and these tools."""
QUIET = 1.0
"""Seconds after the last write in which a report may still arrive."""


@dataclass(slots=True)
class Taken:
    """By a process so far, all its threads together."""

    cpu: float
    """Seconds."""
    wakes: int
    """Voluntary context switches: it has waited for something, and it came."""
    at: float = field(default_factory=monotonic)

    @classmethod
    def by(cls, pid: int) -> "Taken":
        # The clock of a process, as clock_getcpuclockid makes it: with threads that have ended.
        return cls(clock_gettime(~pid << 3 | 2), sum(map(waits, tasks(pid))))

    def since(self, before: "Taken") -> tuple[float, float]:
        """Per cent of a core, wake-ups a second."""
        seconds = self.at - before.at
        return 100 * (self.cpu - before.cpu) / seconds, (self.wakes - before.wakes) / seconds


def tasks(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def waits(task: Path) -> int:
    """Voluntary context switches of a thread."""
    try:
        status = (task / "status").read_text("ascii")
    except OSError:
        return 0  # it has ended meanwhile
    return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])


FED = ("CPU %", "wake-ups/s", "lost bytes", "lost reports", "p99 lag ms", "RSS MiB")
"""What people call the figures of Fed, in order."""


class Fed(NamedTuple):
    """What a round with a feeder has shown."""

    cpu: float
    """Per cent of a core."""
    wakes: float
    """A second."""
    lost_bytes: int
    lost_reports: int
    lag: float
    """Milliseconds from the write of the newest report of a batch until the batch is at the server;
    p99 of the batches."""
    memory: float
    """MiB of RSS."""


def fed(root: Path, *, rate: int, seconds: float) -> Fed:
    """A host of the build at `root`, `rate` reports a second, a batch each second."""
    feeder = str(Path(__file__).with_name("feeder.py"))
    with (
        _Server() as server,
        Child(sys.executable, feeder, str(rate), stdin=True, path=TOOLS) as board,
        _host(root, board.read_line(), server.url, interval=1) as (host, state),
    ):
        board.read_line()  # it was configured
        sleep(SETTLE)
        server.lags.clear()
        before = Taken.by(host.pid)
        sleep(seconds)
        cpu, wakes = Taken.by(host.pid).since(before)
        lags, memory = sorted(server.lags), resident_mib(host.pid)
        board.end_input()
        sent = json.loads(board.read_line())
        sleep(QUIET)
        counted = _counters(root, state)
    if not lags:
        raise Unavailable("no batch came")
    lost = sent["bytes"] - counted["bytes_received"], sent["reports"] - counted["report_frames"]
    return Fed(cpu, wakes, *lost, lags[int(0.99 * len(lags))], memory)


def quiet(root: Path, *, tags: int, seconds: float, interval: int) -> tuple[float, float]:
    """Wake-ups a second and MiB of RSS of a host of the build at `root`, with so many tags as
    `ruuvi-host simulate` of this build has them, and a batch each `interval` seconds."""
    with board_and_host(root, tags, interval) as host:
        before = Taken.by(host.pid)
        sleep(seconds)
        return Taken.by(host.pid).since(before)[1], resident_mib(host.pid)


@contextmanager
def board_and_host(root: Path, tags: int, interval: int) -> Iterator[Child]:
    """As `quiet` measures them; the start of the host is over."""
    simulate = (sys.executable, "-m", "ruuvi_host", "simulate", "--tags", str(tags))
    with (
        _Server() as server,
        Child(*simulate, path=TOOLS) as board,
        _host(root, board.read_line(), server.url, interval) as (host, _),
    ):
        sleep(2 * SETTLE)
        yield host


@contextmanager
def _host(root: Path, port: str, url: str, interval: int) -> Iterator[tuple[Child, str]]:
    with TemporaryDirectory() as folder:
        options = ("--url", url, "--interval", str(interval), "--trust-clock")
        command = (sys.executable, "-m", "ruuvi_host", "run", "--port", port, *options)
        with Child(*command, "--state-dir", folder, path=str(root), folder=str(root)) as host:
            yield host, folder


def _counters(root: Path, state: str) -> dict[str, int]:
    """What the host has counted at its port."""
    command = (sys.executable, "-m", "ruuvi_host", "status", "--state-dir", state, "--json")
    ran = subprocess.run(
        command, check=True, capture_output=True, cwd=root, env=os.environ | path_of(str(root))
    )
    counters: dict[str, int] = json.loads(ran.stdout)["coprocessors"][0]["counters"]
    return counters


class _Server(ThreadingHTTPServer):
    """Accepts each batch, and notes how old the newest report in it is."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lags: list[float] = []
        """Milliseconds."""
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        Thread(target=self.serve_forever, daemon=True).start()

    def server_close(self) -> None:
        self.shutdown()
        super().server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        now = monotonic_ns()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        tags: dict[str, Any] = json.loads(body)["data"]["tags"]
        data = [bytes.fromhex(tag["data"])[TIMESTAMP] for tag in tags.values()]
        if data and isinstance(self.server, _Server):
            self.server.lags.append((now - max(map(int.from_bytes, data))) / 1e6)

    def log_message(self, format: str, *args: object) -> None:
        pass
