"""The local API below its routes, for tests that send it raw bytes over real connections: a server
whose application answers what the test wants."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from api_door import ListeningDoor
from programs import PATIENCE
from standing_clock import passing, standing
from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import answer
from ruuvi_host.api.app import App
from ruuvi_host.api.door import Door
from ruuvi_host.api.gate import Gate
from ruuvi_host.api.routes import Key, Route
from ruuvi_host.api.server import refuse
from ruuvi_host.web.connection import Connections
from ruuvi_host.web.limits import Limits

HOST = b"Host: gw.local\r\n"
GET = b"GET /history HTTP/1.1\r\n" + HOST + b"\r\n"
LARGE = 8 << 20


class OpenGate(Gate):
    """Has no host to ask who may pass."""

    async def check(self, request: Request, route: Route | None) -> Response | None:
        return None

    def finish(self, request: Request, response: Response) -> None:
        pass


class Refusing(OpenGate):
    async def check(self, request: Request, route: Route | None) -> Response | None:
        return answer(401)


async def told(request: Request, door: Door) -> Response:
    """What has come."""
    body = await request.body()
    text = f"{request.method} {request.scope['path']}?{request.scope['query_string'].decode()}"
    return answer(200, f"{text} {len(body)}".encode())


async def large(request: Request, door: Door) -> Response:
    return answer(200, bytes(LARGE))


async def broken(request: Request, door: Door) -> Response:
    raise ValueError("a secret /path")


async def bare(request: Request, door: Door) -> Response:
    return Response(b"", 204)


class Slow:
    """An answer that takes as long as the test wants."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.end = asyncio.Event()

    async def handler(self, request: Request, door: Door) -> Response:
        self.begun.set()
        await self.end.wait()
        return answer(200)


@dataclass
class Server:
    """A running one."""

    port: int
    slow: Slow
    connections: Connections

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def exchange(self, raw: bytes, *, ends: bool = False) -> bytes:
        """Send, and read until the server closes."""
        async with self.connect() as (reader, writer), asyncio.timeout(PATIENCE):
            writer.write(raw)
            if ends:
                writer.write_eof()
            return await reader.read()

    async def status(self, raw: bytes, *, ends: bool = True) -> int:
        return status(await self.exchange(raw, ends=ends))


def serve(
    client: Callable[[Server], Awaitable[None]],
    limits: Limits = Limits(),  # noqa: B008 - frozen
    gate: type[Gate] = OpenGate,
    *,
    by_clock: bool = False,
) -> None:
    """Run a client against a server; fail if asyncio has anything to complain about. Time passes by
    turns of the loop: nobody is too slow for a limit because the machine is. by_clock: it passes as
    anywhere else, for what waits for the system's own timers."""
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: complaints.append(context))
        slow = Slow()
        handlers = {"/history": told, "/large": large, "/broken": broken, "/bare": bare}
        handlers |= {"/slow": slow.handler}
        routes = [Route("GET", path, Key.READ, handler) for path, handler in handlers.items()]
        routes.append(Route("POST", "/ruuvi.json", Key.WRITE, told))
        door = ListeningDoor()
        connections = Connections(App(door, routes, gate(door)), limits, refuse)
        listening = socket.create_server(("127.0.0.1", 0))
        server = await connections.serve(listening)
        async with nullcontext() if by_clock else passing(0.02):
            try:
                await client(Server(listening.getsockname()[1], slow, connections))
            finally:
                server.close()
                await connections.drop()

    asyncio.run(main()) if by_clock else standing(main())
    assert complaints == []


def post(content: bytes, length: int | None = None, more: bytes = b"") -> bytes:
    fields = HOST + b"Content-Length: %d\r\n" % (len(content) if length is None else length) + more
    return b"POST /ruuvi.json HTTP/1.1\r\n" + fields + b"\r\n" + content


def status(answered: bytes) -> int:
    assert answered.startswith(b"HTTP/1.1 "), answered
    return int(answered[9:12])


def body(answered: bytes) -> bytes:
    return answered.partition(b"\r\n\r\n")[2]


def padded(size: int) -> bytes:
    """A request whose head has so many bytes."""
    begun = GET.removesuffix(b"\r\n") + b"X: "
    return begun + b"x" * (size - len(begun) - 4) + b"\r\n\r\n"
