"""A stand-in for a broker: it refuses, stalls and withholds as it is told. MQTT 3.1.1, on TCP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple


class Published(NamedTuple):
    """A PUBLISH that came."""

    number: int
    """Packet identifier; 0 with QoS 0."""
    topic: str
    payload: bytes
    retained: bool
    duplicate: bool
    properties: bytes = b""
    """As they stand there; MQTT 5."""


@dataclass
class Peer:
    """What it does, and what it has got."""

    connack: bytes | None = b"\x20\x02\x00\x00"
    """None: nothing; empty: it hangs up."""
    confirms: Callable[[Published], bool] = lambda _: True
    """Does it answer with PUBACK?"""
    hangs_up: Callable[[Published], bool] = lambda _: False
    """Does it end the connection then?"""
    farewell: bytes = b""
    """What it sends before it does."""
    code: Callable[[Published], int] = lambda _: 0
    """Of its PUBACK; MQTT 5."""
    speaks: int = 5
    """The highest level of MQTT; 4: 3.1.1. It hangs up on a higher one."""
    says: bytes = b""
    """Properties of its CONNACK; MQTT 5."""
    level: int = 4
    """Of the last connection."""
    port: int = 0
    connects: list[bytes] = field(default_factory=list)
    """CONNECT packets, whole."""
    published: list[Published] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """How connections have ended: "DISCONNECT", or "closed"."""
    grants: int = 1
    """QoS of its SUBACK; 128: it refuses."""
    subscribed: list[str] = field(default_factory=list)
    """Topics."""
    withheld: int = 0
    """PUBACKs."""
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, enough: Callable[["Peer"], object]) -> None:
        async with asyncio.timeout(30):
            while not enough(self):
                self.news.clear()
                await self.news.wait()

    async def say(self, topic: str, payload: bytes) -> None:
        """A message to everybody, with QoS 0; MQTT 3.1.1."""
        name = topic.encode()
        body = len(name).to_bytes(2, "big") + name + payload
        for writer in list(self.writers):
            writer.write(bytes([0x30, len(body)]) + body)
            await writer.drain()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = "closed"
        self.writers.add(writer)
        try:
            while True:
                kind, body, whole = await _packet(reader)
                if kind == 0xE0:
                    end = "DISCONNECT"
                    break
                if not await self._answer(kind, body, whole, writer):
                    break
                self.news.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.writers.discard(writer)
            self.ended.append(end)
            self.news.set()

    async def _answer(
        self, kind: int, body: bytes, whole: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        """False: hang up."""
        if kind == 0x16:  # TLS
            return False
        if kind == 0x10:
            self.connects.append(whole)
            self.level = body[6]
            if self.level > self.speaks:
                return False
            if self.connack and self.level == 5:
                head = bytes([0x20, 3 + len(self.says), 0, self.connack[3], len(self.says)])
                writer.write(head + self.says)
            elif self.connack is not None:
                writer.write(self.connack)
            return self.connack != b""
        if kind & 0xF0 == 0x30:
            published = _published(kind, body, self.level)
            self.published.append(published)
            if self.hangs_up(published):
                writer.write(self.farewell)
                return False
            if published.number and self.confirms(published):
                number, code = published.number.to_bytes(2, "big"), self.code(published)
                writer.write(
                    b"\x40\x04" + number + bytes([code, 0]) if code else b"\x40\x02" + number
                )
            else:
                self.withheld += bool(published.number)
        if kind == 0x82:
            own = b"\0" if self.level == 5 else b""  # no properties
            topic = body[2 + len(own) :]
            self.subscribed.append(topic[2 : 2 + int.from_bytes(topic[:2], "big")].decode())
            answer = body[:2] + own + bytes([self.grants])
            writer.write(bytes([0x90, len(answer)]) + answer)
        if kind == 0xC0:
            writer.write(b"\xd0\x00")
        return True


@asynccontextmanager
async def peer(it: Peer | None = None, **does: object) -> AsyncIterator[Peer]:
    """One that listens, on a free port unless it has one, and hangs up at the end."""
    it = it or Peer(**does)  # type: ignore[arg-type]
    server = await asyncio.start_server(it.serve, "127.0.0.1", it.port)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        for writer in it.writers:
            writer.close()


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes, bytes]:
    head = await reader.readexactly(1)
    length = shift = 0
    while True:
        head += await reader.readexactly(1)
        length |= (head[-1] & 127) << shift
        shift += 7
        if head[-1] < 128:
            break
    if head[0] == 0x16:  # no packet of MQTT, but a handshake of TLS
        return head[0], b"", head
    body = await reader.readexactly(length)
    return head[0], body, head + body


def _published(kind: int, body: bytes, level: int) -> Published:
    size = int.from_bytes(body[:2], "big")
    topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
    number = 0
    if kind & 0x06:
        number, rest = int.from_bytes(rest[:2], "big"), rest[2:]
    properties = b""
    if level == 5:
        assert rest[0] < 128
        properties, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
    return Published(number, topic, rest, bool(kind & 1), bool(kind & 8), properties)
