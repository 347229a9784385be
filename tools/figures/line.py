"""Reports through a real pty into the real Supervisor, Link and Intake of this process."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from select import select
from time import monotonic_ns, process_time, time

from figures.figure import Round, Unavailable, set_aside_garbage
from figures.sender import TIMESTAMP
from firmware_protocol.events import Event, Ready, Received
from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import AdvRprt2, Message, SetAll, messages
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.device.supervisor import Supervisor
from ruuvi_host.intake.intake import Intake
from ruuvi_host.intake.table import AdvertisementTable

SECONDS, SECONDS_BARE = 3, 1
QUIET = 0.5
"""Seconds after the last write in which a report may still arrive."""
PATIENCE = 20
"""Seconds beyond SECONDS to wait for the sender to be done."""


class _Arrivals:
    """The listener: notes when each report came, then takes it in as `run` does."""

    def __init__(self) -> None:
        # Two flat lists: a value per read would be work for the garbage collector.
        self.times: list[int] = []
        self.data: list[bytes] = []
        self.cpu_when_ready = 0.0
        self._intake = Intake(AdvertisementTable())

    def on_event(self, event: Event, now: float) -> None:
        match event:
            case Received(reports):
                self.times += [monotonic_ns()] * len(reports)
                self.data += [report.data for report in reports]
                self._intake.receive(reports, now, int(time()))
            case Ready():
                self.cpu_when_ready = process_time()


def line(rate: int) -> Round:
    """Reports lost; 99th percentile of ms from write to listener; the same for a bare loop of
    select and read just before, which is what kernel and machine take; CPU of this process in %
    of a core; and reports per second that were really sent."""

    def once() -> tuple[float, ...]:
        with _sender(rate, SECONDS_BARE) as sender:
            bare = _p99_of_bare_loop(sender)
        with _sender(rate, SECONDS) as sender:
            lost, p99, *rest = asyncio.run(_receive(sender))
        return (lost, p99, bare, *rest)

    return once


def _sender(rate: int, seconds: float) -> "subprocess.Popen[str]":
    script = Path(__file__).with_name("sender.py")
    command = [sys.executable, str(script), str(rate), str(seconds)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def _receive(sender: "subprocess.Popen[str]") -> tuple[float, ...]:
    assert sender.stdin
    assert sender.stdout
    set_aside_garbage()
    arrivals = _Arrivals()
    settings = CoprocessorSettings(sender.stdout.readline().strip())
    supervisor = Supervisor(settings, SetAll(), arrivals.on_event, SystemClock())
    running = asyncio.create_task(supervisor.run(), name="supervisor")
    try:
        async with asyncio.timeout(SECONDS + PATIENCE):
            sent = json.loads(await asyncio.to_thread(sender.stdout.readline))
    except TimeoutError as error:
        sender.kill()
        raise Unavailable("the sender was not configured") from error
    cpu = process_time() - arrivals.cpu_when_ready
    await asyncio.sleep(QUIET)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    delays = [at - _timestamp(data) for at, data in zip(arrivals.times, arrivals.data, strict=True)]
    lost = sent["sent"] - len(delays)
    return lost, _p99_ms(delays), 100 * cpu / sent["seconds"], sent["sent"] / sent["seconds"]


def _p99_of_bare_loop(sender: "subprocess.Popen[str]") -> float:
    assert sender.stdout
    port = os.open(sender.stdout.readline().strip(), os.O_RDWR | os.O_NOCTTY)
    os.write(port, SetAll().to_frame())
    reads = []
    while select([port], [], [], QUIET)[0]:
        data = os.read(port, 4096)
        reads.append((monotonic_ns(), data))
    os.close(port)
    feed = FrameScanner[Message](messages).feed
    reports = [(at, report) for at, data in reads for report in feed(data)]
    return _p99_ms([at - _timestamp(r.data) for at, r in reports if isinstance(r, AdvRprt2)])


def _timestamp(data: bytes) -> int:
    return int.from_bytes(data[TIMESTAMP])


def _p99_ms(delays: list[int]) -> float:
    """Of delays in ns."""
    if not delays:
        raise Unavailable("no report arrived")
    return sorted(delays)[int(0.99 * len(delays))] / 1e6
