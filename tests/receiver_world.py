"""A receiver that serves, and clients for it: one that knows HTTP, and one that sends raw bytes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from programs import PATIENCE

from ruuvi_host.receiver import Receiver, Settings, sign

KEY = b"40:98:A7:78:58:1A:E1:38"
SETTINGS = Settings(keys=(KEY,))


def body(nonce: int = 1) -> bytes:
    tag = {"rssi": -70, "timestamp": 1612358929}
    data = {"coordinates": "", "timestamp": 1612358930, "nonce": nonce}
    data |= {"gw_mac": "AA:CC:EE:00:11:22", "tags": {"AA:BB:CC:01:02:03": tag}}
    return json.dumps({"data": data}).encode()


def headers(content: bytes, key: bytes = KEY) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "Ruuvi-HMAC-SHA256": sign(key, content).decode(),
    }


def request(content: bytes, length: int | None = None, more: Mapping[str, str] = {}) -> bytes:
    """The bytes of a whole post."""
    fields = headers(content) | {"Host": "x", "Content-Length": str(length or len(content))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**fields, **more}.items())
    return b"POST /record?x=1 HTTP/1.1\r\n" + lines.encode() + b"\r\n" + content


def with_receiver(
    settings: Settings, client: Callable[[Receiver], Awaitable[None]], **arguments: Any
) -> Receiver:
    """Run a client against a receiver; fail if asyncio has anything to complain about."""
    complaints: list[dict[str, Any]] = []

    async def main() -> Receiver:
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: complaints.append(context)
        )
        async with Receiver(settings, **arguments) as receiver:
            await client(receiver)
        return receiver

    receiver = asyncio.run(main())
    assert complaints == []
    return receiver


async def post(receiver: Receiver, content: bytes, key: bytes = KEY, **options: Any) -> Any:
    options = {"trust_env": False, "timeout": PATIENCE, **options}
    async with httpx.AsyncClient(**options) as client:
        return await client.post(receiver.url, content=content, headers=headers(content, key))


@asynccontextmanager
async def connection(
    receiver: Receiver,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    url = httpx.URL(receiver.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def exchange(receiver: Receiver, *pieces: bytes, eof: bool = False) -> bytes:
    """Send some bytes, perhaps end sending, and read until the receiver closes."""
    async with connection(receiver) as (reader, writer):
        writer.write(b"".join(pieces))
        if eof:
            writer.write_eof()
        return await reader.read()
