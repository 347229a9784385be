"""The way from hosts to a cluster, for tools/cluster.py: to the next node that is there; and what
brokers have acknowledged, noted from the packets that pass by."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from time import monotonic

PUBLISH, PUBACK = 0x30, 0x40
CONNECTING = 3.0
"""Seconds until the next node is tried."""

Told = tuple[str, bytes]
"""Topic and payload."""


class Packets:
    """Cuts a stream into the packets of MQTT."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """First byte and body of each packet that is complete."""
        rest = self._rest + data
        at = 0
        while (head := _head(rest, at)) is not None:
            start, length = head
            if len(rest) < start + length:
                break
            yield rest[at], rest[start : start + length]
            at = start + length
        self._rest = rest[at:]


def _head(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the body begins, and its length. None: it is not there yet."""
    length = 0
    for place in range(4):
        if len(data) < at + place + 2:
            return None
        byte = data[at + 1 + place]
        length |= (byte & 127) << (7 * place)
        if byte < 128:
            return at + 2 + place, length
    raise ValueError("this is not MQTT")


class Tap:
    """Listens for hosts, and passes on what they say. A context manager.

    nodes: ports of brokers, or of one proxy in front of them. They are tried in turn, so that hosts
    spread over them, and come to another one when theirs is gone.
    """

    def __init__(self, nodes: Sequence[int]) -> None:
        self.port = 0
        self.acknowledged: dict[Told, float] = {}
        """Messages with QoS 1, and the monotonic seconds of their PUBACK."""
        self._nodes = nodes
        self._turn = count()
        self._news = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> "Tap":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            node = await self._connect()
            if node is None:
                return
            from_node, to_node = node
            sent: dict[int, Told] = {}
            one = asyncio.create_task(self._pass(reader, to_node, sent, from_host=True))
            other = asyncio.create_task(self._pass(from_node, writer, sent, from_host=False))
            await asyncio.wait({one, other}, return_when=asyncio.FIRST_COMPLETED)
            for each in (one, other):
                each.cancel()
            to_node.close()
        finally:
            writer.close()
            self._writers.discard(writer)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        first = next(self._turn)
        for step in range(len(self._nodes)):
            port = self._nodes[(first + step) % len(self._nodes)]
            try:
                async with asyncio.timeout(CONNECTING):
                    return await asyncio.open_connection("127.0.0.1", port)
            except (OSError, TimeoutError):
                continue
        return None

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        sent: dict[int, Told],
        *,
        from_host: bool,
    ) -> None:
        packets = Packets()
        try:
            while data := await reader.read(65536):
                for first, body in packets.feed(data):
                    if from_host and first & 0xF0 == PUBLISH and first & 0x06:
                        self._note_publish(body, sent)
                    elif not from_host and first == PUBACK:
                        self._note_puback(body, sent)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # one of the two has gone: so does the other

    def _note_publish(self, body: bytes, sent: dict[int, Told]) -> None:
        size = int.from_bytes(body[:2], "big")
        topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
        sent[int.from_bytes(rest[:2], "big")] = topic, rest[2:]

    def _note_puback(self, body: bytes, sent: dict[int, Told]) -> None:
        told = sent.pop(int.from_bytes(body[:2], "big"), None)
        if told:
            self.acknowledged[told] = monotonic()
            self._news.set()

    async def until(self, enough: int, seconds: float) -> None:
        """Wait until so many messages are acknowledged. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while len(self.acknowledged) < enough:
                self._news.clear()
                await self._news.wait()

    def longest_gap(self, since: float, until: float) -> float:
        """Seconds without any PUBACK between the two."""
        times = sorted(
            [since, *(t for t in self.acknowledged.values() if since <= t <= until), until]
        )
        return max(b - a for a, b in pairwise(times))
