"""Clients that mean no good to an HTTP server on this machine.

Run as a program, with a port and the head of a good request. Goes on until it is killed, for 90 s
at most.
"""

import asyncio
import sys
from contextlib import suppress

SECONDS = 90


async def send(port: int, raw: bytes, *, reads: bool = True) -> None:
    """And wait until the server has enough of it."""
    with suppress(ConnectionError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
        try:
            if not reads:
                writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(raw)
            await writer.drain()
            if reads:
                await reader.read()
            else:
                await asyncio.sleep(SECONDS)
        finally:
            writer.transport.abort()


async def drip(port: int, head: bytes) -> None:
    """A head that never ends."""
    while True:
        with suppress(ConnectionError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(head)
                while not reader.at_eof():
                    writer.write(b"X: y\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.2)  # so slow is a drip
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.2)  # it is about slow ones, not about a flood


async def flood(port: int) -> None:
    """One connection after the other."""
    while True:
        await send(port, b"\x16\x03\x01garbage\r\n\r\n")


async def attack(port: int, head: bytes) -> None:
    """A hundred slow clients, floods, deaf ones and large bodies, all at once."""
    get = head + b"\r\n"
    large = b"POST /ruuvi.json HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n"
    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
        for _ in range(100):
            group.create_task(drip(port, head))
        for _ in range(5):
            group.create_task(flood(port))
        for _ in range(20):
            group.create_task(send(port, get * 20_000, reads=False))
        for _ in range(10):
            group.create_task(send(port, large + bytes(8_000_000)))
        print("under way", flush=True)


if __name__ == "__main__":
    asyncio.run(attack(int(sys.argv[1]), sys.argv[2].encode()))
