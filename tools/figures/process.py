"""The installed command as a process: how fast it starts, what it takes while nothing happens."""

import os
import subprocess
import sys
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory, TemporaryFile
from time import perf_counter, sleep

from figures.figure import Round, Unavailable

STARTS = 5
SETTLE, WATCH = 2.0, 5.0
"""Seconds after the first accepted batch, and seconds of watching then."""
PATIENCE = 20.0
"""Seconds to wait for a line."""
DAY = 86400


def console_script() -> str:
    """The command `ruuvi-host` of the Python that runs this."""
    script = Path(sys.executable).with_name("ruuvi-host")
    if not script.exists():
        raise Unavailable(f"no ruuvi-host beside {sys.executable}: pip install -e .")
    return str(script)


def start(option: str) -> Round:
    """Time of `ruuvi-host OPTION` against that of `python -c pass`, the best of a few each."""
    ours, bare = [console_script(), option], [sys.executable, "-c", "pass"]

    def once() -> tuple[float]:
        times: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(STARTS):
            for is_ours, command in ((True, ours), (False, bare)):
                before = perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                times[is_ours].append(perf_counter() - before)
        return (min(times[True]) / min(times[False]),)

    return once


def idle() -> Round:
    """A host with ten tags that posts to the reference receiver each second: MiB of memory, the
    same against `python -c pass`, MiB when it simulates its board itself, and bytes that the
    first one writes to disk, as if it went on for a day."""
    script = console_script()
    # Not /tmp: that is often in memory, and what is written to memory is not counted.
    place = "/var/tmp"
    check_that_writes_are_counted(place)

    def once() -> tuple[float, ...]:
        with (
            TemporaryDirectory(dir=place) as folder,
            Child(script, "simulate") as board,
            Child(script, "receive", "--port", "0", "--simulated", "1") as receiver,
        ):
            target = ("--url", receiver.read_line().split()[-1], "--interval", "1")
            port = ("--port", board.read_line().split()[-1], "--trust-clock")
            with (
                Child(script, "run", *port, *target, "--state-dir", f"{folder}/1") as host,
                Child(script, "run", "--simulate", *target, "--state-dir", f"{folder}/2") as both,
            ):
                receiver.read_line()  # a first batch was accepted
                sleep(SETTLE)
                before = bytes_written(host.pid)
                sleep(WATCH)
                written = bytes_written(host.pid) - before
                memory, memory_of_both = resident_mib(host.pid), resident_mib(both.pid)
        return memory, memory / bare_python_mib(), memory_of_both, written * DAY / WATCH

    return once


class Child:
    """A process whose standard output can be read by the line; ended with the block. path: where
    a Python looks for modules first."""

    def __init__(
        self, *command: str, stdin: bool = False, folder: str | None = None, path: str | None = None
    ) -> None:
        self._complaints = TemporaryFile("w+")  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if stdin else None,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            cwd=folder,
            env=None if path is None else os.environ | path_of(path),
        )
        self._name = f"{Path(command[0]).name} {command[1]}"
        self.pid = self._process.pid

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.communicate()
        self._complaints.close()

    def write_line(self, line: str) -> None:
        standard_input = self._process.stdin
        assert standard_input
        standard_input.write(f"{line}\n")
        standard_input.flush()

    def end_input(self) -> None:
        standard_input = self._process.stdin
        assert standard_input
        standard_input.close()
        self._process.stdin = None

    def read_line(self) -> str:
        output = self._process.stdout
        assert output
        if not select([output], [], [], PATIENCE)[0] or not (line := output.readline()):
            self._complaints.seek(0)
            last = self._complaints.read().strip().rpartition("\n")[2]
            raise Unavailable(f"{self._name} does not go on; on stderr it says: {last!r}")
        return line.strip()


def path_of(modules: str) -> dict[str, str]:
    """Environment of a Python that takes its modules from there before it takes installed ones."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, (modules, os.environ.get("PYTHONPATH"))))}


def resident_mib(pid: int) -> float:
    return rss_mib(Path(f"/proc/{pid}/status").read_text("ascii"))


def rss_mib(status: str) -> float:
    """RSS as the text of a /proc/*/status tells it."""
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def bare_python_mib() -> float:
    """RSS of a Python that has done nothing but tell it."""
    tell = "print(open('/proc/self/status').read())"
    ran = subprocess.run([sys.executable, "-c", tell], check=True, capture_output=True, text=True)
    return rss_mib(ran.stdout)


def bytes_written(pid: int | str) -> int:
    """What a process has caused to be written to storage so far."""
    io = Path(f"/proc/{pid}/io").read_text("ascii")
    return int(io.split("\nwrite_bytes: ")[1].split("\n")[0])


def check_that_writes_are_counted(place: str) -> None:
    with TemporaryDirectory(dir=place) as folder, open(Path(folder, "probe"), "wb") as probe:
        before = bytes_written("self")
        probe.write(bytes(4096))
        probe.flush()
        os.fsync(probe.fileno())
        if bytes_written("self") == before:
            raise Unavailable(f"the kernel does not count what is written to {place}")
