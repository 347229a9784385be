"""Servers for the tests of delivery: they record what comes, byte for byte, and answer with the
bytes that they were given. And posters that post to them.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from standing_clock import pass_time, standing

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.targets import Authorization, HttpTarget
from ruuvi_host.relay.http.outcome import PostOutcome
from ruuvi_host.relay.http.poster import PHASE_TIMEOUT, TOTAL_TIMEOUT, Poster
from ruuvi_host.relay.http.signing import Signer
from ruuvi_host.relay.sink import Verdict

GATEWAY = DeviceId(bytes.fromhex("4098A778581AE138"), bytes.fromhex("C8252D8E9C2C"))
BODY = b'{"data": {}}'
ACCEPTED = PostOutcome(Verdict.ACCEPTED, code=200)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

SOON = 0.5
"""Seconds for a server that never answers. For all that comes before it is long enough where time
stands still (standing_clock.py)."""


@dataclass
class Request:
    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def __getitem__(self, name: str) -> str:
        (value,) = [value for given, value in self.headers if given == name]
        return value

    def __contains__(self, name: str) -> bool:
        return any(given.lower() == name.lower() for given, _ in self.headers)


@dataclass
class Server:
    """Where it is, and what came."""

    scheme: str
    port: int = 0
    host: str = "127.0.0.1"
    requests: list[Request] = field(default_factory=list)
    answers: tuple[bytes, ...] = ()
    contexts: list[ssl.SSLContext] = field(default_factory=list)
    served: int = 0
    """Requests, of servers that do not keep them."""
    resumed: int = 0
    """Those of them over a resumed TLS session."""

    def url(self, path: str = "/") -> str:
        return f"{self.scheme}://{self.host}:{self.port}{path}"


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head[:-4].split("\r\n")
    headers = [(name, value) for name, _, value in (each.partition(": ") for each in lines)]
    request = Request(line, headers, b"")
    if "Content-Length" in request:
        request.body = await reader.readexactly(int(request["Content-Length"]))
    return request


@asynccontextmanager
async def serving(
    handler: Handler, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """The port of a server on this machine; every connection is closed at the latest at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(
            ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError
        ):
            await handler(reader, writer)

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The task is known before it has begun: cancelled before that, it would close nothing."""
        task = asyncio.create_task(handle(reader, writer))
        tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            writer.transport.abort()
            tasks.discard(task)
            if not task.cancelled() and (error := task.exception()):
                told = {"message": "a server of a test has failed", "exception": error}
                task.get_loop().call_exception_handler(told)

        task.add_done_callback(ended)

    server = await asyncio.start_server(accepted, host, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def answering(*answers: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server that gives these answers in turn, then the last one for ever."""
    server = Server("https" if tls else "http", answers=answers)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.requests.append(await read_request(reader))
        writer.write(server.answers[min(len(server.requests), len(server.answers)) - 1])
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with serving(handle, tls) as server.port:
        yield server


def answer(status: int, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status} Said so", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@asynccontextmanager
async def poster_for(
    server: Server,
    *,
    path: str = "/record",
    secret: str | None = None,
    phase_timeout: float = PHASE_TIMEOUT,
    total_timeout: float = TOTAL_TIMEOUT,
    rest: float = 0.0,
    **settings: Any,
) -> AsyncIterator[Poster]:
    """settings: of its HttpTarget. rest: 0: a kept connection is used again at once."""
    if secret:
        settings["authorization"] = Authorization(f"Bearer {secret}")
    target = HttpTarget("custom", server.url(path), **settings)
    poster = Poster(target, phase_timeout=phase_timeout, total_timeout=total_timeout, rest=rest)
    try:
        yield poster
    finally:
        await poster.close()


async def post(server: Server, **options: Any) -> PostOutcome:
    """One post; options as for `poster_for`."""
    async with poster_for(server, **options) as poster:
        return await poster.post(BODY, GATEWAY)


def outcome_of(handler: Handler, **options: float) -> PostOutcome:
    """How a post to such a server ends, which lets time pass by `pass_time`."""

    async def main() -> PostOutcome:
        async with serving(handler) as port:
            return await post(Server("http", port), **options)

    return standing(main())


def outcome_of_answer(*answers: bytes, **settings: Any) -> PostOutcome:
    """How a post ends that is answered so. settings: of its HttpTarget."""

    async def main() -> PostOutcome:
        async with answering(*answers) as server:
            return await post(server, **settings)

    return asyncio.run(main())


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that takes connections, and that is all. Where time stands still it lets it pass."""
    while True:
        await pass_time(SOON / 4)


def signed_with(key: bytes | None) -> str:
    """The signature of BODY; None: with the default key."""
    signer = Signer()
    if key:
        signer.replace_key(key)
    return signer.sign(BODY, GATEWAY)
