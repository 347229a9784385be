"""What the local API takes: memory and CPU beside a host without it, and the time of an answer."""

import asyncio
import os
import socket
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any

from starlette.requests import Request

from figures.figure import Round, Unavailable, cpu_seconds
from figures.process import SETTLE, Child, console_script, resident_mib
from figures.streams import reports
from firmware_protocol.messages import DeviceId
from ruuvi_host.api.history import get_history
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.load import load
from ruuvi_host.config.sources import Inputs
from ruuvi_host.intake.intake import Intake
from ruuvi_host.intake.table import AdvertisementTable

SENSORS = 100
POLL = 5.0
"""Seconds between two questions of Home Assistant."""
WATCH = 30.0
KEY = "a key for reading"
CALLS = 20
_TICKS = os.sysconf("SC_CLK_TCK")


def answer() -> Round:
    """Time in ms of an answer of `/history` with 100 sensors, decoded."""
    clock = SystemClock()
    table = AdvertisementTable()
    utc = int(clock.wall())
    for number in range(0, SENSORS, SENSORS // 4):
        heard = reports(SENSORS, tags=SENSORS)[number : number + SENSORS // 4]
        Intake(table).receive(heard, clock.monotonic(), utc)
    door: Any = SimpleNamespace(
        clock=clock,
        clock_is_right=True,
        loaded=load(Inputs()),
        newest_first=table.newest_first,
        identity=lambda: SimpleNamespace(device=DeviceId(bytes(8), bytes(6))),
    )
    request = Request({"type": "http", "query_string": b"time=3600"})

    async def ask() -> None:
        response = await get_history(request, door)
        assert len(response.body) > 500 * SENSORS

    return lambda: (cpu_seconds(lambda: asyncio.run(ask()), CALLS) * 1000,)


def beside() -> Round:
    """Three hosts with ten tags each: without the API, with it, and with it and somebody who polls
    `/history` each five seconds. What the second and the third take more than the first: MiB,
    % of a core; and the memory of the first."""
    script = console_script()

    def once() -> tuple[float, ...]:
        with TemporaryDirectory(dir="/var/tmp") as folder, ExitStack() as stack:
            receiver = stack.enter_context(Child(script, "receive", "--port", "0"))
            url = receiver.read_line().split()[-1]
            hosts = []
            for name in ("off", "on", "polled"):
                board = stack.enter_context(Child(script, "simulate"))
                port = board.read_line().split()[-1]
                command = [*("run", "--port", port, "--trust-clock", "--url", url)]
                command += ["--state-dir", f"{folder}/{name}"]
                if name != "off":
                    command += ["--set", f"api.listen=unix:{folder}/{name}.sock"]
                    command += ["--set", f"lan_auth_api_key={KEY}"]
                hosts.append(stack.enter_context(Child(script, *command)))
                receiver.read_line()  # its first batch was accepted
            sleep(SETTLE)
            before = [cpu_used(host.pid) for host in hosts]
            poll(f"{folder}/polled.sock")
            cpu = [
                (cpu_used(host.pid) - then) / WATCH * 100
                for host, then in zip(hosts, before, strict=True)
            ]
            memory = [resident_mib(host.pid) for host in hosts]
        off, on, polled = memory
        return on - off, polled - off, cpu[1] - cpu[0], cpu[2] - cpu[0], off

    return once


class _Unix(HTTPConnection):
    """A connection that is kept, as Home Assistant keeps its own."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def poll(path: str) -> None:
    """Ask for WATCH seconds, as Home Assistant does."""
    end = monotonic() + WATCH
    connection = _Unix(path)
    while (left := end - monotonic()) > 0:
        connection.request("GET", "/history", headers={"Authorization": f"Bearer {KEY}"})
        answer = connection.getresponse()
        if answer.status != 200 or b"temperature" not in answer.read():
            raise Unavailable(f"/history answers {answer.status}")
        sleep(min(POLL, left))
    connection.close()


def cpu_used(pid: int) -> float:
    """Seconds of CPU that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
