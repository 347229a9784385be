"""MQTT with QoS 1 through mosquitto: CPU of a whole host at 5,000 messages a second, its memory,
and stalls of its loop. The hosts are processes of their own."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any

from brokers import BrokerError, Mosquitto

from figures.figure import Round, Unavailable
from figures.process import SETTLE, Child, console_script, resident_mib

RATE, SENSORS, SECONDS = 5_000, 5_000, 6.0
"""More sensors than any radio hears, each with news once a second: of fewer, several readings would
come to one message where other programs hold the host up for a moment."""
MANY, MANY_RATE, PERIOD, ROUNDS = 10_000, 4_000, 5, 2
SETTLING = 0.5
PATIENCE = 60.0
STILL, MOST_LOOKS = 0.05, 30
"""MiB that do not count as a change."""
HERE = Path(__file__).parent


def publishing() -> Round:
    """CPU of a whole host in % of a core while 5,000 reports come and go a second; messages a
    second that the broker has confirmed; CPU of the client alone, for as many; of the host without
    a target; and what remains for our own part of a message, in µs."""

    def once() -> tuple[float, ...]:
        with _broker() as port:
            whole = host(port, period=0, rate=RATE, sensors=SENSORS, seconds=SECONDS)
            client = _told(["mqtt_client.py", port, RATE, SECONDS])
            intake = host(0, period=0, rate=RATE, sensors=SENSORS, seconds=SECONDS)
        rate = whole["messages"] / SECONDS
        alone = client["cpu"] / client["messages"] * whole["messages"]
        ours = (whole["cpu"] - alone - intake["cpu"]) / whole["messages"]
        share = [100 * cpu / SECONDS for cpu in (whole["cpu"], alone, intake["cpu"])]
        return share[0], rate, *share[1:], 1e6 * ours

    return once


def stall() -> Round:
    """The longest own CPU time, and the longest time, in ms, between two turns of the loop of a
    host that publishes 10,000 sensors in rounds."""

    def once() -> tuple[float, ...]:
        with _broker() as port:
            heard = MANY / MANY_RATE + 1
            seconds = heard + PERIOD * (ROUNDS + 0.5)
            told = host(port, PERIOD, MANY_RATE, MANY, seconds, watched=True)
        if told["messages"] < MANY * ROUNDS:
            raise Unavailable(f"only {told['messages']} messages were confirmed")
        return told["stall_cpu_ms"], told["stall_ms"]

    return once


def memory() -> Round:
    """Two hosts with ten tags each that post to the reference receiver, the second of which
    publishes, too: MiB that it takes more."""
    script = console_script()

    def once() -> tuple[float, ...]:
        with _broker() as port, TemporaryDirectory() as folder, ExitStack() as stack:
            receiver = stack.enter_context(Child(script, "receive", "--port", "0"))
            url = receiver.read_line().split()[-1]
            hosts = []
            for name in ("http", "both"):
                board = stack.enter_context(Child(script, "simulate"))
                command = ["run", "--port", board.read_line().split()[-1], "--trust-clock"]
                command += ["--url", url, "--interval", "1", "--state-dir", f"{folder}/{name}"]
                if name == "both":
                    command += ["--set", "use_mqtt=true", "--set", "mqtt_server=127.0.0.1"]
                    command += ["--set", f"mqtt_port={port}"]
                hosts.append(stack.enter_context(Child(script, *command)))
                receiver.read_line()
            http, both = settled([host.pid for host in hosts])
        return both - http, http

    return once


def settled(pids: list[int]) -> list[float]:
    """Their memory in MiB, when it does not change any more."""
    for _ in range(MOST_LOOKS):
        before = [resident_mib(pid) for pid in pids]
        sleep(SETTLE)
        after = [resident_mib(pid) for pid in pids]
        if all(abs(a - b) < STILL for a, b in zip(after, before, strict=True)):
            return after
    raise Unavailable("the memory of a host goes on changing")


class _broker:  # noqa: N801 - used as a function
    """A mosquitto that keeps nothing; its port. A context manager."""

    def __enter__(self) -> int:
        self._stack = ExitStack()
        folder = Path(self._stack.enter_context(TemporaryDirectory()))
        try:
            return self._stack.enter_context(Mosquitto(folder)).port
        except BrokerError as error:
            raise Unavailable(str(error)) from None

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def host(
    broker: int, period: int, rate: int, sensors: int, seconds: float, *, watched: bool = False
) -> dict[str, Any]:
    """Run one under a flood; what it tells at the end."""
    with ExitStack() as stack:
        flood = _start(stack, "flood.py", sensors, rate, seconds)
        assert flood.stdin
        assert flood.stdout
        port = flood.stdout.readline().strip()
        more = ["watched"] if watched else []
        one = _start(stack, "mqtt_host.py", port, broker, period, sensors, *more)
        assert one.stdin
        if watched:
            sleep(sensors / rate + 1)
        one.stdin.write("\n")
        one.stdin.flush()
        flood.stdout.readline()
        sleep(SETTLING)
        said, _ = one.communicate(timeout=PATIENCE)
        flood.stdin.close()
    if not said:
        raise Unavailable("the host has ended")
    told: dict[str, Any] = json.loads(said)
    return told


def _start(stack: ExitStack, script: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    pipe = subprocess.PIPE
    running = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    stack.callback(running.wait)
    stack.callback(running.kill)
    return running


def _told(command: list[object]) -> dict[str, Any]:
    script, *arguments = command
    ran = subprocess.run(
        [sys.executable, str(HERE / str(script)), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(ran.stdout)
    return told
