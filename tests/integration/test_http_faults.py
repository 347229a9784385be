"""Poster and servers that misbehave."""

import asyncio
import gzip
import logging
import random
import socket
import zlib
from dataclasses import replace
from typing import Any

import pytest
from conftest import load_vectors
from posting import (
    ACCEPTED,
    BODY,
    GATEWAY,
    OK,
    SOON,
    Server,
    answer,
    answering,
    never,
    outcome_of,
    outcome_of_answer,
    post,
    poster_for,
    read_request,
    serving,
)
from standing_clock import pass_time, standing

from ruuvi_host.config.targets import HttpTarget
from ruuvi_host.relay.http.connection import MAX_ANSWER
from ruuvi_host.relay.http.outcome import PostOutcome, Step
from ruuvi_host.relay.http.poster import PHASE_TIMEOUT, Poster
from ruuvi_host.relay.sink import Verdict

HTTP = load_vectors("http.json")


# -- servers that misbehave ----------------------------------------------------------------------
def test_no_server_there() -> None:
    async def main() -> None:
        async with serving(never) as port:
            pass
        assert await post(Server("http", port)) == PostOutcome(
            Verdict.LATER, f"the server 127.0.0.1:{port}: Connection refused", step=Step.CONNECT
        )

    asyncio.run(main())


NOT_IN_TIME = PostOutcome(
    Verdict.LATER, f"no answer within {SOON} s", step=Step.ANSWER, timed_out=True
)


def test_no_server_at_any_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with serving(never) as port:
            pass
        poster = Poster(HttpTarget("custom", f"http://server.example:{port}/"))
        outcome = await poster.post(BODY, GATEWAY)
        assert outcome.reason == f"the server server.example:{port}: Connection refused"
        assert outcome.step is Step.CONNECT

    def resolve(host: bytes, port: int, *_: object, **__: object) -> list[Any]:
        assert host == b"server.example"
        addresses = ("127.0.0.1", "127.0.0.2")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    asyncio.run(main())


def test_a_name_that_does_not_exist() -> None:
    name = "a." * 126 + "ab"  # too long by one to exist; nobody is asked

    async def main() -> PostOutcome:
        poster = Poster(HttpTarget("custom", f"http://{name}/"))
        return await poster.post(BODY, GATEWAY)

    outcome = asyncio.run(main())
    assert outcome.reason.startswith(f"the name of the server, {name}: ")
    assert (outcome.verdict, outcome.step) == (Verdict.LATER, Step.NAME)


def test_a_server_that_hangs_up() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    for handler in (hang_up, slam):
        outcome = outcome_of(handler)
        assert outcome.verdict is Verdict.LATER
        assert outcome.reason


def test_a_server_that_never_answers() -> None:
    outcome = outcome_of(never, total_timeout=SOON)
    assert outcome == NOT_IN_TIME


def test_a_server_that_thinks_for_longer_than_a_phase_has_all_of_the_time() -> None:
    """The limit on the pages is the one that counts."""

    async def think(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await pass_time(2 * SOON)
        writer.write(OK)

    assert outcome_of(think, phase_timeout=SOON) == ACCEPTED


def test_a_server_that_does_not_read() -> None:
    async def main() -> None:
        async with serving(never) as port:
            async with poster_for(Server("http", port), phase_timeout=SOON) as poster:
                outcome = await poster.post(bytes(100_000_000), GATEWAY)
            assert outcome.reason == f"127.0.0.1:{port} made no progress for {SOON} s"
            assert (outcome.verdict, outcome.step) == (Verdict.LATER, Step.ANSWER)

    standing(main())


@pytest.mark.parametrize("status", [200, 500])
def test_a_head_that_never_ends_does_not_change_what_the_status_said(status: int) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} OK\r\n".encode())
        while True:
            writer.write(b"X: y\r\n")
            await pass_time(SOON / 20)

    outcome = outcome_of(drip, total_timeout=SOON)
    assert outcome.verdict is (Verdict.ACCEPTED if status == 200 else Verdict.LATER)
    assert outcome.code == status


def test_a_server_that_drips_before_its_status() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 ")
        while True:
            writer.write(b" ")
            await pass_time(SOON / 20)

    outcome = outcome_of(drip, total_timeout=SOON)
    assert outcome == NOT_IN_TIME


def test_a_server_that_says_continue_for_ever() -> None:
    async def go_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 10)
            await pass_time(SOON / 20)

    outcome = outcome_of(go_on, total_timeout=SOON)
    assert outcome == NOT_IN_TIME


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("options", [{"total_timeout": SOON}, {"phase_timeout": SOON}])
def test_a_body_that_never_ends_does_not_change_what_the_status_said(
    status: int, options: dict[str, float]
) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(f"HTTP/1.1 {status} OK\r\nContent-Length: 60000\r\n\r\n".encode())
        while "total_timeout" in options:
            writer.write(b"x")
            await pass_time(SOON / 20)
        await never(reader, writer)

    verdict = Verdict.ACCEPTED if status == 200 else Verdict.LATER
    assert outcome_of(drip, **options).verdict is verdict


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y",
        b"HTTP/1.1 200 OK",  # the status is known, and its line never ends
        b"HTTP/1.1 200 OK\rX: y\r\r",
    ],
)
def test_a_success_does_not_wait_for_a_rest_that_never_comes(head: bytes) -> None:
    """At a period of 10 s, 15 s for each post made a backlog that grew for ever."""

    async def stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(head)
        await never(reader, writer)

    async def main() -> None:
        async with serving(stay) as port:
            began = asyncio.get_running_loop().time()
            assert await post(Server("http", port)) == ACCEPTED
            assert asyncio.get_running_loop().time() - began < PHASE_TIMEOUT / 2

    standing(main())


def test_half_an_answer() -> None:
    """The status says it, as soon as it is there."""
    whole = answer(200, body=b"0123456789")
    known = len(b"HTTP/1.1 200")
    for cut in range(known):
        assert outcome_of_answer(whole[:cut]).verdict is Verdict.LATER, whole[:cut]
    for cut in range(known, len(whole)):
        assert outcome_of_answer(whole[:cut]) == ACCEPTED, whole[:cut]


def test_an_informational_answer_comes_before_the_real_one() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"
    assert outcome_of_answer(early + answer(202)) == replace(ACCEPTED, code=202)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\n\r\nuntil I close",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore than there should be",
        b"HTTP/1.1 200 OK\r\nConnection : close\r\n\r\n",
        b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: no name\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n goes on\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \0\x7f\xff\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1  200   OK\r\n\r\n",
        b"HTTP/1.1\t200\r\n\r\n",
        b" HTTP/1.1 200 OK\r\n\r\n",
        b"http/1.1 200 ok\r\n\r\n",
        b"HTTP/1.x 200 OK\r\n\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n0123456789",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nwhat",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
        b"HTTP/1.1 200 OK\r\nX: " + bytes(300_000) + b"\r\n\r\n",
    ],
)
def test_other_forms_of_success(data: bytes) -> None:
    assert outcome_of_answer(data).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 OK 200\r\n\r\n",
        b"HTTP/1.1 099 Early\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nnonsense\r\n",
        b"HTTP/1.1 " + b" " * 300_000,
        b"\r\n" * 100_000,
        bytes(300_000),
        b"\x15\x03\x01\x00\x02\x02\x46",  # a TLS alert
    ],
)
def test_what_is_no_answer(data: bytes) -> None:
    outcome = outcome_of_answer(data)
    assert outcome.verdict is Verdict.LATER
    assert outcome.reason.isprintable()
    assert outcome.reason
    assert len(outcome.reason) < 150


def test_answers_damaged_at_random_never_raise() -> None:
    randomly = random.Random(2026)
    data = (
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/x\r\n"
        b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n"
        b"Retry-After: Wed, 21 Oct 2037 07:28:00 GMT\r\nX-Ruuvi-Gateway-Rate: 5\r\n"
        b"Ruuvi-HMAC-KEY: key\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )

    def damaged() -> bytes:
        damaged = bytearray(data)
        for _ in range(randomly.randint(1, 4)):
            at = randomly.randrange(len(damaged))
            cut = randomly.choice([0, 1, 1, 1, 9])
            damaged[at : at + cut] = randomly.randbytes(randomly.choice([0, 1, 1, 3]))
        return bytes(damaged)

    async def main() -> None:
        answers = [damaged() for _ in range(400)]
        async with answering(*answers, OK) as server, poster_for(server, phase_timeout=5) as poster:
            while len(server.requests) < 400:
                assert isinstance(await poster.post(BODY, GATEWAY), PostOutcome)

    asyncio.run(main())


def test_a_huge_answer_is_cut() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n")
        try:
            while sent < 2_000_000_000:
                writer.write(bytes(1 << 20))
                await writer.drain()
                sent += 1 << 20
        finally:
            hung_up.set()

    async def main() -> None:
        async with serving(flood) as port, poster_for(Server("http", port)) as poster:
            assert await poster.post(BODY, GATEWAY) == ACCEPTED
            await hung_up.wait()  # by the delivery, not only by the end of the sink

    hung_up = asyncio.Event()
    asyncio.run(main())
    assert sent < 100 << 20  # what fits into the buffers on the way


def test_a_flood_of_tiny_chunks_holds_nobody_up() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n" * 1000)
            await writer.drain()

    async def main() -> int:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        async with serving(flood) as port, asyncio.TaskGroup() as tasks:
            task = tasks.create_task(others())
            assert await post(Server("http", port)) == ACCEPTED
            task.cancel()
        return turns

    # 6 bytes for each byte of content; one turn at least for each 4 KiB of them.
    assert asyncio.run(main()) > MAX_ANSWER * 6 / 4096


def test_an_answer_is_never_decompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        pytest.fail("decompressed")

    bomb = gzip.compress(bytes(10_000_000))
    monkeypatch.setattr(zlib, "decompressobj", explode)
    for coding in ("gzip", "deflate"):
        data = answer(200, f"Content-Encoding: {coding}", body=bomb)
        assert outcome_of_answer(data) == ACCEPTED


def test_cancelling_leaves_no_connection() -> None:
    async def main() -> None:
        connected, closed = asyncio.Event(), asyncio.Event()

        async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            connected.set()
            assert await reader.read() == b""
            closed.set()

        async with serving(wait) as port, poster_for(Server("http", port)) as poster:
            task = asyncio.create_task(poster.post(BODY, GATEWAY))
            await connected.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await closed.wait()
            # And the sink is as good as new.
            async with answering(OK) as server:
                assert await post(server) == ACCEPTED

    asyncio.run(main())


@pytest.mark.parametrize("secret", ["two\nlines", "two\r\nX: lines", "é", "\0"])
def test_a_secret_that_no_header_can_hold_is_not_sent(secret: str) -> None:
    async def main() -> None:
        async with answering(OK) as server:
            outcome = await post(server, secret=secret)
            assert not server.requests
            assert outcome.reason.startswith("the secret for the Authorization header has ")
            assert (outcome.verdict, outcome.begun) == (Verdict.FIX, False)

    asyncio.run(main())


# -- what gets into logs -------------------------------------------------------------------------
def test_no_secret_gets_into_logs_or_reasons(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with serving(never) as port:
            pass
        dead = Server("http", port)
        for path in ("/record?token=SECRET", "/SECRET"):
            outcome = await post(dead, path=path, secret="SECRET")
            assert "SECRET" not in outcome.reason
        moved = answer(307, "Location: http://[SECRET]/?SECRET")
        for data in (answer(401), moved, b"HTTP/1.1 500 no\r\n\r\n"):
            async with answering(data) as server:
                outcome = await post(server, path="/?token=SECRET", secret="SECRET")
                assert outcome.reason
                assert "SECRET" not in outcome.reason

    asyncio.run(main())
    assert "SECRET" not in caplog.text
