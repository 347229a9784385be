"""The local API below its routes: how long a client may take, and who must leave when there are
many.

Each limit is made short where it is waited for; the figures of the specification are held by one
test.
"""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import pytest
from api_transport_world import (
    GET,
    Server,
    padded,
    post,
    serve,
    status,
)
from programs import PATIENCE
from server_log import no_complaint as no_complaint
from standing_clock import pass_time

from ruuvi_host.web.crowd import STUBBORN
from ruuvi_host.web.limits import Limits

# -- time -----------------------------------------------------------------------------------------


def test_the_times_of_the_specification() -> None:
    limits = Limits()
    assert (limits.head_time, limits.request_time, limits.silence) == (5, 30, 3)
    assert (limits.sending, limits.connections) == (15, 16)
    assert (limits.head, limits.body) == (16 << 10, 64 << 10)


@pytest.mark.parametrize("begun", [b"G", b"GET /his", GET[:-2], post(b"{}")[:-1]])
def test_silence(begun: bytes) -> None:
    async def client(server: Server) -> None:
        assert await server.status(begun, ends=False) == 408
        assert await server.exchange(b"") == b""  # a browser may have connected on suspicion
        assert await server.exchange(b"\r\n") == b""

    serve(client, replace(Limits(), silence=0.1))


def test_silence_behind_an_answer_is_another_matter() -> None:
    async def client(server: Server) -> None:
        async with server.connect() as (reader, writer):
            for begun in (GET, GET[:-1]):
                writer.write(begun)
                await asyncio.sleep(0)
            answered = await reader.read()
            assert status(answered) == 200
            assert answered.count(b"HTTP/1.1 408 ") == 1
        async with server.connect() as (reader, writer):
            writer.write(GET)
            await reader.readuntil(b"GET /history? 0")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.3)

    serve(client, replace(Limits(), silence=0.1))


async def drip(server: Server, raw: bytes) -> bytes:
    """Byte by byte, never silent for long, until it is answered."""
    async with server.connect() as (reader, writer), asyncio.timeout(PATIENCE):
        answered = asyncio.ensure_future(reader.read())
        for byte in raw:
            writer.write(bytes([byte]))
            if (await asyncio.wait([answered], timeout=0.005))[0]:
                break
        return await answered


def test_bytes_in_time_do_not_prolong_a_head() -> None:
    async def client(server: Server) -> None:
        assert status(await drip(server, padded(1000))) == 408

    serve(client, replace(Limits(), head_time=0.3))


def test_bytes_in_time_do_not_prolong_a_body() -> None:
    async def client(server: Server) -> None:
        assert status(await drip(server, post(bytes(1000)))) == 408

    # The head alone takes longer than that, and may.
    serve(client, replace(Limits(), head_time=PATIENCE, request_time=0.3, silence=1.0))


def test_the_pause_between_two_requests() -> None:
    async def client(server: Server) -> None:
        answered = await server.exchange(GET)
        assert answered.count(b"HTTP/1.1 ") == 1

    serve(client, replace(Limits(), keep_alive=0.1))


def test_a_client_that_does_not_read() -> None:
    """Neither one answer, nor many: memory and connections come back."""

    async def client(server: Server) -> None:
        async with AsyncExitStack() as stack:
            for raw in (GET.replace(b"history", b"large"), GET * 20_000):
                reader, writer = await stack.enter_async_context(server.connect())
                reader._transport.pause_reading()  # type: ignore[attr-defined]
                writer.write(raw)
            while server.connections.count:  # noqa: ASYNC110 - nothing tells a client that is deaf
                await asyncio.sleep(0.01)

    serve(client, replace(Limits(), sending=0.2))


# -- how many -------------------------------------------------------------------------------------


def test_the_17th_connection_closes_the_oldest_idle_one() -> None:
    async def client(server: Server) -> None:
        async with AsyncExitStack() as stack:
            pairs = [await stack.enter_async_context(server.connect()) for _ in range(16)]
            for reader, writer in pairs:  # each has been served, and waits
                writer.write(GET)
                await reader.readuntil(b"GET /history? 0")
                await pass_time(0.02)
            pairs[0][1].write(GET)
            await pairs[0][0].readuntil(b"GET /history? 0")
            reader, writer = await stack.enter_async_context(server.connect())
            writer.write(GET)
            await reader.readuntil(b"GET /history? 0")
            async with asyncio.timeout(PATIENCE):
                assert await pairs[1][0].read() == b""  # the first has asked again since
            assert [r.at_eof() for r, _ in pairs].count(True) == 1

    serve(client, replace(Limits(), newcomer=0.0, silence=PATIENCE, head_time=PATIENCE))


def test_who_is_being_answered_stays() -> None:
    async def client(server: Server) -> None:
        async with AsyncExitStack() as stack:
            pairs = []
            for _ in range(20):  # one by one: who has not asked in time is a slow one
                server.slow.begun.clear()
                pairs.append(await stack.enter_async_context(server.connect()))
                pairs[-1][1].write(GET.replace(b"history", b"slow"))
                await server.slow.begun.wait()
            assert await server.status(GET) == 200  # and the others are served meanwhile
            await asyncio.sleep(0.6)  # by now they are no newcomers
            assert await server.status(GET) == 200
            server.slow.end.set()
            for reader, _ in pairs:
                assert status(await reader.readuntil(b"\r\n\r\n")) == 200

    serve(client)


@pytest.mark.parametrize("begun", [b"", b"GET /history HTTP/1.1\r\n", post(b"{}")[:-1]])
def test_a_hundred_slow_clients_beside_a_good_one(begun: bytes) -> None:
    async def client(server: Server) -> None:
        async with AsyncExitStack() as stack:
            slow = []
            for number in range(100):
                reader, writer = await stack.enter_async_context(server.connect())
                writer.write(begun)
                slow.append(reader)
                if number % 10 == 0:
                    assert await server.status(GET) == 200
            async with asyncio.timeout(PATIENCE):
                await slow[0].read()
            assert server.connections.count <= server.connections.limits.most + STUBBORN
            while server.connections.count > 16:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)

    serve(client)


def test_a_flood_of_connections() -> None:
    """Five hundred at once; who asks something meanwhile is answered. Those that find the queue of
    the system full knock again after a second of its clock, whatever ours says."""

    async def client(server: Server) -> None:
        async def one(number: int) -> None:
            with suppress(ConnectionError):
                await server.exchange(b"" if number % 2 else GET[:10], ends=True)

        async with asyncio.TaskGroup() as group:
            for number in range(500):
                group.create_task(one(number))
            assert await server.status(GET) == 200

    serve(client, by_clock=True)


class Peer(asyncio.Transport):
    """A connection from an address that no test may send to."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 1), "sockname": ("192.168.1.5", 80)})
        self.is_gone = False

    def abort(self) -> None:
        self.is_gone = True

    def is_closing(self) -> bool:
        return self.is_gone

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.is_gone = True


@pytest.mark.parametrize(("address", "stays"), [("127.0.0.1", True), ("192.168.1.9", False)])
def test_who_is_not_of_this_machine(address: str, stays: bool) -> None:
    async def client(server: Server) -> None:
        for inside in (False, True):
            protocol, peer = server.connections.make(inside=inside), Peer(address)
            protocol.connection_made(peer)
            assert peer.is_gone == (inside and not stays)
            protocol.connection_lost(None)

    serve(client)
