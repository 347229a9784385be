"""A bridge as a child process of `run --hci`: started, listened to, started again, and ended.

It ends with us, however we end: it reads from a pipe, whose other end is ours alone.
"""

import asyncio
import logging
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from ruuvi_host.device.reopener import BackOff
from ruuvi_host.errors import DeviceError
from ruuvi_host.programs import Lines

log = logging.getLogger(__name__)

STARTING = 3.0
"""Seconds for which a host waits for the pty before it looks for it as for any port."""
STOPPING = 3.0
"""Seconds that it may take to stop."""

_LINE = re.compile(r"(?:\d\d:\d\d:\d\d )?(?:(WARNING|ERROR|Error): )?(.*)", re.DOTALL)
_LEVELS = {"WARNING": logging.WARNING, "ERROR": logging.ERROR, "Error": logging.ERROR}


class BridgeProcess:
    """`ruuvi-host bridge` on `transport`. A context manager: after it the process is gone.

    link: where its pty is found.
    """

    def __init__(self, transport: str) -> None:
        name = re.sub(r"[^0-9A-Za-z]+", "-", os.path.basename(transport)).strip("-")
        self.link = os.path.join(tempfile.gettempdir(), f"ruuvi-host-{name}-{secrets.token_hex(4)}")
        self._command = (
            *(sys.executable, "-m", "ruuvi_host", "bridge", "--hci", transport),
            *("--link", self.link, "--until-eof"),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = asyncio.Event()
        self._is_stopping = False
        self._told = ""
        """Its last line that was an error."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    async def run(self) -> None:
        """Listen to it until cancelled, and start it again when it has ended. Raises DeviceError
        when it ends before its pty was there for the first time."""
        back_off = BackOff()
        while True:
            code = await self._listen()
            # One that was killed leaves its link, and the system gives the number of its pty to the
            # next one: the host would open that, perhaps somebody's terminal.
            with suppress(OSError):
                os.unlink(self.link)
            if self._is_stopping:
                return
            if not self._ready.is_set():
                raise DeviceError(self._told or f"the bridge has ended: {_ending(code)}")
            pause = back_off.next()
            log.warning("the bridge has ended: %s; it is started again", _ending(code))
            await asyncio.sleep(pause)
            self.start()

    async def wait_until_ready(self) -> None:
        """Until its pty is there; not longer than it usually takes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STARTING):
                await self._ready.wait()

    def stop(self) -> None:
        """Tell it to end. `run` returns when it has, and has told its last lines."""
        self._is_stopping = True
        if self._process and self._process.stdin:
            with suppress(OSError):
                self._process.stdin.close()

    def start(self) -> None:
        """Start it. May be called before there is an event loop."""
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us: it is ended when the last batch is out
        )

    async def _listen(self) -> int:
        """Until it has ended: its exit code."""
        process = self._process
        assert process
        assert process.stdout
        assert process.stderr
        loop = asyncio.get_running_loop()
        path, pipe = await loop.connect_read_pipe(lambda: _Heard(self._hear_path), process.stdout)
        told, lines = await loop.connect_read_pipe(lambda: _Heard(self._hear), process.stderr)
        try:
            await pipe.ended.wait()
            await lines.ended.wait()
            return await asyncio.to_thread(process.wait)
        finally:
            path.close()
            told.close()

    def _hear_path(self, line: str) -> None:
        self._ready.set()

    def _hear(self, line: str) -> None:
        found = _LINE.fullmatch(line)
        assert found
        level = _LEVELS.get(found[1], logging.INFO)
        if level == logging.ERROR:
            self._told = found[2]
            if not self._ready.is_set() and found[1] == "Error":
                return  # it is raised
        log.log(level, "bridge: %s", found[2])

    def _end(self) -> None:
        process = self._process
        assert process
        self.stop()
        try:
            process.wait(STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
        with suppress(OSError):  # it was killed, and could not
            os.unlink(self.link)


class _Heard(asyncio.Protocol):
    """Tells what a pipe brings, line by line, and when it has ended."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self.ended = asyncio.Event()
        self._lines = Lines(hear)

    def data_received(self, data: bytes) -> None:
        self._lines.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lines.end()
        self.ended.set()


def _ending(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
