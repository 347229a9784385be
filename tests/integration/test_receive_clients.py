"""The receiver and clients that misbehave: too much, too slow, gone, or too many at once."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from receiver_world import SETTINGS, body, connection, exchange, post, request, with_receiver
from server_log import no_complaint as no_complaint

from ruuvi_host.receiver import Receiver, Result, app


def test_a_full_mebibyte_is_taken_and_a_byte_more_is_not() -> None:
    async def client(receiver: Receiver) -> None:
        full = body().ljust(1 << 20)
        assert (await post(receiver, full)).status_code == 200
        assert (await post(receiver, full + b" ")).status_code == 413

    with_receiver(SETTINGS, client)


def test_a_huge_body_is_refused_before_it_is_sent() -> None:
    async def client(receiver: Receiver) -> None:
        answer = await exchange(receiver, request(b"", length=10_000_000_000))
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert answer.endswith(b"at most 1048576 are accepted\n")

    with_receiver(SETTINGS, client)


def test_a_client_that_sends_all_of_a_huge_body_still_sees_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "LINGER", 30.0)

    async def client(receiver: Receiver) -> None:
        answer = await exchange(receiver, request(b"", length=8_000_000), bytes(8_000_000))
        assert answer.startswith(b"HTTP/1.1 413 ")

    with_receiver(SETTINGS, client)


def test_chunks_are_refused_and_garbage_behind_them_does_no_harm() -> None:
    async def client(receiver: Receiver) -> None:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = await exchange(receiver, head, b"no chunk\r\n")
        assert answer.startswith(b"HTTP/1.1 411 ")

    with_receiver(SETTINGS, client)


def test_gzip_is_refused() -> None:
    async def client(receiver: Receiver) -> None:
        answer = await exchange(receiver, request(body(), more={"Content-Encoding": "gzip"}))
        assert answer.startswith(b"HTTP/1.1 415 ")

    with_receiver(SETTINGS, client)


@pytest.mark.parametrize("raw", [b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"])
def test_what_is_no_http_is_refused(raw: bytes) -> None:
    async def client(receiver: Receiver) -> None:
        assert (await exchange(receiver, raw)).startswith(b"HTTP/1.1 400 ")

    receiver = with_receiver(SETTINGS, client)
    (receipt,) = receiver.receipts
    assert receipt.verdict.reason.startswith("no HTTP request")


def test_a_huge_head_is_refused() -> None:
    async def client(receiver: Receiver) -> None:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nX: "
        assert (await exchange(receiver, head, b"x" * 20_000)).startswith(b"HTTP/1.1 431 ")

    with_receiver(SETTINGS, client)


@pytest.mark.parametrize("begun", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: x\r\n"])
def test_a_slow_head_ends_after_its_time(begun: bytes) -> None:
    async def client(receiver: Receiver) -> None:
        assert (await exchange(receiver, begun)).startswith(b"HTTP/1.1 408 ")

    receiver = with_receiver(replace(SETTINGS, head_timeout=0.05), client)
    (receipt,) = receiver.receipts
    assert receipt.verdict.reason == "no complete request head within 0.05 s"


def test_bytes_in_time_do_not_prolong_the_time_of_a_head() -> None:
    async def client(receiver: Receiver) -> None:
        async with connection(receiver) as (reader, writer):
            writer.write(b"POST / HTTP/1.1\r\n")
            answer = asyncio.ensure_future(reader.readline())
            while not answer.done():
                writer.write(b"X: y\r\n")
                await asyncio.wait([answer], timeout=0.01)
            assert answer.result().startswith(b"HTTP/1.1 408 ")

    with_receiver(replace(SETTINGS, head_timeout=0.1), client)


def test_a_slow_body_ends_after_its_time() -> None:
    async def client(receiver: Receiver) -> None:
        answer = await exchange(receiver, request(body())[:-1])
        assert answer.startswith(b"HTTP/1.1 408 ")

    receiver = with_receiver(replace(SETTINGS, body_timeout=0.05), client)
    (receipt,) = receiver.receipts
    assert receipt.verdict.reason == "the body was not complete within 0.05 s"


def test_a_client_that_leaves_in_the_middle_of_its_body() -> None:
    async def client(receiver: Receiver) -> None:
        assert await exchange(receiver, request(body())[:-1], eof=True) == b""

    receiver = with_receiver(SETTINGS, client)
    (receipt,) = receiver.receipts
    assert not receipt.answered
    assert receipt.verdict.reason == "the connection ended before the body was complete"


def test_a_client_that_only_ends_its_sending_side_gets_its_answer() -> None:
    async def client(receiver: Receiver) -> None:
        answer = await exchange(receiver, request(body()), eof=True)
        assert answer.startswith(b"HTTP/1.1 200 ")

    with_receiver(SETTINGS, client)


def test_what_follows_a_request_is_ignored() -> None:
    async def client(receiver: Receiver) -> None:
        answer = await exchange(receiver, request(body(1)), request(body(2)), b"garbage")
        assert answer.count(b"HTTP/1.1 200 ") == 1

    assert with_receiver(SETTINGS, client).totals == {Result.ACCEPTED: 1}


def test_connections_are_limited() -> None:
    async def client(receiver: Receiver) -> None:
        async with connection(receiver), connection(receiver) as (reader, writer):
            assert (await exchange(receiver)).startswith(b"HTTP/1.1 503 ")
            writer.write(request(body()))
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        assert (await post(receiver, body())).status_code == 200

    with_receiver(replace(SETTINGS, max_connections=2), client)


@pytest.mark.parametrize("begun", [b"", b"POST / HTTP/1.1\r\nHost: x\r\n", request(body())[:-1]])
def test_slow_clients_make_room(begun: bytes) -> None:
    """They would hold it for as long as a head, or a body, may take."""

    async def client(receiver: Receiver) -> None:
        async with AsyncExitStack() as stack:
            slow = [await stack.enter_async_context(connection(receiver)) for _ in range(100)]
            for _, writer in slow:
                writer.write(begun)
            for number in range(10):
                assert (await post(receiver, body(number))).status_code == 200
            left = [reader for reader, _ in slow if reader.at_eof()]
            assert len(left) <= 10
            await slow[0][0].read()  # the slowest was the first

    receiver = with_receiver(replace(SETTINGS, make_room=0.0), client)
    assert receiver.totals[Result.ACCEPTED] == 10


def test_who_has_only_just_connected_is_not_slow() -> None:
    async def client(receiver: Receiver) -> None:
        async with connection(receiver), connection(receiver) as (reader, writer):
            assert (await exchange(receiver)).startswith(b"HTTP/1.1 503 ")
            writer.write(request(body()))
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")

    with_receiver(replace(SETTINGS, max_connections=2, make_room=60.0), client)


def test_who_waits_for_an_answer_is_not_slow() -> None:
    taken = asyncio.Event()

    async def client(receiver: Receiver) -> None:
        async with connection(receiver) as (reader, writer):
            writer.write(request(body()))
            await taken.wait()
            assert (await exchange(receiver)).startswith(b"HTTP/1.1 503 ")
            assert not reader.at_eof()

    settings = replace(SETTINGS, max_connections=1, make_room=0.0, hang=True)
    with_receiver(settings, client, report=lambda receipt: taken.set())
