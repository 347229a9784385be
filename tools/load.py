"""Puts a whole host under load for as long as asked, and holds it against its promises.

    python tools/load.py                        all cases, a minute each
    python tools/load.py --seconds 3600 line-10000

The host is the real one, in this process, so that its event loop can be watched: a coprocessor on a
pty and a receiver, each a process, are its two ends. What is measured: memory and descriptors after
warm-up and at the end; the longest time for which the loop did not come round, by the clock and by
this process's own CPU time (other programs disturb the first, not the second); and whether every
frame that was sent has been counted.
"""

import argparse
import asyncio
import gc
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from figures.process import console_script, resident_mib

from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.model import Config
from ruuvi_host.config.sources import Inputs, Sources
from ruuvi_host.config.targets import CUSTOM, HttpTarget
from ruuvi_host.device import local
from ruuvi_host.jobs import run as job
from ruuvi_host.jobs.state import StateDirectory

WARM_UP = 0.3
"""Part of the time after which nothing may grow any more; later if the table is not full by then,
which it is when each sensor has been heard."""
LOOK = 0.002
KEY = "40:98:A7:78:58:1A:E1:38"
LONGEST_STALL_MS = 50
MOST_GROWTH_MIB = 1.0


@dataclass(frozen=True)
class Case:
    """A kind of load."""

    sensors: int
    rate: float
    """Reports per second."""
    piece: int = 0
    """Bytes a write and a read, in bursts of a second; 0: as they come."""


CASES = {
    "line-100": Case(100, 226),
    "line-10000": Case(10_000, 226),
    # 51 bytes a report: 0.5 MB/s all the time, 1 MB/s in each burst
    "bursts": Case(100, 10_000, 64),
}


@dataclass
class Figures:
    """What came out."""

    case: str
    seconds: float
    sent: int
    counted: int
    lost: int
    delivered: int
    stall_ms: float
    stall_cpu_ms: float
    memory_mib: float
    growth_mib: float
    descriptors: int
    more_descriptors: int

    @property
    def kept(self) -> bool:
        """Have all promises been kept?"""
        return (
            self.lost == 0
            and self.stall_cpu_ms <= LONGEST_STALL_MS
            and self.growth_mib <= MOST_GROWTH_MIB
            and self.more_descriptors <= 0
        )

    def __str__(self) -> str:
        verdict = "kept" if self.kept else "BROKEN"
        return (
            f"{self.case}: {self.seconds:.0f} s, sent {self.sent}, counted {self.counted}, lost "
            f"without a reason {self.lost}, delivered {self.delivered} (the newest of each sensor "
            f"and interval); longest stall {self.stall_ms:.1f} ms, of which own CPU "
            f"{self.stall_cpu_ms:.1f} ms; memory {self.memory_mib:.1f} MiB, growth "
            f"{self.growth_mib:+.2f} MiB; descriptors {self.descriptors}, growth "
            f"{self.more_descriptors:+d}: {verdict}"
        )


class _Loop:
    """Watches the event loop it is made in."""

    def __init__(self) -> None:
        self.longest = self.longest_cpu = 0.0
        self._loop = asyncio.get_running_loop()
        self._then, self._cpu = perf_counter(), process_time()
        self._look()

    def forget(self) -> None:
        self.longest = self.longest_cpu = 0.0

    def _look(self) -> None:
        now, cpu = perf_counter(), process_time()
        self.longest = max(self.longest, now - self._then - LOOK)
        self.longest_cpu = max(self.longest_cpu, min(cpu - self._cpu, now - self._then))
        self._then, self._cpu = now, cpu
        self._loop.call_later(LOOK, self._look)


class _LastWords(logging.Handler):
    """Keeps the counters that a host logs at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.counters: dict[str, dict[str, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if found := re.fullmatch(r"([\w ]+): (\w+ \d+(?:, \w+ \d+)*)", record.getMessage()):
            pairs = (pair.split() for pair in found[2].split(", "))
            self.counters[found[1]] = {name: int(count) for name, count in pairs}


@contextmanager
def child(*command: str) -> Iterator["subprocess.Popen[str]"]:
    """A process whose lines can be read. It ends when its input does, or is told to."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.terminate()


def line_of(running: "subprocess.Popen[str]") -> str:
    assert running.stdout
    line = running.stdout.readline().strip()
    if not line:
        raise SystemExit(f"{running.args!r} has ended")
    return line


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def measure(name: str, case: Case, seconds: float, folder: str) -> Figures:
    """Run a host under `case` for so long."""
    words = _LastWords()
    log = logging.getLogger("ruuvi_host")
    log.addHandler(words)
    log.setLevel(logging.INFO)
    if case.piece:
        local.READ_SIZE = case.piece
    flood_script = str(Path(__file__).with_name("figures") / "flood.py")
    load = map(str, (case.sensors, case.rate, seconds, case.piece))
    # What the receiver says for each batch must be read, so it says it to a file.
    with (
        child(console_script(), "receive", "--port", "0", "--key", KEY, "--json") as receiver,
        child(sys.executable, flood_script, *load) as flood,
    ):
        url = json.loads(line_of(receiver))["listening"]
        reading = asyncio.create_task(asyncio.to_thread(_read_all, receiver))
        config = Config(
            targets=(HttpTarget(CUSTOM, url),),
            max_sensors=max(100, case.sensors),
            trust_clock=True,
            coprocessors=(CoprocessorSettings(line_of(flood)),),
        )
        loaded = Loaded(config, Sources(Inputs()))
        state = StateDirectory.open(Path(folder))
        host = asyncio.create_task(
            job.run(loaded, state, simulate=False, reload=lambda: loaded), name="host"
        )
        loop = _Loop()
        done = asyncio.create_task(asyncio.to_thread(line_of, flood))
        await asyncio.sleep(
            max(WARM_UP * seconds, min(0.8 * seconds, 1.1 * case.sensors / case.rate))
        )
        gc.collect()
        loop.forget()
        memory, open_then = resident_mib(os.getpid()), descriptors()
        result = json.loads(await done)
        await asyncio.sleep(1)  # what was sent last is read, and looked at again when it is quiet
        stall, stall_cpu = loop.longest, loop.longest_cpu
        gc.collect()
        growth, open_now = resident_mib(os.getpid()) - memory, descriptors()
        host.cancel()
        with suppress(asyncio.CancelledError):
            await host
        state.close()
        receiver.terminate()
        await reading
    received = words.counters["received"]
    return Figures(
        name,
        result["seconds"],
        result["sent"],
        received["reports"],
        result["sent"] - received["reports"] - received.get("reports_unconfigured", 0),
        words.counters[CUSTOM].get("accepted_reports", 0),
        1000 * stall,
        1000 * stall_cpu,
        memory,
        growth,
        open_then,
        open_now - open_then,
    )


def _read_all(running: "subprocess.Popen[str]") -> None:
    assert running.stdout
    for _ in running.stdout:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="default: 60")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"there is no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    names = options.cases or list(CASES)
    if len(names) > 1:  # each in a process of its own, whose memory begins small
        again = [sys.executable, __file__, "--seconds", str(options.seconds)]
        again += ["--json"] if options.json else []
        codes = [subprocess.run([*again, name], check=False).returncode for name in names]
        sys.exit(max(codes))
    with TemporaryDirectory() as folder:
        figures = asyncio.run(measure(names[0], CASES[names[0]], options.seconds, folder))
    print(json.dumps(asdict(figures)) if options.json else figures, flush=True)
    sys.exit(not figures.kept)


if __name__ == "__main__":
    main()
