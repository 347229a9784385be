"""Serves the scripted controller in real time, by a thread, on a pty, TCP or a socket.

A host that is not there loses what is told to it, as on a serial line; one that reads slowly does
not, as with flow control.
"""

import os
import random
import select
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from .adverts import Advert, Air
from .core import Controller, Seen
from .ends import End, PtyEnd, SocketEnd, TcpEnd
from .habits import Fault, Habits

LOOK_FOR_HOST = 0.02
LONGEST_WAIT = 0.5
SHORTEST_WAIT = 0.0005
MOST_UNWRITTEN = 20_000
"""Pieces that wait for a host that reads slowly; more are lost."""
ONE_WRITE = 2048
PATIENCE = 30.0


class ServedController:
    """A context manager: the controller is reached at `path` inside it.

    make_end: makes the line, and makes it again after it had vanished; see `on_pty` and the others.
    None: a pty in a folder of its own.
    """

    def __init__(
        self,
        habits: Habits | None = None,
        air: Air | None = None,
        make_end: Callable[[], End] | None = None,
    ) -> None:
        self.controller = Controller(habits, air)
        self.path = ""
        """What `--hci` is given."""
        self.lost = 0
        """Pieces that no host has read."""
        self._make_end = make_end
        self._stack = ExitStack()
        self._end: End | None = None
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._serve, name="controller", daemon=True)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._unwritten: deque[bytes] = deque()
        self._random = random.Random(1)
        self._ends = False

    def __enter__(self) -> Self:
        if self._make_end is None:
            folder = tempfile.TemporaryDirectory(prefix="hci-")
            self._make_end = on_pty(str(Path(self._stack.enter_context(folder), "controller")))
        self._end = self._make_end()
        self.path = self._end.path
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        if self._end:
            self._end.close()
        self._stack.close()
        os.close(self._wake)

    @property
    def seen(self) -> Seen:
        """What has happened."""
        return self.controller.seen

    def fail(self, fault: Fault) -> None:
        """Break; when this returns, it has."""
        with self._news:
            self.controller.fail(fault, time.monotonic())
            os.eventfd_write(self._wake, 1)
            if fault is Fault.DIES:
                self._news.wait_for(lambda: self._end is None, PATIENCE)

    def heal(self) -> None:
        """Power off and on; a line that had vanished is back under its name."""
        with self._news:
            self.controller.heal()
            self._unwritten.clear()
            assert self._make_end
            self._end = self._end or self._make_end()
            os.eventfd_write(self._wake, 1)

    def hear(self, *adverts: Advert) -> None:
        """Advertisements are in the air, now."""
        with self._news:
            for advert in adverts:
                self.controller.hear(advert)
            os.eventfd_write(self._wake, 1)

    def do(self, what: Callable[[], None]) -> None:
        """While nothing else happens here."""
        with self._news:
            what()

    def wait_for(self, what: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until something holds that changes when bytes come or go. Raises TimeoutError."""
        with self._news:
            if not self._news.wait_for(what, timeout):
                raise TimeoutError(f"in vain; commands: {[hex(o) for o in self.seen.opcodes()]}")

    def wait_until_scanning(self) -> None:
        """What it hears from here on is reported."""
        self.wait_for(lambda: self.controller.registers.is_scanning)

    def wait_for_command(self, opcode: int, count: int = 1) -> None:
        """Until it has come so often, since the beginning."""
        self.wait_for(lambda: self.seen.opcodes().count(opcode) >= count)

    # --- in the thread

    def _serve(self) -> None:
        wait = 0.0
        while not self._ends:
            readers: list[End | int] = [self._wake]
            end = self._end
            if end and (end.is_present or isinstance(end, TcpEnd)):
                readers.append(end)
            writers = [end] if end and end.is_present and self._unwritten else []
            select.select(readers, writers, [], wait)
            with self._news:
                wait = self._step()
                self._news.notify_all()

    def _step(self) -> float:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        controller, end = self.controller, self._end
        if end and controller.fault is Fault.DIES:
            end.close()
            self._end = end = None
        now = time.monotonic()
        if end and (data := end.read()):
            controller.receive(data, now)
        self._queue(controller.advance(now))
        if not end or not end.is_present:
            self.lost += len(self._unwritten)
            self._unwritten.clear()
        else:
            self._write(end)
        wait = min(max(controller.deadline - now, SHORTEST_WAIT), LONGEST_WAIT)
        return wait if end and end.is_present else min(wait, LOOK_FOR_HOST)

    def _queue(self, packets: list[bytes]) -> None:
        for packet in packets:
            rest = packet
            while self.controller.habits.cuts and rest:
                size = self._random.randint(1, self.controller.habits.cuts)
                self._unwritten.append(rest[:size])
                rest = rest[size:]
            if rest:
                self._unwritten.append(rest)
        while len(self._unwritten) > MOST_UNWRITTEN:
            self._unwritten.pop()
            self.lost += 1

    def _write(self, end: End) -> None:
        is_joined = not (end.keeps_packets or self.controller.habits.cuts)
        while self._unwritten:
            piece = self._unwritten.popleft()
            while is_joined and self._unwritten and len(piece) < ONE_WRITE:
                piece += self._unwritten.popleft()
            written = end.write(piece)
            if written is None:
                self.lost += 1
                return
            if written < len(piece):
                self._unwritten.appendleft(piece[written:])
                return


def on_pty(link: str) -> Callable[[], End]:
    """A pty whose name is the symbolic link `link`."""
    return lambda: PtyEnd(link)


def on_tcp(port: int = 0) -> Callable[[], End]:
    """TCP on loopback; it stays the same port, even if the line vanishes in between."""
    known = [port]  # after the first time

    def make() -> End:
        end = TcpEnd(known[0])
        known[0] = end.port
        return end

    return make


def on_socket(connection: socket.socket) -> Callable[[], End]:
    """One end of a pair of sockets. Of type SOCK_SEQPACKET it is like the kernel's user channel:
    each packet is one message."""
    return lambda: SocketEnd(connection)
