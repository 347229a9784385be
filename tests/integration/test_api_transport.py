"""The local API below its routes: what is a request, what is too much of it, and who must leave.

Raw bytes over real connections. Each limit is made short where it is waited for; the figures of the
specification are held by one test.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from email.parser import BytesParser
from math import inf
from typing import Any

import pytest
from api_door import ListeningDoor
from conftest import ours
from programs import PATIENCE
from standing_clock import pass_time, passing, standing
from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import PROTECTION, answer
from ruuvi_host.api.app import App
from ruuvi_host.api.door import Door
from ruuvi_host.api.gate import Gate
from ruuvi_host.api.routes import Key, Route
from ruuvi_host.api.server import refuse
from ruuvi_host.web.connection import Connections
from ruuvi_host.web.crowd import STUBBORN
from ruuvi_host.web.limits import Limits

HOST = b"Host: gw.local\r\n"
GET = b"GET /history HTTP/1.1\r\n" + HOST + b"\r\n"
LARGE = 8 << 20


@pytest.fixture(autouse=True)
def no_complaint(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """uvicorn logs what our application should not have done."""
    yield
    assert [
        each.getMessage() for each in caplog.get_records("call") if each.name == "uvicorn.error"
    ] == []


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
) -> None:
    """Run a client against a server; fail if asyncio has anything to complain about. Time passes by
    turns of the loop: nobody is too slow for a limit because the machine is."""
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
        async with passing(0.02):
            try:
                await client(Server(listening.getsockname()[1], slow, connections))
            finally:
                server.close()
                await connections.drop()

    standing(main())
    assert complaints == []


def post(content: bytes, length: int | None = None, more: bytes = b"") -> bytes:
    fields = HOST + b"Content-Length: %d\r\n" % (len(content) if length is None else length) + more
    return b"POST /ruuvi.json HTTP/1.1\r\n" + fields + b"\r\n" + content


def status(answered: bytes) -> int:
    assert answered.startswith(b"HTTP/1.1 "), answered
    return int(answered[9:12])


def body(answered: bytes) -> bytes:
    return answered.partition(b"\r\n\r\n")[2]


# -- what is a request ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"GET /history HTTP/1.1", b"GET /history? 0"),
        (b"GET /history?a=%41&b HTTP/1.1", b"GET /history?a=%41&b 0"),
        (b"GET /history HTTP/1.0", b"GET /history? 0"),
        (b"GET http://gw.local/history?x HTTP/1.1", b"GET /history?x 0"),
        (b"GET HTTPS://gw.local:8080/history HTTP/1.1", b"GET /history? 0"),
        (b"HEAD /history HTTP/1.1", b""),
        (b"GET /%68istory HTTP/1.1", 404),
        (b"GET //history HTTP/1.1", 404),
        (b"GET /history/ HTTP/1.1", 404),
        (b"GET /History HTTP/1.1", 404),
        (b"GET ftp://gw.local/history HTTP/1.1", 404),
        (b"GET http://gw.local HTTP/1.1", 404),
        (b"POST /history HTTP/1.1", 404),
        (b"DELETE /history HTTP/1.1", 404),
        (b"OPTIONS /history HTTP/1.1", 405),
        (b"OPTIONS * HTTP/1.1", 405),
        (b"CONNECT gw.local:80 HTTP/1.1", 405),
        (b"PUT /nosuch HTTP/1.1", 405),
        (b"get /history HTTP/1.1", 405),
        (b"GET /history", 400),
        (b"GET /history FTP/1.1", 400),
        (b"GET /his tory HTTP/1.1", 400),
        (b"GET /histor\xc3\xbf HTTP/1.1", 400),
        (b"hello", 400),
        (b"GET /history HTTP/0.9", 505),
        (b"GET /history HTTP/1.2", 505),
        (b"GET /history HTTP/2", 505),
        (b"GET /history HTTP/9.9", 505),
        (b"PRI * HTTP/2.0", 505),
    ],
)
def test_request_lines(line: bytes, expected: bytes | int) -> None:
    async def client(server: Server) -> None:
        answered = await server.exchange(line + b"\r\n" + HOST + b"\r\n", ends=True)
        if isinstance(expected, bytes):
            assert (status(answered), body(answered)) == (200, expected)
        else:
            assert (status(answered), body(answered)) == (expected, b"{}")
        if expected == 405:
            assert b"\r\nallow: GET, HEAD, POST, DELETE\r\n" in answered

    serve(client)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET /history HTTP/1.1\r\n\r\n", 400),
        (b"GET /history HTTP/1.0\r\n\r\n", 200),
        (b"GET /history HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET /history HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET /history HTTP/1.1\r\nHOST: x\r\n\r\n", 200),
        (b"\r\n\r\n" + GET, 200),
        (GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200),
        (GET.replace(b"\r\n", b"\n"), 200),
        (b"\x16\x03\x01\x02\x00\x01", 400),
    ],
)
def test_fields(head: bytes, expected: int) -> None:
    async def client(server: Server) -> None:
        assert await server.status(head) == expected

    serve(client)


def test_the_absolute_form_counts_above_the_host_field() -> None:
    """RFC 9112, 3.2.2; who checks the name looks at one thing only."""
    hosts: list[str] = []

    class Noting(OpenGate):
        async def check(self, request: Request, route: Route | None) -> Response | None:
            hosts.extend(request.headers.getlist("host"))
            return None

    async def client(server: Server) -> None:
        await server.exchange(
            b"GET http://evil.example/history HTTP/1.1\r\n" + HOST + b"\r\n", ends=True
        )

    serve(client, gate=Noting)
    assert hosts == ["evil.example"]


# -- what is too much -----------------------------------------------------------------------------


def padded(size: int) -> bytes:
    """A request whose head has so many bytes."""
    begun = GET.removesuffix(b"\r\n") + b"X: "
    return begun + b"x" * (size - len(begun) - 4) + b"\r\n\r\n"


def test_a_head_of_16_kib_and_a_byte_more() -> None:
    async def client(server: Server) -> None:
        assert await server.status(padded(16_384)) == 200
        assert await server.status(padded(16_385)) == 431
        assert await server.status(padded(1 << 20)) == 431
        assert await server.status(GET.removesuffix(b"\r\n") + b"X: " + b"x" * 16_384) == 431

    serve(client)


def test_a_body_of_64_kib_and_a_byte_more() -> None:
    async def client(server: Server) -> None:
        whole = await server.exchange(post(bytes(65_536)), ends=True)
        assert body(whole) == b"POST /ruuvi.json? 65536"
        assert await server.status(post(bytes(65_537))) == 413
        assert await server.status(post(b"", length=10**15), ends=False) == 413
        assert await server.status(post(b"", more=b"Content-Length: 5\r\n")) == 400
        assert await server.status(post(b"", more=b"Expect: 100-continue\r\n", length=10**6)) == 413

    serve(client)


def test_a_client_that_sends_all_of_a_huge_body_still_sees_the_answer() -> None:
    async def client(server: Server) -> None:
        assert await server.status(post(bytes(LARGE))) == 413

    serve(client, replace(Limits(), linger=PATIENCE))


@pytest.mark.parametrize("coding", [b"chunked", b"gzip, chunked", b"gzip"])
def test_a_body_needs_a_length(coding: bytes) -> None:
    async def client(server: Server) -> None:
        fields = HOST + b"Transfer-Encoding: " + coding + b"\r\n\r\n"
        head = b"POST /ruuvi.json HTTP/1.1\r\n" + fields
        assert await server.status(head + b"2\r\n{}\r\n0\r\n\r\n") == 411

    serve(client)


def test_who_asks_before_sending_is_told() -> None:
    async def client(server: Server) -> None:
        async with server.connect() as (reader, writer):
            writer.write(post(b"", length=2, more=b"Expect: 100-continue\r\n"))
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"{}")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    serve(client)


def test_who_asks_before_sending_and_may_not_send() -> None:
    async def client(server: Server) -> None:
        raw = post(b"", length=2, more=b"Expect: 100-continue\r\n")
        answered = await server.exchange(raw)
        assert status(answered) == 401
        assert b"\r\nconnection: close\r\n" in answered.lower()

    serve(client, gate=Refusing)


def test_what_was_refused_is_read_and_the_connection_goes_on() -> None:
    async def client(server: Server) -> None:
        answered = await server.exchange(post(bytes(65_536)) + GET, ends=True)
        assert answered.count(b"HTTP/1.1 401 ") == 2

    serve(client, gate=Refusing)


def test_who_is_still_sending_is_answered_afterwards() -> None:
    """Else the connection would be closed in its face."""

    async def client(server: Server) -> None:
        async with server.connect() as (reader, writer):
            raw = post(bytes(60_000), more=b"Connection: close\r\n")
            writer.write(raw[:-1])
            answered = asyncio.ensure_future(reader.read())
            assert not (await asyncio.wait([answered], timeout=0.1))[0]
            writer.write(raw[-1:])
            assert status(await answered) == 401

    serve(client, gate=Refusing)


# -- many requests --------------------------------------------------------------------------------


def test_requests_on_one_connection() -> None:
    async def client(server: Server) -> None:
        raw = GET + post(b"{}") + GET.replace(b"GET", b"HEAD") + GET + b"garbage\r\n\r\n"
        answered = await server.exchange(raw)
        assert answered.count(b"HTTP/1.1 200 ") == 4
        assert answered.count(b"GET /history? 0") == 2
        assert answered.count(b"HTTP/1.1 400 ") == 1

    serve(client)


def test_no_answer_is_held_back_by_the_system() -> None:
    """Else each answer but the first of a connection would be 40 ms late."""
    delays: list[int] = []

    class Accepting(socket.socket):
        """Tells of the connections that it has accepted."""

        def accept(self) -> tuple[socket.socket, Any]:
            accepted, address = super().accept()
            delays.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            return accepted, address

    async def client(server: Server) -> None:
        listening = Accepting(fileno=socket.create_server(("127.0.0.1", 0)).detach())
        other = await server.connections.serve(listening)
        served = replace(server, port=listening.getsockname()[1])
        assert await served.status(GET) == 200
        other.close()

    serve(client)
    assert delays == [1]


def test_a_thousand_requests_at_once() -> None:
    async def client(server: Server) -> None:
        answered = await server.exchange(GET * 1000, ends=True)
        assert answered.count(b"HTTP/1.1 200 ") == 1000

    serve(client)


def test_half_requests() -> None:
    """Byte by byte is fine; the end in the middle is not answered."""

    async def client(server: Server) -> None:
        async with server.connect() as (reader, writer):
            for byte in post(b"{}"):
                writer.write(bytes([byte]))
                await writer.drain()
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        for cut in (1, 30, len(post(b"{}")) - 1):
            assert await server.exchange(post(b"{}")[:cut], ends=True) == b""
        assert await server.status(GET) == 200

    serve(client)


def test_a_client_that_ends_its_sending_side_is_still_answered() -> None:
    async def client(server: Server) -> None:
        async with server.connect() as (reader, writer):
            writer.write(GET.replace(b"history", b"slow"))
            writer.write_eof()
            await server.slow.begun.wait()
            for _ in range(20):  # turns of the loop, in which the server sees it
                await asyncio.sleep(0)
            server.slow.end.set()
            async with asyncio.timeout(PATIENCE):
                assert status(await reader.read()) == 200

    serve(client)


def test_a_client_that_has_gone_when_it_is_refused() -> None:
    async def client(server: Server) -> None:
        connections = server.connections
        with socket.create_connection(("127.0.0.1", server.port)):
            assert await server.status(GET) == 200  # so the one before was accepted, too
            connections.limits = replace(connections.limits, connections=0)
        connections.make_room()  # asyncio does not know yet

    serve(client, replace(Limits(), newcomer=0.0))


def test_a_client_that_leaves_during_its_answer() -> None:
    async def client(server: Server) -> None:
        async with server.connect() as (_, writer):
            writer.write(GET.replace(b"history", b"slow"))
            await server.slow.begun.wait()
        server.slow.end.set()
        assert await server.status(GET) == 200

    serve(client)


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
    """A thousand at once; who asks something meanwhile is answered."""

    async def client(server: Server) -> None:
        async def one(number: int) -> None:
            with suppress(ConnectionError):
                await server.exchange(b"" if number % 2 else GET[:10], ends=True)

        async with asyncio.TaskGroup() as group:
            for number in range(500):
                group.create_task(one(number))
            assert await server.status(GET) == 200

    serve(client)


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


# -- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        GET,
        GET.replace(b"GET", b"HEAD"),
        GET.replace(b"history", b"nosuch"),
        GET.replace(b"history", b"nosuch.js"),
        GET.replace(b"history", b"broken"),
        GET.replace(b"history", b"bare"),
        GET.replace(b"GET", b"OPTIONS"),
        GET.replace(b"1.1", b"3.0"),
        padded(20_000),
        post(b"", length=10**6),
    ],
)
def test_every_answer_protects(raw: bytes) -> None:
    async def client(server: Server) -> None:
        answered = await server.exchange(raw, ends=True)
        head = answered.partition(b"\r\n\r\n")[0].partition(b"\r\n")[2]
        fields = BytesParser().parsebytes(head)
        for name, value in PROTECTION.items():
            assert fields.get_all(name) == [value]
        if b"/bare" in raw:
            return
        assert fields["Server"] == "Ruuvi Gateway"
        assert fields["Date"].endswith(" GMT")
        assert fields["Cache-Control"] == "no-store, no-cache, must-revalidate, max-age=0"
        assert not [name for name in fields if name.lower().startswith("access-control")]

    serve(client)


def test_an_error_of_ours_is_told_to_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    async def client(server: Server) -> None:
        answered = await server.exchange(GET.replace(b"history", b"broken") + GET, ends=True)
        assert status(answered) == 500
        assert b"\r\n\r\n{}HTTP/1.1 200 " in answered
        assert b"secret" not in answered

    serve(client)
    (record,) = [each for each in ours(caplog) if each.levelname == "ERROR"]
    assert record.getMessage() == "GET /broken: an error of ruuvi-host"


def test_the_log_has_no_secrets(caplog: pytest.LogCaptureFixture) -> None:
    async def client(server: Server) -> None:
        more = b"Authorization: Bearer SECRET\r\nCookie: a=SECRET\r\n"
        raw = post(b"SECRET", more=more).replace(b".json", b".json?file=SECRET")
        assert await server.status(raw) == 200
        assert await server.status(raw.replace(b"1.1", b"1.2")) == 505

    with caplog.at_level("DEBUG", "ruuvi_host"):
        serve(client)
    said = [each.getMessage() for each in ours(caplog)]
    assert "POST /ruuvi.json 200 127.0.0.1" in said
    assert "SECRET" not in caplog.text


def test_stopping_while_an_answer_takes_long() -> None:
    async def client(server: Server) -> None:
        async with server.connect() as (reader, writer):
            writer.write(GET.replace(b"history", b"slow"))
            await server.slow.begun.wait()
            await server.connections.drop(0.01)
            with suppress(ConnectionError):
                assert await reader.read() == b""

    serve(client)


def test_who_comes_while_it_stops_is_sent_away() -> None:
    """The system and asyncio have connections that nobody has seen yet."""

    async def client(server: Server) -> None:
        await server.connections.drop()
        async with server.connect() as (reader, _):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        assert server.connections.count == 0

    serve(client, Limits(head_time=inf, request_time=inf, silence=inf))


def test_stopping_lets_an_answer_out_that_is_soon_there() -> None:
    async def client(server: Server) -> None:
        async with server.connect() as (reader, writer):
            writer.write(GET.replace(b"history", b"slow"))
            await server.slow.begun.wait()
            dropping = asyncio.ensure_future(server.connections.drop(PATIENCE))
            await asyncio.sleep(0)
            server.slow.end.set()
            assert status(await reader.read()) == 200
            await dropping

    serve(client)
