"""The bytes of one connection, in both directions, plain or in TLS: asyncio and nothing else.

It is the protocol of its transport, and its own stream: a StreamReader does not say whether bytes
wait in it, and a connection that is kept may have none.
"""

import asyncio
import socket
import ssl
from typing import Any

_MUCH = 256 * 1024
"""Bytes that may wait here; then the server has to."""
_PIECE = 64 * 1024
"""Bytes that are handed to the system at once, so that progress is seen."""


class Wire(asyncio.Protocol):
    """One connection, from `open_wire` to `close`."""

    def __init__(self) -> None:
        self.ended = False
        """Nothing more will come."""
        self.error: Exception | None = None
        """Why it ended, if that is known."""
        self._transport: asyncio.Transport | None = None
        self._received: list[bytes] = []
        self._waiting = 0
        self._news = asyncio.Event()
        """Something has come, or the end."""
        self._may_write = asyncio.Event()

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        found: ssl.SSLObject | None = None
        if self._transport:
            found = self._transport.get_extra_info("ssl_object")
        return found

    async def is_quiet(self) -> bool:
        """Nothing has come that was not read, and the server has not hung up: as far as this
        machine knows."""
        for _ in range(2):  # in the first turn the loop asks the system, in the second it tells us
            await asyncio.sleep(0)
        return not (self._received or self.ended)

    async def read(self) -> bytes:
        """What has come; at least a byte, or nothing at the end: see `error` then."""
        while not self._received and not self.ended:
            self._news.clear()
            await self._news.wait()
        data, self._waiting = b"".join(self._received), 0
        self._received.clear()
        if self._transport and not self.ended:
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes, patience: float) -> bool:
        """Send it. False: an answer, or the end, came before all was sent.

        Raises TimeoutError after so many seconds without progress.
        """
        assert self._transport
        for start in range(0, len(data), _PIECE):
            if self.ended or self._received:
                return False
            self._transport.write(data[start : start + _PIECE])
            async with asyncio.timeout(patience):
                while not self._may_write.is_set():
                    self._news.clear()
                    if self.ended or self._received:
                        return False
                    await self._news.wait()
        return True

    async def start_tls(self, context: ssl.SSLContext, name: str, patience: float) -> None:
        """Inside of what is there already. Raises what `open_wire` raises."""
        assert self._transport
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(patience):
            inside = await loop.start_tls(
                *(self._transport, self, context),
                server_hostname=name,
                ssl_handshake_timeout=2 * patience,
            )
        assert isinstance(inside, asyncio.Transport)
        self._transport = inside

    def close(self) -> None:
        """At once; nobody waits for the server's farewell."""
        if self._transport:
            self._transport.abort()

    # --- called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        self._received.append(data)
        self._waiting += len(data)
        if self._waiting > _MUCH and self._transport:
            self._transport.pause_reading()
        self._news.set()

    def eof_received(self) -> bool | None:
        self.ended = True
        self._news.set()
        return None

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = True
        self.error = error
        self._news.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()
        self._news.set()


async def open_wire(
    sock: socket.socket, tls: tuple[ssl.SSLContext, str] | None, *, patience: float
) -> Wire:
    """On a connected socket, which it owns from now on; in TLS with a context, and a name that
    the certificate must be for.

    Raises TimeoutError, OSError (of which ssl.SSLError is one) and ValueError.
    """
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {}
    # What is not acknowledged for so long: a network that has gone, not a server that thinks.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, int(1000 * patience)))
    if tls:
        context, name = tls
        # Its own limit must not be faster than ours, which is told in a sentence.
        options = {"ssl": context, "server_hostname": name, "ssl_handshake_timeout": 2 * patience}
    try:
        async with asyncio.timeout(patience):
            _, wire = await loop.create_connection(Wire, sock=sock, **options)
    except BaseException:
        sock.close()
        raise
    return wire


async def connect(family: int, address: tuple[object, ...], *, patience: float) -> socket.socket:
    """A TCP connection to an IP address. Raises TimeoutError and OSError."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(patience):
            await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
