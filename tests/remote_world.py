"""Fetching a configuration from servers of a test."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from posting import Request, Server, read_request, serving

from ruuvi_host.config.remote import RemoteSettings
from ruuvi_host.remote.answer import Download
from ruuvi_host.remote.download import fetch
from ruuvi_host.remote.memory import Memory

MAC = "AA:CC:EE:00:11:22"
OWN, COMMON = "/gw/AACCEE001122.json", "/gw/gw_cfg.json"
TEXT = '{"remote_cfg_use":true,"coordinates":"60,25"}'

Misbehave = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def ok(body: bytes | str = TEXT, *headers: str, status: str = "200 OK") -> bytes:
    """An answer with this body."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(content)}", "", ""]
    return "\r\n".join(lines).encode() + content


async def silent(request: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def hanging_up(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


MISSING = ok("nope", status="404 Not Found")


@asynccontextmanager
async def files(
    answers: dict[str, bytes | Misbehave], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """A server with an answer, or a way to misbehave, for each target; 404 for others."""
    server = Server("https" if tls else "http")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        server.requests.append(request)
        answer = answers.get(request.line.split(" ")[1], MISSING)
        if isinstance(answer, bytes):
            writer.write(answer)
        else:
            await answer(request, writer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with serving(handle, tls) as server.port:
        yield server


async def get(
    url: str, memory: Memory | None = None, *, time_limit: float = 10.0, **settings: Any
) -> Download:
    """One fetch of the host with the address MAC. settings: of RemoteSettings."""
    return await fetch(
        RemoteSettings(url, **settings), MAC, memory or Memory(), time_limit=time_limit
    )


def asked(server: Server) -> list[str]:
    """The targets, in the order of the requests."""
    return [request.line.split(" ")[1] for request in server.requests]
