"""Serial lines for tests: a pty whose other end the test holds, and what must be left behind."""

import asyncio
import os
import termios
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Self

PATIENCE = 40.0
"""Seconds until a test gives up waiting; a slow machine is not a failure."""


class Pty:
    """The board's end of a serial line. A host opens `path`; nobody has it open before.

    `path` is a symbolic link of this line's own, gone before its pty is: the system gives the
    number of a pty to the next one at once, and a host that looks for a lost port would take that
    one. All waiting is done by the event loop, as little as possible.

    link: where it is to be; else in a folder of its own.
    """

    def __init__(self, link: Path | None = None) -> None:
        self._folder = None if link else mkdtemp(prefix="line-")
        self.path = str(link) if link else f"{self._folder}/port"
        self.plug_in()

    def plug_in(self) -> None:
        """Also again, after `unplug`: on a new pty."""
        self.master, slave = os.openpty()
        self.pty = os.ttyname(slave)
        """To compare with, not to be opened."""
        os.symlink(self.pty, self.path)
        os.close(slave)
        os.set_blocking(self.master, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()
        if self._folder:
            os.rmdir(self._folder)

    def send(self, data: bytes) -> None:
        assert os.write(self.master, data) == len(data), "the host does not read"

    async def pour(self, data: bytes) -> None:
        """Send any amount, as fast as it is read."""
        while data:
            with suppress(BlockingIOError):
                data = data[os.write(self.master, data) :]
            await asyncio.sleep(0)

    async def receive(self, size: int) -> bytes:
        """Exactly `size` bytes that the host has written."""
        received = b""
        while len(received) < size:
            await until(self.has_bytes)
            received += os.read(self.master, size - len(received))
        return received

    def has_bytes(self) -> bool:
        return bool(int.from_bytes(self._ioctl(termios.FIONREAD), "little"))

    def is_exclusive(self) -> bool:
        """Is TIOCEXCL in effect on the host's end? (root may open it all the same)"""
        slave = os.open(self.path, os.O_RDWR | os.O_NOCTTY)
        try:
            return bool(int.from_bytes(self._ioctl(0x80045440, slave), "little"))  # TIOCGEXCL
        finally:
            os.close(slave)

    def _ioctl(self, request: int, fd: int | None = None) -> bytes:
        import fcntl

        return fcntl.ioctl(self.master if fd is None else fd, request, bytes(4))

    def unplug(self) -> None:
        if self.master >= 0:
            os.unlink(self.path)
            os.close(self.master)
            self.master = -1


async def until(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for cannot tell
            await asyncio.sleep(0.002)


def open_fds() -> set[str]:
    """What this process has open, each as number and target."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except FileNotFoundError:  # the one that listed them
            continue
    return found


def run(main: Coroutine[Any, Any, None]) -> None:
    """asyncio.run, and nothing may be left behind: no error in a callback, task, fd or thread."""
    problems: list[str] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: problems.append(str(context))
        )
        async with asyncio.timeout(2 * PATIENCE):
            await main
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a task is left behind"

    fds, threads = open_fds(), set(threading.enumerate())
    asyncio.run(watched())
    assert problems == []
    for thread in set(threading.enumerate()) - threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"{thread} is left behind"
    assert not open_fds() - fds, "left open"
