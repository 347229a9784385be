"""Real processes for tests: start one, wait for what it says, stop it."""

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import IO, Self

COMMAND = str(Path(sys.executable).with_name("ruuvi-host"))
PATIENCE = 30.0
"""Seconds until a test gives up waiting; a slow machine is not a failure."""


_SETPRIV = shutil.which("setpriv")
_DIES_WITH_US = (_SETPRIV, "--pdeathsig", "KILL") if _SETPRIV else ()
"""A test that is ended from outside must leave nothing behind."""


class Program:
    """A running program whose lines can be waited for. A context manager: nothing stays behind."""

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        assert not [a for a in arguments if a.startswith("/dev/pts/")], "see OnLine"
        self.arguments = arguments
        self.out: list[str] = []
        self.err: list[str] = []
        self._news: queue.Queue[None] = queue.Queue()
        self._process = subprocess.Popen(
            [*_DIES_WITH_US, *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | (env or {}),
        )
        assert self._process.stdout
        assert self._process.stderr
        self._threads = [
            threading.Thread(target=self._collect, args=pair)
            for pair in ((self._process.stdout, self.out), (self._process.stderr, self.err))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._finish()
        if error:
            print(self)  # pytest shows it

    def wait_for(self, pattern: str, count: int = 1) -> re.Match[str]:
        """The `count`th line, of stdout or stderr, in which `pattern` is found."""
        while True:
            found = [m for line in [*self.out, *self.err] if (m := re.search(pattern, line))]
            if len(found) >= count:
                return found[count - 1]
            try:
                self._news.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"no {pattern!r} from {self}") from None
            if self._process.poll() is not None and not any(t.is_alive() for t in self._threads):
                found = [m for line in [*self.out, *self.err] if (m := re.search(pattern, line))]
                assert len(found) >= count, f"no {pattern!r} from {self}, which has ended"

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it, and return its exit code."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Its exit code when it has ended by itself."""
        code = self._process.wait(PATIENCE)
        self._finish()
        return code

    def __str__(self) -> str:
        lines = "\n".join([*self.out, *self.err])
        return f"{' '.join(self.arguments)}:\n{lines}"

    def _collect(self, stream: IO[str], lines: list[str]) -> None:
        for line in stream:
            lines.append(line.rstrip("\n"))
            self._news.put(None)
        self._news.put(None)

    def _finish(self) -> None:
        self._process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()


def ruuvi_host(*arguments: str, env: Mapping[str, str] | None = None) -> Program:
    """The real command."""
    return Program(COMMAND, *arguments, env=env)


def read_again(host: Program) -> None:
    """Have a running host read its configuration again, until it has.

    Twice: the line of the first may be a late one of what was changed before.
    """
    read = "configuration read again"
    for _ in range(2):
        before = sum(read in line for line in host.err)
        os.kill(host.pid, signal.SIGHUP)
        host.wait_for(read, before + 1)


class OnLine(Program):
    """A command that plays a coprocessor on a pseudo-terminal. A context manager, like all.

    A host is given `port`, a symbolic link of its own: the system gives the number of a pty to the
    next one at once, and a host that looks for a lost port would take that one.
    """

    def __init__(self, *arguments: str, link: Path | None = None) -> None:
        self._folder = TemporaryDirectory(prefix="line-")
        self._link = link or Path(self._folder.name, "port")
        super().__init__(COMMAND, *arguments, "--link", str(self._link))

    @property
    def port(self) -> str:
        """Where to open it; waits until it is there."""
        self.wait_for("^/dev/")
        return str(self._link)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._link.unlink(missing_ok=True)  # it is killed, and cannot do that
        super().__exit__(kind, error, trace)
        self._folder.cleanup()


def simulated(*options: str, link: Path | None = None) -> OnLine:
    """`ruuvi-host simulate`: a simulated board."""
    return OnLine("simulate", *options, link=link)


def replayed(capture: Path, *options: str, link: Path | None = None) -> OnLine:
    """`ruuvi-host replay`: a capture that is played."""
    return OnLine("replay", str(capture), *options, link=link)
