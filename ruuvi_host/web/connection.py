"""HTTP/1.1 connections: uvicorn's, with the limits that it leaves to a proxy in front of it.

The only module that uses uvicorn, and only its protocol of a connection: its Server takes over
signals, exits the process on errors and polls ten times a second, which is of no use beside others
in one loop.

Where uvicorn does otherwise: it has no time limit before an answer and none for sending it; accepts
any number of connections (here the one that waits for longest leaves); answers every bad request
with 400 in its own form; decodes paths; takes the absolute form for a path; and closes the
connection of a client that ends its sending side before the answer.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any, TypeAlias, cast

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from ruuvi_host.web.client import is_local
from ruuvi_host.web.crowd import admit, make_room
from ruuvi_host.web.limits import Limits
from ruuvi_host.web.parser import Parser
from ruuvi_host.web.patience import Patience, Phase
from ruuvi_host.web.raw import AS_IT_IS, last_answer, send_as_it_is
from ruuvi_host.web.target import Headers, path_and_headers

App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application. `path` is what stands in the request: not decoded."""
Client: TypeAlias = tuple[str, int] | None
Refuse: TypeAlias = Callable[[Client, int, str], tuple[Headers, bytes]]
"""Header fields and body for a client that is answered without the application: client, status and
reason. Content-Length and Connection are added."""


QUEUE = 128
"""Connections that the system keeps for us."""
ACCEPTED = 4
"""Of those, how many asyncio takes at a time, before it reads what the last ones have sent. (For
asyncio this and QUEUE are one number.)"""
NOTICE = 0.1
"""Seconds for an application to notice that its client has gone."""


class Connections:
    """Makes the connections of a server, and keeps track of the open ones."""

    def __init__(self, app: App, limits: Limits, refuse: Refuse) -> None:
        self.limits = limits
        self.refuse = refuse
        self._app = app
        self._state = ServerState()
        self.is_over = False
        """Who was accepted meanwhile comes too late. If left open, asyncio of Python 3.13 and newer
        writes a traceback for each when the program ends."""
        self._config = Config(
            cast(Any, self._run),
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            workers=1,
            proxy_headers=False,
            log_config=None,
            log_level="error",
            access_log=False,
            timeout_keep_alive=cast(int, limits.keep_alive),
        )
        self._config.load()

    @property
    def count(self) -> int:
        """Open ones, those that have to leave included."""
        return len(self._state.connections)

    def make(self, *, inside: bool = False) -> asyncio.Protocol:
        """The protocol of a new connection. inside: which has to be from this machine."""
        return _Connection(self._config, self._state, self, inside=inside)

    async def serve(
        self, listening: socket.socket, *, inside: bool = False, **tls: Any
    ) -> asyncio.Server:
        """Accept connections. The socket may be of any family.

        inside: from this machine only. tls: as for `create_server`.
        """
        if listening.family != socket.AF_UNIX:
            # uvicorn writes head and body apart, and the system would keep the second back for 40
            # ms. Connections inherit it; asyncio sets it for sockets that it makes itself only.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Not create_unix_server, which would remove the path of a socket that is systemd's.
        server = await asyncio.get_running_loop().create_server(
            partial(self.make, inside=inside),
            sock=listening,
            backlog=ACCEPTED,
            **tls,
        )
        listening.listen(QUEUE)
        return server

    def finish(self) -> None:
        """Close those that are not being answered, and the others behind their answer."""
        for connection in self._all():
            connection.shutdown()

    async def drop(self, patience: float = 0.0) -> None:
        """Close all of them. patience: seconds for answers that are under way; the rest of the
        requests get none. Whoever comes after that is sent away."""
        self.is_over = True
        self.finish()
        if patience and self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=patience)
        for connection in self._all():
            connection.transport.abort()
        if self._state.tasks:
            # The application notices that the client has gone, unless it waits for something else.
            await asyncio.wait(self._state.tasks, timeout=NOTICE)
        while self._state.tasks:
            for task in list(self._state.tasks):
                task.cancel()
            await asyncio.wait(self._state.tasks)

    def admit(self, newcomer: "_Connection") -> None:
        """There is one more."""
        admit(newcomer, self._all(), self.limits)

    def make_room(self) -> None:
        """If there are too many, some have to leave."""
        make_room(self._all(), self.limits)

    def _all(self) -> "list[_Connection]":
        return list(cast("set[_Connection]", self._state.connections))

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        path, scope["headers"] = path_and_headers(scope["raw_path"], scope["headers"])
        scope["path"], scope["raw_path"] = path, path.encode("latin-1")
        cycle = cast(RequestResponseCycle, send.__self__)
        scope["extensions"] = {AS_IT_IS: partial(send_as_it_is, cycle)}
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            return  # see drop(): nobody is left to be answered


class _Connection(H11Protocol):
    """uvicorn's connection, with limits."""

    def __init__(
        self, config: Config, state: ServerState, server: Connections, *, inside: bool
    ) -> None:
        super().__init__(config, state, app_state={})
        self._inside = inside
        self._server = server
        self._limits = server.limits
        self.conn = self._parser = Parser(server.limits)
        self._timer: asyncio.TimerHandle | None = None
        self._chance: asyncio.TimerHandle | None = None
        self.had_chance = False
        self._is_first = True
        self._is_refused = self._has_ended = False
        now = self.loop.time()
        self._patience = Patience(server.limits, since=now, heard=now)

    # -- what the crowd asks: see crowd.Guest -----------------------------------------------------

    @property
    def phase(self) -> Phase:
        if self.transport.is_closing():
            return Phase.CLOSING
        if self._is_refused:
            return Phase.REFUSED
        if self._parser.is_between and not self._is_first:
            return Phase.IDLE
        if self._parser.awaits_head:
            return Phase.HEAD
        return Phase.BODY if self._parser.awaits_body else Phase.ANSWER

    @property
    def since(self) -> float:
        return self._patience.since

    @property
    def is_deaf(self) -> bool:
        return self._patience.unsent is not None

    def abort(self) -> None:
        self.transport.abort()

    def leave(self) -> None:
        """There are too many."""
        if self.phase is Phase.HEAD:
            self._reject(503, f"more than {self._limits.connections} connections")
        elif self.is_deaf:
            self.transport.abort()
        else:
            self.transport.close()  # the app, which waits for the rest of the body, tells of it

    # -- what asyncio and uvicorn call ------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._server.is_over or (self._inside and not is_local(self.client)):
            transport.abort()
            return
        self._note(begins=True)
        self._watch()
        # A timer of its own: when it fires, what had come from this client by then has been read,
        # however long a turn of the loop takes under load.
        self._chance = self.loop.call_later(self._limits.newcomer, self._has_had_chance)
        self._server.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in filter(None, (self._timer, self._chance)):
            timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.phase
        if before in (Phase.REFUSED, Phase.CLOSING):
            return  # the rest of a request that was refused
        if self._parser.is_between and not (data := data.lstrip(b"\r\n")):
            return  # RFC 9112, 2.2: empty lines before a request are passed over
        self._note(begins=before is Phase.IDLE)
        super().data_received(data)
        if before is Phase.IDLE:
            self._watch()
        elif before is Phase.BODY and self._parser.awaits_head:  # of one that was not waited for
            self._note(begins=True)
            self._watch()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection if a complete request has still to be answered. (TLS cannot.)

        A client that ends its sending side looks the same as one that disconnects.
        """
        self._has_ended = True
        pending = self.phase is Phase.ANSWER
        return pending and self._limits.half_closed and self.scheme == "http"

    def on_response_complete(self) -> None:
        self._is_first = False
        self._note(begins=True)
        super().on_response_complete()
        if self._has_ended and self._parser.awaits_head:
            self.transport.close()
        self._watch()
        if self.phase is Phase.IDLE:
            self._server.make_room()

    def shutdown(self) -> None:
        if self.phase not in (Phase.REFUSED, Phase.CLOSING):
            super().shutdown()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """The request is refused; called by uvicorn."""
        cycle = self._cycle()
        if cycle is None or cycle.response_complete:
            self._reject(self._parser.refusal.status, self._parser.refusal.reason)
        else:
            # The head was valid, only what follows is not: the app answers, and closes.
            self.flow.pause_reading()

    def _has_had_chance(self) -> None:
        self.had_chance = True
        self._server.make_room()

    # -- its patience -----------------------------------------------------------------------------

    def _note(self, *, begins: bool) -> None:
        """Something has come, or was answered. begins: to wait for a request, or a request."""
        self._patience.heard = self.loop.time()
        if begins:
            self._patience.since = self._patience.heard

    def _note_unsent(self) -> None:
        if not self.transport.get_write_buffer_size():
            self._patience.unsent = None
        elif self._patience.unsent is None:
            self._patience.unsent = self.loop.time()

    def _watch(self) -> None:
        """Look again when the patience may end."""
        if self._timer:
            self._timer.cancel()
        self._note_unsent()
        due = self._patience.due(self.phase)
        self._timer = self.loop.call_at(due, self._look) if due < inf else None

    def _look(self) -> None:
        self._timer = None
        self._note_unsent()
        phase, now = self.phase, self.loop.time()
        if now < self._patience.due(phase):
            self._watch()
        elif self.is_deaf or phase is Phase.REFUSED:
            self.transport.abort()
        elif phase is Phase.BODY and (cycle := self._cycle()) and cycle.response_complete:
            self.transport.close()  # answered before its body was complete
        elif self._parser.is_between and not self._limits.answers_silence:
            self.transport.close()
        else:
            self._reject(408, self._patience.why(phase, now))

    def _reject(self, status: int, reason: str) -> None:
        """Answer without the app, and close when the client has had time to read it."""
        cycle = self._cycle()
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started:
                self.transport.abort()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        headers, body = self._server.refuse(self.client, status, reason)
        self.transport.write(last_answer(status, headers, body))
        self._is_refused = True
        self._note(begins=False)
        if self._has_ended or not self.transport.can_write_eof():
            self.transport.close()
        else:
            with suppress(OSError):  # it has gone, and asyncio does not know yet
                self.transport.write_eof()
        self._watch()

    def _cycle(self) -> RequestResponseCycle | None:
        """The last request whose head was complete (uvicorn's type has no None)."""
        return cast("RequestResponseCycle | None", self.cycle)
