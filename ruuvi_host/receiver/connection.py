"""HTTP/1.1 connections: uvicorn's, with the limits that it leaves to a proxy in front of it.

The only module that uses uvicorn, and only its protocol of a connection: its Server takes over
signals, exits the process on errors and polls ten times a second, which is of no use in tests.

uvicorn has no timeout for the head of a request, accepts any number of connections (here the
slowest client leaves for a new one), and closes the connection of a client that ends its sending
side before the answer. To invalid input it answers even while another answer is being sent, which
h11 then reports as an error.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeAlias, cast

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from ruuvi_host.receiver.app import App
from ruuvi_host.receiver.settings import Settings

HEAD_LIMIT = 16_384
"""Bytes of the head of a request."""

Client: TypeAlias = tuple[str, int] | None
Rejected: TypeAlias = Callable[[Client, int, str], None]
"""Called for each client that is answered without the app: client, status and reason."""


class Connections:
    """Makes the connections of a server, and keeps track of the open ones."""

    def __init__(self, app: App, settings: Settings, rejected: Rejected) -> None:
        self._settings = settings
        self._rejected = rejected
        self._state = ServerState()
        self._config = Config(
            cast(Any, app),
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            workers=1,
            proxy_headers=False,
            log_config=None,
            log_level="error",
            access_log=False,
            h11_max_incomplete_event_size=HEAD_LIMIT,
        )
        self._config.load()

    def make(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return _Connection(self._config, self._state, self._settings, self._rejected)

    async def drop(self) -> None:
        """Close all of them, without an answer to pending requests."""
        for connection in list(self._state.connections):
            connection.transport.abort()
        while self._state.tasks:
            await asyncio.wait(self._state.tasks)


class _Connection(H11Protocol):
    """uvicorn's connection, with limits."""

    def __init__(
        self, config: Config, state: ServerState, settings: Settings, rejected: Rejected
    ) -> None:
        super().__init__(config, state, app_state={})
        self._settings = settings
        self._rejected = rejected

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self._settings.head_timeout, self._head_is_late)
        self.opened = self.loop.time()
        if len(self.connections) > self._settings.max_connections:
            self._make_room()

    @property
    def is_sending(self) -> bool:
        """Its request is not complete."""
        cycle = self._cycle()
        return not self.transport.is_closing() and (cycle is None or cycle.more_body)

    def leave(self) -> None:
        """There are too many."""
        if self._cycle() is None:
            self._reject(503, f"more than {self._settings.max_connections} connections")
        else:
            self.transport.close()  # the app, which waits for the rest of the body, tells of it

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection if a complete request has still to be answered. (TLS cannot.)

        But not where the answer is delayed by the settings: then the client has had its timeout. A
        client that ends its sending side looks the same as one that disconnects.
        """
        waits = self._settings.hang or self._settings.delay > 0
        cycle = self._cycle()
        return cycle is not None and not cycle.more_body and not waits and self.scheme == "http"

    def send_400_response(self, msg: str) -> None:
        """The input is not HTTP; called by uvicorn."""
        if self._cycle() is None:
            self._reject(400, f"no HTTP request, or one with a head over {HEAD_LIMIT} bytes")
        else:
            # The head was valid, only what follows is not: the app answers, and closes.
            self.flow.pause_reading()

    def _make_room(self) -> None:
        """The client that has been sending its request for longest leaves; one that has only just
        connected cannot be called slow."""
        latest = self.opened - self._settings.make_room
        others = cast("set[_Connection]", self.connections) - {self}
        sending = [each for each in others if each.is_sending and each.opened <= latest]
        min(sending, key=lambda each: each.opened, default=self).leave()

    def _head_is_late(self) -> None:
        if self._cycle() is None and not self.transport.is_closing():
            limit = self._settings.head_timeout
            self._reject(408, f"no complete request head within {limit:g} s")

    def _reject(self, status: int, reason: str) -> None:
        """Answer and close, without the app."""
        self._rejected(self.client, status, reason)
        self.transport.write(
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            "Connection: close\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(reason) + 1}\r\n"
            f"\r\n{reason}\n".encode()
        )
        self.transport.close()

    def _cycle(self) -> RequestResponseCycle | None:
        """The current request, if its head is complete (uvicorn's type has no None)."""
        return cast("RequestResponseCycle | None", self.cycle)
