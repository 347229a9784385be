"""Runs a program of the system, hears what it says on stderr, and leaves nothing of it behind."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from ruuvi_host.logs import printable

LAST_WORDS = 0.5
"""Seconds after its end in which what it said last is waited for: a child that it left behind may
hold its stderr open for ever."""
KILLED = 5.0
"""Seconds until a program that was killed is left alone: one of another user cannot be."""


class Lines:
    """Cuts the bytes that a program says into lines, printable and of at most LONGEST bytes."""

    LONGEST = 4096

    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear = hear
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._say(line)
        self._rest = self._rest[-self.LONGEST :]

    def end(self) -> None:
        """No more comes: what has no line end is a line, too."""
        if self._rest:
            self._say(self._rest)
        self._rest = b""

    def _say(self, line: bytes) -> None:
        self._hear(printable(line.decode("utf-8", "replace"), self.LONGEST))


async def run(argv: Sequence[str], hear: Callable[[str], None], grace: float = 0.0) -> int:
    """Run it, without a shell, until it has ended by itself: its exit code (negative: the signal).

    hear: is told each line of stderr; stdin and stdout are /dev/null. When this is cancelled, the
    program and its children get SIGTERM and `grace` seconds (0: none), then SIGKILL; what it leaves
    running after it has ended by itself goes on. Raises OSError, or ValueError for an argument that
    no program can be given.
    """
    program = _Program(hear)
    life = asyncio.create_task(_life(program, argv, grace))
    cancelled: asyncio.CancelledError | None = None
    while (
        not life.done()
    ):  # also when we are cancelled again: nothing is left half started or ended
        try:
            await asyncio.wait({life})
        except asyncio.CancelledError as error:
            cancelled = error
            program.over.set()
    if cancelled:
        life.exception()
        raise cancelled
    return life.result()


async def _life(program: "_Program", argv: Sequence[str], grace: float) -> int:
    transport, _ = await asyncio.get_running_loop().subprocess_exec(
        lambda: program,
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us; we end it, and its children with it
    )
    try:
        await program.over.wait()
        if program.exited.is_set():
            await _within(LAST_WORDS, program.silent)
    finally:  # also when the event loop ends, and cancels us together with who waits for us
        await _end(transport, program, grace)
    code = transport.get_returncode()
    return -signal.SIGKILL if code is None else code


async def _end(transport: asyncio.SubprocessTransport, program: "_Program", grace: float) -> None:
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, KILLED)):
        if seconds and not program.exited.is_set():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(transport.get_pid(), number)
            await _within(seconds, program.exited)
    # Not before: closing reaps it, and then the event loop would look in vain for its exit code.
    with suppress(PermissionError):
        transport.close()
    if program.exited.is_set():
        await program.closed.wait()


class _Program(asyncio.SubprocessProtocol):
    """What the event loop tells of it."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self.over = asyncio.Event()
        """It has exited, or nobody wants it any more."""
        self.exited = asyncio.Event()
        self.silent = asyncio.Event()
        self.closed = asyncio.Event()
        self._lines = Lines(hear)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._lines.feed(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._lines.end()
        self.silent.set()

    def process_exited(self) -> None:
        self.exited.set()
        self.over.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


async def _within(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
