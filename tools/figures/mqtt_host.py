"""A whole host for figures/mqtt.py, in a process of its own, that tells what it took.

    python mqtt_host.py PTY BROKER_PORT PERIOD SENSORS [watched]

BROKER_PORT 0: there is no target. It runs until its standard input ends, and prints as JSON: CPU
seconds since the coprocessor was configured, messages that the broker has confirmed, and, if it is
watched, the longest time for which its event loop did not come round: by the clock, and of that the
CPU time of this process, in ms.
"""

import asyncio
import json
import logging
import re
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.model import Config
from ruuvi_host.config.mqtt_target import Broker, MqttTarget
from ruuvi_host.config.sources import Inputs, Sources
from ruuvi_host.config.target_parts import MQTT
from ruuvi_host.jobs import run as job
from ruuvi_host.jobs.state import StateDirectory

LOOK = 0.002
"""Seconds between two looks at the loop."""


class _Words(logging.Handler):
    """Listens to what the host says: when it began, and its counters at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.began = process_time()
        self.counters: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if "coprocessor configured" in said:
            self.began = process_time()
        if found := re.fullmatch(r"mqtt: (\w+ \d+(?:, \w+ \d+)*)", said):
            pairs = (pair.split() for pair in found[1].split(", "))
            self.counters = {name: int(count) for name, count in pairs}


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


async def run(port: str, broker: int, period: int, sensors: int, *, watched: bool) -> None:
    words = _Words()
    log = logging.getLogger("ruuvi_host")
    log.addHandler(words)
    log.setLevel(logging.INFO)
    target = MqttTarget(MQTT, Broker("127.0.0.1", broker), period=period)
    config = Config(
        targets=(target,) if broker else (),
        max_sensors=max(100, sensors),
        trust_clock=True,
        coprocessors=(CoprocessorSettings(port),),
    )
    loaded = Loaded(config, Sources(Inputs()))
    with TemporaryDirectory() as folder:
        state = StateDirectory.open(Path(folder))
        host = asyncio.create_task(job.run(loaded, state, simulate=False, reload=lambda: loaded))
        loop = _Loop() if watched else None
        # What comes first is the start, which is another figure.
        await asyncio.to_thread(sys.stdin.readline)
        if loop:
            loop.forget()
        await asyncio.to_thread(sys.stdin.read)
        cpu = process_time() - words.began
        stall, stall_cpu = (loop.longest, loop.longest_cpu) if loop else (0.0, 0.0)
        host.cancel()
        with suppress(asyncio.CancelledError):
            await host
        state.close()
    told = {"cpu": cpu, "messages": words.counters.get("accepted_reports", 0)}
    print(json.dumps(told | {"stall_ms": 1000 * stall, "stall_cpu_ms": 1000 * stall_cpu}))


if __name__ == "__main__":
    arguments = (int(a) for a in sys.argv[2:5])
    asyncio.run(run(sys.argv[1], *arguments, watched="watched" in sys.argv[5:]))
