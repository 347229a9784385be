"""A command of ours on a real terminal: what it shows, and what it leaves."""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from programs import COMMAND, PATIENCE


class Terminal:
    """A terminal with a command of ours in it; `ruuvi-host listen --simulate`, if none is named."""

    def __init__(
        self,
        columns: int = 120,
        lines: int = 24,
        term: str = "xterm",
        command: Sequence[str] = ("listen", "--simulate"),
    ) -> None:
        self.ours, self.theirs = os.openpty()
        self.before = termios.tcgetattr(self.theirs)
        self.resize(columns, lines)
        # These would count for more than the terminal's own size.
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [COMMAND, *command],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=environment | {"TERM": term},
        )
        self.text = ""

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def wait_for(self, pattern: str, since: int = 0) -> None:
        give_up = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text[since:]):
            assert time.monotonic() < give_up, f"no {pattern!r} in …{self.text[-1000:]!r}"
            self.read()

    def read(self) -> None:
        if select.select([self.ours], [], [], 0.1)[0]:
            self.text += os.read(self.ours, 65536).decode("utf-8", "replace")

    def end(self) -> int:
        """Press Ctrl-C: the exit code."""
        os.write(self.ours, b"\x03")
        give_up = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < give_up
            self.read()
        while select.select([self.ours], [], [], 0)[0]:
            self.read()
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self.ours)
        os.close(self.theirs)


@contextmanager
def terminal(
    columns: int = 120,
    lines: int = 24,
    term: str = "xterm",
    command: Sequence[str] = ("listen", "--simulate"),
) -> Iterator[Terminal]:
    opened = Terminal(columns, lines, term, command)
    try:
        yield opened
    finally:
        opened.close()
