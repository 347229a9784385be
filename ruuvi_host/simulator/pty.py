"""Serves a board on a pseudo-terminal, in real time: a serial port for a host to open.

`PtyLine` serves anything that plays a coprocessor: a simulated board, a capture, a bridge.

    with PtyServer(Board(tags=5)) as server:      opens the pty; server.path is what a host opens
        await server.run()                        serves until cancelled

For tests: `unplug()` takes the pty away, as if the cable were pulled; `replug()` powers the board
again and gives it a new pty, to which the link then points. Both may be called while it runs.

As on a real line nothing waits for a reader: bytes that nobody has opened the port for, and
those that a slow reader leaves no room for, are lost and counted. A host may come and go as it
likes; the board does not notice, but `host_present` tells.
"""

import asyncio
import errno
import fcntl
import os
import secrets
import sys
import termios
import tty
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from firmware_protocol.coprocessor import CoprocessorEvent
from ruuvi_host.clock import Clock, SystemClock
from ruuvi_host.errors import ConfigError, PortError

if TYPE_CHECKING:  # who serves something else does not pay for tags
    from ruuvi_host.simulator.board import Board

SHORTEST_WAIT = 0.001
"""Work is done in batches of a millisecond: one wake-up for all that has come due in it."""

LOOK_FOR_HOST = 0.02
"""Nothing tells that a host has opened the pty, so it is looked for so often."""

LOOK_SELDOM = 0.05
"""The same for what runs for months: a bridge, that waits for a host."""

SLOW_HOST = 0.01
"""While a host does not read what a bridge has for it, it is looked at so often."""
MOST_UNWRITTEN = 1 << 16
"""Bytes that a bridge keeps for it: a second at 1,000 reports a second. What comes then is lost."""

LONGEST_STEP = 0.25
"""If this process was stopped for longer, the board was too, instead of making up for it."""

LONGEST_WAIT = 0.1
"""Seconds until it looks at the clock again: well below LONGEST_STEP, or time would be lost each
time that there is nothing to do for longer, and so no silent board would ever meet its watchdog."""

READ_SIZE = 4096


E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


class Served(Protocol[E_co]):
    """What can stand at the board's end of a line: a Board, or something that plays one.

    Its time is in seconds; it stands still while nobody serves it, unless it is the machine's.
    """

    @property
    def deadline(self) -> float:
        """When something happens next; inf: never, unless the host writes."""
        ...

    def receive(self, data: bytes, now: float) -> None: ...

    def advance(self, now: float) -> bytes: ...

    def take_events(self) -> Sequence[E_co]: ...

    def restart(self, now: float) -> None:
        """It was switched off and on; or, on a line that waits for the host, the host was."""
        ...


class BoardTime:
    """The time of a board: it stands still while nobody serves it."""

    def __init__(self, clock: Clock) -> None:
        self.now = 0.0
        """Seconds that it has been served for."""
        self._clock = clock
        self._then = 0.0

    def start(self) -> None:
        """It is served from here on."""
        self._then = self._clock.monotonic()

    def step(self) -> float:
        """Seconds since the last call, or since the start."""
        then, self._then = self._then, self._clock.monotonic()
        return min(self._then - then, LONGEST_STEP)


class MachineTime(BoardTime):
    """The machine's monotonic time, for what hears the real world: it never stands still."""

    def start(self) -> None:
        super().start()
        self.now = self._then

    def step(self) -> float:
        then, self._then = self._then, self._clock.monotonic()
        return self._then - then


class PtyName:
    """What else a pty can be found by, and by whom. Raises ConfigError."""

    def __init__(self, link: str | None, group: int | None) -> None:
        self._link = link
        self._group = group

    def give(self, path: str) -> None:
        """The pty is there."""
        if self._group is not None:
            share(path, self._group)
        if self._link is not None:
            make_link(self._link, path)

    def take(self, path: str) -> None:
        """It goes."""
        if self._link is not None:
            remove_link(self._link, path)


class PtyLine(Generic[E]):
    """Something on a pty. See the top of this file.

    link: path of a symbolic link to the pty, made by `open` and removed by `close`.
    on_event: called with what the coprocessor does, as it happens.
    waits_for_host: what is served only plays a board: its time stands still while no host has the
    pty open, and it waits for one that reads slowly. Nothing is lost then, unless the host leaves.
    real_time: what is served has things come to it from outside, at the machine's monotonic time.
    Call `wake` when it has.
    group: the number of a group that may open the pty, too.
    """

    def __init__(
        self,
        board: Served[E],
        *,
        link: str | None = None,
        on_event: Callable[[E], None] | None = None,
        clock: Clock | None = None,
        waits_for_host: bool = False,
        real_time: bool = False,
        group: int | None = None,
    ) -> None:
        self.board = board
        self.path = ""
        """The pty while it is open, else empty."""
        self.host_present = False
        """Has a host opened the pty? Known while it runs."""
        self.bytes_lost = 0
        """Left the line and were not read by any host."""
        self._name = PtyName(link, group)
        self._on_event = on_event
        self._waits_for_host = waits_for_host
        self._unwritten = b""
        self._host_left = False
        self._master = -1
        self._wake = asyncio.Event()
        self._time = (MachineTime if real_time else BoardTime)(clock or SystemClock())

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> None:
        """Make the pty and the link. Raises PortError, or ConfigError if the link cannot be."""
        try:
            self._master, slave = os.openpty()
        except OSError as error:
            raise PortError("pty", f"no pseudo-terminal to be had: {error.strerror}") from error
        self.path = os.ttyname(slave)
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        # Not kept open: so a read tells whether a host has opened it, and what is sent without
        # one can be thrown away instead of being read by the next one.
        os.close(slave)
        try:
            self._name.give(self.path)
        except ConfigError:
            self.close()
            raise

    def close(self) -> None:
        """Take the pty and our link away. A host that has it open loses it."""
        if not self.path:
            return
        if self._is_real_time:
            self._count_the_rest()
        self._set_host_present(False)
        self._name.take(self.path)
        os.close(self._master)
        self.path = ""

    def unplug(self) -> None:
        """Pull the cable. Without power, no time passes for the board."""
        self.close()

    def replug(self) -> None:
        """Plug it in again: a new pty, and the board boots."""
        self.open()
        self._time.start()
        self.board.restart(self._time.now)
        self._wake.set()

    def wake(self) -> None:
        """What is served has something to say, earlier than it has said itself."""
        self._wake.set()

    def unread(self) -> int:
        """Bytes that the host has not read yet, as far as the system can tell."""
        if self.path:
            with suppress(OSError):
                slave = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
                try:
                    waiting = fcntl.ioctl(slave, termios.FIONREAD, bytes(4))
                finally:
                    os.close(slave)
                return int.from_bytes(waiting, sys.byteorder)
        return 0

    async def run(self) -> None:
        """Serve until cancelled."""
        loop = asyncio.get_running_loop()
        self._time.start()
        try:
            while True:
                self._wake.clear()
                timer = loop.call_later(self._serve(), self._wake.set) if self.path else None
                await self._wake.wait()
                if timer:
                    timer.cancel()
        finally:
            self._set_host_present(False)

    def _serve(self) -> float:
        """Hand over what both sides have to say, and return how long there is nothing to do."""
        board, time = self.board, self._time
        step = time.step()
        received = self._read()
        if self._waits_for_host and not self.host_present:
            return LOOK_FOR_HOST
        if self._host_left:
            self._host_left = False
            board.restart(time.now)
        time.now += step
        if received:
            board.receive(received, time.now)
        if self._unwritten:
            self._unwritten = self._unwritten[self._write(self._unwritten) :]
            if self._unwritten and self._waits_for_host:
                return SHORTEST_WAIT
        output = board.advance(time.now)
        if output:
            self._send(output)
        for event in board.take_events():
            if self._on_event:
                self._on_event(event)
        if self.host_present:
            longest = SLOW_HOST if self._unwritten else LONGEST_WAIT
        else:
            longest = LOOK_SELDOM if self._is_real_time else LOOK_FOR_HOST
        return max(min(board.deadline - time.now, longest), SHORTEST_WAIT)

    def _count_the_rest(self) -> None:
        """What the host has not read when its end of the pty goes is lost; nothing of it is for the
        next pty. To write more would not help: the system throws it away."""
        self._time.now += self._time.step()
        rest = self.board.advance(self._time.now)
        self.bytes_lost += len(rest) + len(self._unwritten) + self.unread()
        self._unwritten = b""

    @property
    def _is_real_time(self) -> bool:
        return isinstance(self._time, MachineTime)

    def _send(self, output: bytes) -> None:
        """Write what the host reads now. The rest is lost, as on a line; but what only plays a
        board waits for the host, and a bridge does for a while: it would cut a frame in two."""
        written = 0 if self._unwritten else self._write(output)
        if self._waits_for_host:
            self._unwritten = output[written:]
        elif self._is_real_time and self.host_present and len(self._unwritten) < MOST_UNWRITTEN:
            self._unwritten += output[written:]
        else:
            self.bytes_lost += len(output) - written

    def _read(self) -> bytes:
        try:
            data = os.read(self._master, READ_SIZE)
        except BlockingIOError:
            data = b""
        except OSError as error:
            if error.errno != errno.EIO:  # EIO: no host has it open
                raise PortError(self.path, f"the pty has failed: {error.strerror}") from error
            if self.host_present:
                self._set_host_present(False)
                self.bytes_lost += self.unread()
                self._discard_unread()
                self.bytes_lost += len(self._unwritten)
                self._unwritten = b""
                self._host_left = self._waits_for_host
            return b""
        self._set_host_present(True)
        return data

    def _write(self, output: bytes) -> int:
        """How many of the bytes a host can read."""
        if not self.host_present:
            return 0
        try:
            return os.write(self._master, output)
        except BlockingIOError:  # it is there and does not read
            return 0
        except OSError as error:
            if error.errno != errno.EIO:  # EIO: it has gone this very moment
                raise PortError(self.path, f"the pty has failed: {error.strerror}") from error
            return 0

    def _set_host_present(self, present: bool) -> None:
        """Be woken when the host writes, but only while there is one: else the loop would spin."""
        if present == self.host_present:
            return
        self.host_present = present
        loop = asyncio.get_running_loop()
        if present:
            loop.add_reader(self._master, self._wake.set)
        else:
            loop.remove_reader(self._master)

    def _discard_unread(self) -> None:
        """What the last host has not read is not for the next one."""
        with suppress(OSError, termios.error):
            slave = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                termios.tcflush(slave, termios.TCIFLUSH)
            finally:
                os.close(slave)


class PtyServer(PtyLine[CoprocessorEvent]):
    """A board on a pty."""

    board: "Board"


def share(path: str, group: int) -> None:
    """Let the members of a group open a pty, too. Raises ConfigError."""
    try:
        os.chown(path, -1, group)
        os.chmod(path, 0o660)
    except OSError as error:
        why = "only its members and root can do that" if error.errno == errno.EPERM else ""
        raise ConfigError("--group", why or f"{path}: {error.strerror}") from error


def make_link(link: str, target: str) -> None:
    """Let the symbolic link point to target, in one step. Raises ConfigError.

    A link that is there is replaced; anything else that is there is left alone.
    """
    if os.path.lexists(link) and not os.path.islink(link):
        raise ConfigError("--link", f"{link} exists and is no symbolic link; choose another path")
    temporary = f"{link}.{secrets.token_hex(4)}"
    try:
        os.symlink(target, temporary)
        try:
            os.replace(temporary, link)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise ConfigError("--link", f"cannot make {link!r}: {error.strerror}") from error


def remove_link(link: str, target: str) -> None:
    """Remove the link if it still is ours."""
    with suppress(OSError):
        if os.readlink(link) == target:
            os.unlink(link)
