"""A pseudo-terminal with a command in it, for tests of what people see and type."""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from programs import COMMAND, PATIENCE


class Terminal:
    """A terminal with a `ruuvi-host` command in it. `text` is what it was sent so far."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 120,
        lines: int = 24,
        env: Mapping[str, str] | None = None,
        stdout: Path | None = None,
        stdin: bool = True,
    ) -> None:
        self.ours, self.theirs = os.openpty()
        self.before = termios.tcgetattr(self.theirs)
        self.resize(columns, lines)
        # These would count for more than the terminal's own size.
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        with open(stdout, "wb") if stdout else nullcontext(self.theirs) as out:
            self.process = subprocess.Popen(
                [COMMAND, *arguments],
                stdin=self.theirs if stdin else subprocess.DEVNULL,
                stdout=out,
                stderr=self.theirs,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(2, termios.TIOCSCTTY, 0),
                env=environment | {"TERM": "xterm"} | dict(env or {}),
            )
        self.text = ""
        self._decoder = getincrementaldecoder("utf-8")("replace")  # a read may end in a character

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def wait_for(self, pattern: str, since: int = 0) -> None:
        give_up = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text[since:]):
            assert time.monotonic() < give_up, f"no {pattern!r} in …{self.text[-1000:]!r}"
            self.read()

    def answer(self, question: str, text: str) -> None:
        """Wait for a question that was not there before, and answer it."""
        self.wait_for(question, getattr(self, "_since", 0))
        self._since = len(self.text)
        self.type(f"{text}\n")

    def read(self) -> None:
        if select.select([self.ours], [], [], 0.1)[0]:
            self.text += self._decoder.decode(os.read(self.ours, 65536))

    def end(self) -> int:
        """Press Ctrl-C: the exit code."""
        self.type("\x03")
        return self.wait()

    def wait(self) -> int:
        """The exit code when it has ended; all of its text has been read then."""
        give_up = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < give_up, self.text[-1000:]
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
    *arguments: str,
    columns: int = 120,
    lines: int = 24,
    env: Mapping[str, str] | None = None,
    stdout: Path | None = None,
    stdin: bool = True,
) -> Iterator[Terminal]:
    """stdout: its standard output goes there, and not to the terminal. stdin: False: it cannot read
    what is typed."""
    opened = Terminal(*arguments, columns=columns, lines=lines, env=env, stdout=stdout, stdin=stdin)
    try:
        yield opened
    finally:
        opened.close()
