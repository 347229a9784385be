"""The local API below its routes: what is a request, and what is too much of it."""

import asyncio
import socket
from dataclasses import replace
from typing import Any

import pytest
from api_transport_world import (
    GET,
    HOST,
    LARGE,
    OpenGate,
    Refusing,
    Server,
    body,
    padded,
    post,
    serve,
    status,
)
from programs import PATIENCE
from server_log import no_complaint as no_complaint
from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.routes import Route
from ruuvi_host.web.limits import Limits

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
