"""An open port whose bytes are read all the time, so that none is late because a test is busy.

An event loop in a thread reads it. Times are monotonic seconds.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from ruuvi_host.device.opening import open_port
from ruuvi_host.device.port import Port
from ruuvi_host.errors import PortError

IDLE = 1.5
"""Quiet time after which an incomplete frame is given up. Longer than a host's: a machine that is
busy for a moment must not cost a frame here. (0.6 s in the middle of one was seen.)"""
LETTING_GO = 5.0

T = TypeVar("T")


class Line:
    """A context manager: the port is open inside it.

    receive: called in the thread with what each read has brought; b"": nothing for IDLE seconds.
    lose: called in the thread when the port is lost.
    """

    def __init__(
        self,
        path: str,
        baud: int,
        receive: Callable[[bytes], None],
        lose: Callable[[PortError], None],
    ) -> None:
        self.path = path
        self._baud = baud
        self._receive = receive
        self._lose = lose
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="line", daemon=True)
        self._port: Port | None = None
        self._reader: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._port = self._open()
        except BaseException:
            self._end_loop()
            raise
        self._in_loop(self._start(self._port))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._in_loop(self._stop())
        self._end_loop()

    def send(self, raw: bytes) -> float:
        """Write; returns when."""
        assert self._port
        port = self._port

        async def write() -> float:
            now = time.monotonic()
            port.write(raw)
            return now

        return self._in_loop(write())

    def _open(self) -> Port:
        """Whoever had it before may need a moment to let it go."""
        until = time.monotonic() + LETTING_GO
        while True:
            try:
                return self._in_loop(open_port(self.path, self._baud))
            except PortError as error:
                if "in use" not in error.problem or time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _in_loop(self, what: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed():
            what.close()
            raise PortError(self.path, "is not open here")
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    def _end_loop(self) -> None:
        self._in_loop(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # --- in the thread

    async def _start(self, port: Port) -> None:
        self._reader = asyncio.get_running_loop().create_task(self._read(port), name="read")

    async def _read(self, port: Port) -> None:
        while True:
            try:
                data = await port.read(IDLE)
            except PortError as error:
                self._lose(error)
                return
            self._receive(data)

    async def _stop(self) -> None:
        if self._reader:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        if self._port:
            await self._port.close()
