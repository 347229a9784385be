"""The local API below its routes: what every answer has, what is logged, and how it stops."""

import asyncio
from contextlib import suppress
from email.parser import BytesParser
from math import inf

import pytest
from api_transport_world import (
    GET,
    Server,
    padded,
    post,
    serve,
    status,
)
from conftest import ours
from programs import PATIENCE
from server_log import no_complaint as no_complaint

from ruuvi_host.api.answer import PROTECTION
from ruuvi_host.web.limits import Limits

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
