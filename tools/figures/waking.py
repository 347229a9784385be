"""What wakes a quiet host: each return of a call that has waited, with its thread and its cause."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from figures.figure import Unavailable
from figures.whole import board_and_host, tasks

WAITING = {"epoll_wait", "futex", "restart_syscall", "select", "poll", "accept4", "fsync"}
"""Calls that wait for something; what takes long elsewhere was strace, or another program."""
WAITED = 0.0005
"""Seconds. A call that took longer has let the processor go."""

_LINE = re.compile(
    r"(?P<task>\d+) +(?P<at>[\d.]+) (?:<\.\.\. )?(?P<call>\w+)(?: resumed>)?(?P<rest>.*)"
    r" <(?P<seconds>[\d.]+)>$"
)


def causes(root: Path, tags: int, seconds: float) -> Iterator[str]:
    """A line for each: how often a second, which thread, what for. Raises Unavailable.

    root: of the build. Its board is this build's, with so many tags.
    """
    if not shutil.which("strace"):
        raise Unavailable("strace is needed: apt-get install strace")
    with (
        board_and_host(root, tags, interval=10) as host,
        NamedTemporaryFile("r", suffix=".strace") as trace,
    ):
        names = {int(task.name): (task / "comm").read_text().strip() for task in tasks(host.pid)}
        follow = ("strace", "-f", "-ttt", "-T", "-o", trace.name, "-p", str(host.pid))
        subprocess.run(["timeout", str(seconds), *follow], capture_output=True, check=False)
        found = Counter(wakings(trace, host.pid, names))
    for (thread, cause), count in found.most_common():
        yield f"{count / seconds:8.2f}/s  {thread:<12} {cause}"


def wakings(lines: Iterable[str], main: int, names: dict[int, str]) -> Iterator[tuple[str, str]]:
    """Of what strace says: the thread, and why it went on. main: the one of the event loop."""
    for line in lines:
        if not (match := _LINE.match(line)):
            continue
        if match["call"] not in WAITING:
            continue
        task, call, rest = int(match["task"]), match["call"], match["rest"]
        if task != main:
            if float(match["seconds"]) >= WAITED:
                cause = "its own timer" if "ETIMEDOUT" in rest else "another thread"
                yield names.get(task, "short-lived"), f"{call}: {cause}"
            continue
        if float(match["seconds"]) < WAITED:
            continue
        if call != "epoll_wait":
            yield "event loop", call
        elif re.search(r"\) = 0$", rest) or rest.startswith("[]"):
            yield "event loop", "a timer"
        else:
            yield "event loop", "bytes, or a connection"
