"""The Unix socket in the state directory at which a running host tells how it is.

Whoever connects gets one JSON document and the end of the stream. Nothing is asked and nothing can
be told. The socket is for the owner alone (0600). The host waits for nobody: what a visitor does
not read within a few seconds is thrown away, and so is the visitor.
"""

import asyncio
import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

NAME = "status.sock"
PATIENCE = 5.0
"""Seconds that a visitor has for reading."""
MAX_VISITORS = 16
"""At the same time; more are turned away."""
MAX_DOCUMENT = 16 << 20
"""Bytes that a client takes."""


class StatusSocket:
    """Serves what `tell` returns as long as `run` runs."""

    def __init__(
        self, directory: Path, tell: Callable[[], dict[str, Any]], patience: float = PATIENCE
    ) -> None:
        self._directory = directory
        self._tell = tell
        self._patience = patience
        self._visitors: set[_Visitor] = set()

    async def run(self) -> None:
        """Until cancelled. Raises OSError when there can be no socket."""
        loop = asyncio.get_running_loop()
        listening = _listen(self._directory)
        try:
            server = await loop.create_unix_server(self._visitor, sock=listening)
            try:
                await loop.create_future()
            finally:
                server.close()
                for visitor in list(self._visitors):
                    visitor.drop()
        finally:
            with suppress(OSError):
                (self._directory / NAME).unlink()

    def _visitor(self) -> asyncio.Protocol:
        return _Visitor(self._tell, self._visitors, self._patience)


class _Visitor(asyncio.Protocol):
    """A connection. No task: the transport writes by itself, and a timer ends it."""

    def __init__(
        self, tell: Callable[[], dict[str, Any]], all_of_them: "set[_Visitor]", patience: float
    ) -> None:
        self._tell = tell
        self._all = all_of_them
        self._patience = patience
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._all) >= MAX_VISITORS:
            transport.abort()
            return
        self._all.add(self)
        self._timer = asyncio.get_running_loop().call_later(self._patience, transport.abort)
        transport.write(json.dumps(self._tell()).encode() + b"\n")
        transport.close()  # when all of it is written

    def connection_lost(self, error: Exception | None) -> None:
        self._all.discard(self)
        if self._timer:
            self._timer.cancel()

    def drop(self) -> None:
        if self._transport:
            self._transport.abort()


def ask(directory: Path) -> dict[str, Any] | None:
    """What the host that uses `directory` tells; None: no host does.

    Raises OSError or ValueError when it cannot be understood.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(PATIENCE)
        try:
            with _short(directory) as path:
                client.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        received = bytearray()
        while len(received) <= MAX_DOCUMENT and (part := client.recv(65536)):
            received += part
    document = json.loads(received)
    if not isinstance(document, dict):
        raise ValueError("not a status")
    return document


def _listen(directory: Path) -> socket.socket:
    """A socket at NAME. One that is there is from a process that has ended: we have the lock."""
    path = directory / NAME
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(directory) as short:
            listening.bind(short)
        path.chmod(0o600)  # until we listen nobody can connect
        listening.listen()
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


@contextmanager
def _short(directory: Path) -> Iterator[str]:
    """A short way to the socket: the system takes no more than 107 bytes."""
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)
