"""Serial ports that are reached over the network.

socket:// is a plain TCP connection of asyncio's own, rfc2217:// is pyserial's client, which a
thread reads because it has no file descriptor that the event loop could wait for.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar
from urllib.parse import urlsplit

from ruuvi_host.device.port import Port
from ruuvi_host.device.pyserial import Rfc2217Client
from ruuvi_host.device.trouble import describe
from ruuvi_host.errors import PortError

_CONNECT_TIMEOUT = 5.0
_POLL_TIMEOUT = 0.1
_READ_SIZE = 1 << 14
"""asyncio reads up to 256 KiB at once, in which a flood holds the loop up for half a second."""

A = TypeVar("A")


def address(url: str) -> tuple[str, str, int]:
    """Scheme, host and port number of a URL."""
    scheme = url.partition("://")[0]
    if scheme not in ("socket", "rfc2217"):
        raise PortError(
            url, "unknown kind of port; network ports begin with socket:// or rfc2217://"
        )
    try:
        parts = urlsplit(url)
        host, number = parts.hostname, parts.port
    except ValueError:
        host = number = None
    if not host or not number:
        raise PortError(url, f"not an address; write {scheme}://host:port")
    return scheme, host, number


async def connect(port: Port, host: str, number: int) -> None:
    """Connect a socket:// port. Raises PortError."""
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: _SmallReads(port), host, number)
    except (TimeoutError, OSError) as error:
        raise PortError(port.path, f"cannot be opened: {describe(error)}") from error


class _SmallReads(asyncio.BufferedProtocol):
    """Reads into a buffer of a fixed size, and hands over what came."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._buffer = memoryview(bytearray(_READ_SIZE))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._port.connection_made(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._port.data_received(bytes(self._buffer[:nbytes]))

    def connection_lost(self, exc: BaseException | None) -> None:
        self._port.connection_lost(exc)


def open_rfc2217(url: str, baud: int, dtr: bool, rts: bool) -> Rfc2217Client:
    """Connect and negotiate. Blocks. Raises PortError."""
    client = Rfc2217Client(baudrate=baud, timeout=_POLL_TIMEOUT)
    client.port, client.dtr, client.rts = url, dtr, rts
    try:
        client.open()
    except (OSError, ValueError) as error:
        raise PortError(url, f"cannot be opened: {describe(error.__context__ or error)}") from error
    return client


class Rfc2217Transport(asyncio.Transport):
    """Reads pyserial's client in a thread, which waits until the loop has taken what it read."""

    def __init__(self, port: Port, client: Rfc2217Client) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._port = port
        self._client = client
        self._aborted = False
        self._taken = threading.Event()
        self._may_read = threading.Event()
        self._may_read.set()
        port.connection_made(self)
        threading.Thread(target=self._read, name=f"read {port.path}", daemon=True).start()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        # Blocks only when the socket's buffer is full, for which a session writes too little.
        with suppress(OSError):  # the thread notices it too
            self._client.write(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    def abort(self) -> None:
        self._aborted = True
        self._may_read.set()

    def _read(self) -> None:
        loss: Exception | None = None
        while not self._aborted:
            try:
                data = self._client.read(1)
                data += self._client.read(self._client.in_waiting)
            except OSError as error:
                loss = error
                break
            if data:
                self._taken.clear()
                self._tell(self._hand_over, data)
                # Until the loop has had its turn, and for as long as it wants no more. One that is
                # closed never has.
                while not (
                    self._taken.wait(_POLL_TIMEOUT) or self._aborted or self._loop.is_closed()
                ):
                    pass
                self._may_read.wait()
        self._client.close()
        self._tell(self._port.connection_lost, loss)

    def _hand_over(self, data: bytes) -> None:
        self._port.data_received(data)
        self._taken.set()

    def _tell(self, function: Callable[[A], None], argument: A) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(function, argument)
