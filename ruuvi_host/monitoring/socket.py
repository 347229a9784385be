"""The Unix socket in the state directory over which a running host tells its status.

A client that connects gets one JSON document, then the connection is closed. The host reads nothing
from it. Only the owner may connect (mode 0600). A client that does not read the document within a
few seconds is disconnected: the host does not wait.

A service has one more, in the folder that systemd makes for it in /run: members of its group may
enter that, and connect there. State and configuration stay the user's own.
"""

import asyncio
import json
import os
import socket
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ruuvi_host.lifetime import closed

NAME = "status.sock"
PATIENCE = 5.0
"""Seconds that a client has for reading."""
MAX_CLIENTS = 16
"""At the same time; more are refused."""
MAX_DOCUMENT = 16 << 20
"""Bytes that `ask` accepts."""


class StatusSocket:
    """Serves the document that `status` returns, as long as `run` runs."""

    def __init__(
        self,
        directory: Path,
        status: Callable[[], dict[str, Any]],
        patience: float = PATIENCE,
        *,
        for_group: bool = False,
    ) -> None:
        self._directory = directory
        self._for_group = for_group
        self._status = status
        self._patience = patience
        self._clients: set[_Client] = set()

    async def run(self) -> None:
        """Until cancelled. Raises OSError when there can be no socket."""
        loop = asyncio.get_running_loop()
        with listening(self._directory, for_group=self._for_group) as socket:
            server = await loop.create_unix_server(self._client, sock=socket)
            try:
                await loop.create_future()
            finally:
                await closed(server)
                for client in list(self._clients):
                    client.drop()

    def _client(self) -> asyncio.Protocol:
        return _Client(self._status, self._clients, self._patience)


class _Client(asyncio.Protocol):
    """A connection. It needs no task: the transport writes by itself, and a timer ends it."""

    def __init__(
        self, status: Callable[[], dict[str, Any]], clients: "set[_Client]", patience: float
    ) -> None:
        self._status = status
        self._clients = clients
        self._patience = patience
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._clients) >= MAX_CLIENTS:
            transport.abort()
            return
        self._clients.add(self)
        self._timer = asyncio.get_running_loop().call_later(self._patience, transport.abort)
        transport.write(json.dumps(self._status()).encode() + b"\n")
        transport.close()  # when all of it is written

    def connection_lost(self, error: Exception | None) -> None:
        self._clients.discard(self)
        if self._timer:
            self._timer.cancel()

    def drop(self) -> None:
        if self._transport:
            self._transport.abort()


def ask(directory: Path, name: str = NAME, patience: float = PATIENCE) -> dict[str, Any] | None:
    """The status of the host that uses `directory`; None: no host runs there.

    name: of another of its sockets. patience: seconds.
    Raises OSError when it cannot be asked, and ValueError when its answer is no status.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(patience)
        try:
            with short_path(directory, name) as path:
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


def owner(directory: Path) -> int | None:
    """The process of the host that uses `directory`; None: no host runs there, or in another
    container. Raises OSError when it cannot be asked."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            with short_path(directory, NAME) as path:
                client.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        # Of who listens, as the kernel knows it: a number in a file may be another process by now.
        size = struct.calcsize("3i")
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        process, _, _ = struct.unpack("3i", credentials)
        return process or None


def place_for_members(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of a socket for the group; None: this is no service, or has no such folder."""
    folder = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(folder) if folder else None


@contextmanager
def listening(
    directory: Path, name: str = NAME, *, for_group: bool = False
) -> Iterator[socket.socket]:
    """A socket that only its owner may connect to, while the block runs. An old one is from a
    process that has ended, because we have the lock.

    for_group: its group may, too, if it may enter the directory. Raises OSError.
    """
    path = directory / name
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(directory, name) as short:
            listening.bind(short)
        path.chmod(0o660 if for_group else 0o600)  # before anybody can connect
        listening.listen()
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    try:
        yield listening
    finally:
        with suppress(OSError):
            path.unlink()


@contextmanager
def short_path(directory: Path, name: str) -> Iterator[str]:
    """A short path of the socket: the system limits it to 107 bytes."""
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{name}"
    finally:
        os.close(folder)
