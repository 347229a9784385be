"""Programs of the system that a host runs: real ones, which end, hang, or leave children behind."""

import asyncio
import gc
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lines import until

from ruuvi_host.programs import Lines, run


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """A transport that nobody closed is told of when it is collected: not in another test."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(each.message) for each in caught] == []


def heard_of(*argv: str) -> tuple[int, list[str]]:
    """Exit code and lines of a program that ends by itself."""
    lines: list[str] = []
    return asyncio.run(run(argv, lines.append)), lines


def python(source: str) -> tuple[str, ...]:
    return (sys.executable, "-c", source)


@pytest.mark.parametrize(
    ("script", "code", "lines"),
    [
        ("true", 0, []),
        ("echo one >&2; printf two >&2; exit 3", 3, ["one", "two"]),
        ("printf '\\033[31mred\\n' >&2; echo unheard", 0, ["\\x1b[31mred"]),
        ("kill -9 $$", -9, []),
    ],
)
def test_what_it_says_and_how_it_ends(script: str, code: int, lines: list[str]) -> None:
    assert heard_of("sh", "-c", script) == (code, lines)


def test_what_cannot_be_run() -> None:
    with pytest.raises(FileNotFoundError):
        heard_of("/nowhere/program")
    with pytest.raises(ValueError, match="null byte"):
        heard_of("true", "a\0b")


def test_a_line_without_end_takes_no_memory() -> None:
    lines: list[str] = []
    cutter = Lines(lines.append)
    for _ in range(100):
        cutter.feed(b"x" * 1000)
    cutter.feed(b"y\nz")
    cutter.end()
    cutter.end()
    assert [len(line) for line in lines] == [Lines.LONGEST, 1]
    assert lines == ["x" * (Lines.LONGEST - 1) + "…", "z"]


def gone(pid: Path) -> bool:
    state = Path(f"/proc/{pid.read_text().strip()}/status")
    return not state.exists() or "\nState:\tZ" in state.read_text()


LEAVES = (
    "import subprocess; p = subprocess.Popen(['sleep', '600']); "
    "f = open({!r}, 'w'); print(p.pid, file=f, flush=True)"
)


def test_what_it_leaves_running_does_not_hold_it_up(tmp_path: Path) -> None:
    """Its child has its stderr, and goes on: an end by itself is its own affair."""
    pid = tmp_path / "pid"
    try:
        assert heard_of(*python(LEAVES.format(str(pid)))) == (0, [])
        assert not gone(pid)
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)


def cancelled(
    argv: tuple[str, ...], ready: Callable[[], bool], times: int = 1, grace: float = 0.0
) -> None:
    """Start it and cancel it when it is `ready`, so often."""

    async def main() -> None:
        task = asyncio.create_task(run(argv, lambda line: None, grace))
        await until(ready)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


@pytest.mark.parametrize("times", [1, 2, 5])
def test_its_children_end_with_it(tmp_path: Path, times: int) -> None:
    pid = tmp_path / "pid"
    source = LEAVES.format(str(pid)) + "; p.wait()"
    cancelled(python(source), lambda: pid.exists() and pid.read_text().endswith("\n"), times)
    asyncio.run(_until(lambda: gone(pid)))


async def _until(condition: Callable[[], object]) -> None:
    await until(condition)


def test_its_children_end_when_the_event_loop_does(tmp_path: Path) -> None:
    """Which cancels all that still runs, and waits for it."""
    pid = tmp_path / "pid"
    source = LEAVES.format(str(pid)) + "; p.wait()"

    async def main() -> None:
        forgotten.append(asyncio.create_task(run(python(source), lambda line: None)))
        await until(lambda: pid.exists() and pid.read_text().endswith("\n"))

    forgotten: list[asyncio.Task[int]] = []
    asyncio.run(main())
    assert forgotten[0].cancelled()
    asyncio.run(_until(lambda: gone(pid)))


TOLD_TO_END = """
import pathlib, signal, sys, time
told = pathlib.Path({!r})
def heard(*_):
    with told.open("a") as file: print("heard", file=file)
    if {}: sys.exit()
signal.signal(signal.SIGTERM, heard)
with told.open("a") as file: print("ready", file=file)
while True: time.sleep(600)
"""


@pytest.mark.parametrize(("obeys", "grace"), [(True, 40.0), (False, 0.3)])
def test_it_is_asked_to_end_before_it_is_killed(tmp_path: Path, obeys: bool, grace: float) -> None:
    """One that does not is killed: this test ends."""
    told = tmp_path / "told"
    program = python(TOLD_TO_END.format(str(told), obeys))
    cancelled(program, lambda: told.exists() and "ready\n" in told.read_text(), grace=grace)
    if obeys:
        assert told.read_text() == "ready\nheard\n"


def test_cancelled_at_any_moment(tmp_path: Path) -> None:
    """Also between its end and what is told of it."""

    async def main(turns: int) -> None:
        task = asyncio.create_task(run(("true",), lambda line: None))
        for _ in range(turns):
            await asyncio.sleep(0.0003)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})

    for turns in range(40):
        asyncio.run(main(turns))
