"""The receiver as the other end of a relay: what it accepts, refuses and answers."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import httpx
import pytest
from programs import PATIENCE
from receiver_world import SETTINGS, body, connection, exchange, post, request, with_receiver
from server_log import no_complaint as no_complaint

from ruuvi_host.receiver import Receiver, Result, Signature


def test_a_batch_is_accepted_and_kept_as_it_came() -> None:
    async def client(receiver: Receiver) -> None:
        answer = await post(receiver, body())
        assert (answer.status_code, answer.text) == (200, "accepted\n")
        assert answer.headers["Connection"] == "close"
        await receiver.accepted(1)

    receiver = with_receiver(SETTINGS, client)
    (receipt,) = receiver.batches
    assert receipt.body == body()
    assert (b"content-type", b"application/json") in receipt.headers
    assert receipt.verdict.signature is Signature.OK
    assert receipt.verdict.batch is not None
    assert receipt.verdict.batch.nonce == 1
    assert receipt.answered


def test_only_so_many_receipts_are_kept() -> None:
    async def client(receiver: Receiver) -> None:
        for nonce in (1, 2, 3):
            await post(receiver, body(nonce))

    receiver = with_receiver(SETTINGS, client, keep=2)
    assert [receipt.body for receipt in receiver.batches] == [body(2), body(3)]
    assert receiver.totals[Result.ACCEPTED] == 3


def test_waiting_for_a_batch() -> None:
    async def client(receiver: Receiver) -> None:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(receiver.accepted(2))
            await post(receiver, body(1))
            assert not waiting.done()
            await post(receiver, body(2))

    with_receiver(SETTINGS, client)


def test_a_wrong_signature_is_refused() -> None:
    async def client(receiver: Receiver) -> None:
        answer = await post(receiver, body(), key=b"guess")
        assert (answer.status_code, answer.text) == (403, "not signed with the key\n")

    receiver = with_receiver(SETTINGS, client)
    assert receiver.batches == []
    assert receiver.totals == {Result.REFUSED: 1}


def test_two_at_once_with_the_same_nonce() -> None:
    async def client(receiver: Receiver) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(post(receiver, body()))

    receiver = with_receiver(SETTINGS, client)
    assert receiver.totals == {Result.ACCEPTED: 1, Result.DUPLICATE: 1}


def test_a_greeting_for_browsers_and_405_for_the_rest() -> None:
    async def client(receiver: Receiver) -> None:
        async with httpx.AsyncClient(
            base_url=receiver.url, trust_env=False, timeout=PATIENCE
        ) as browser:
            greeting = await browser.get("/")
            assert greeting.status_code == 200
            assert "ruuvi-host receive" in greeting.text
            assert (await browser.head("/")).status_code == 200
            for method, path in (("GET", "/record"), ("PUT", "/"), ("DELETE", "/")):
                answer = await browser.request(method, path)
                assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")

    assert with_receiver(SETTINGS, client).totals == {Result.REFUSED: 3}


def test_the_answers_that_are_asked_for() -> None:
    async def client(receiver: Receiver) -> None:
        answer = await post(receiver, body())
        assert (answer.status_code, answer.text) == (429, "simulated outage\n")
        assert answer.headers["X-Ruuvi-Gateway-Rate"] == "30"

    settings = replace(SETTINGS, answer=429, rate="30")
    assert with_receiver(settings, client).totals == {Result.FAILED: 1}


@pytest.mark.parametrize("status", [204, 304, 599])
def test_answers_without_a_body_and_without_a_name(status: int) -> None:
    async def client(receiver: Receiver) -> None:
        assert (await post(receiver, body())).status_code == status

    with_receiver(replace(SETTINGS, answer=status), client)


def test_after_an_outage_the_same_batch_is_accepted() -> None:
    async def client(receiver: Receiver) -> None:
        statuses = [(await post(receiver, body())).status_code for _ in range(3)]
        assert statuses == [503, 503, 200]

    receiver = with_receiver(replace(SETTINGS, fail_first=2), client)
    assert receiver.totals == {Result.FAILED: 2, Result.ACCEPTED: 1}


def test_a_new_key_is_sent_and_then_expected() -> None:
    async def client(receiver: Receiver) -> None:
        first = await post(receiver, body(1))
        assert (first.status_code, first.headers["Ruuvi-HMAC-KEY"]) == (200, "fresh")
        again = await post(receiver, body(2))
        assert (again.status_code, again.headers["Ruuvi-HMAC-KEY"]) == (403, "fresh")
        assert (await post(receiver, body(2), key=b"fresh")).status_code == 200
        guess = await post(receiver, body(3), key=b"guess")
        assert (guess.status_code, "Ruuvi-HMAC-KEY" in guess.headers) == (403, False)

    with_receiver(replace(SETTINGS, new_key=b"fresh"), client)


def test_hanging_until_the_client_leaves() -> None:
    async def client(receiver: Receiver) -> None:
        assert await exchange(receiver, request(body()), eof=True) == b""

    receiver = with_receiver(replace(SETTINGS, hang=True), client)
    assert [receipt.answered for receipt in receiver.receipts] == [False]
    assert receiver.totals == {Result.FAILED: 1}


def test_stopping_while_it_hangs() -> None:
    async def main() -> bytes:
        taken = asyncio.Event()
        settings = replace(SETTINGS, hang=True)
        async with AsyncExitStack() as stack:
            async with Receiver(settings, lambda receipt: taken.set()) as receiver:
                reader, writer = await stack.enter_async_context(connection(receiver))
                writer.write(request(body()))
                await taken.wait()
            return await reader.read()

    assert asyncio.run(main()) == b""


def test_an_answer_that_comes_too_late_leaves_a_duplicate() -> None:
    async def client(receiver: Receiver) -> None:
        for _ in range(2):
            assert await exchange(receiver, request(body()), eof=True) == b""

    receiver = with_receiver(replace(SETTINGS, delay=600.0), client)
    assert [receipt.answered for receipt in receiver.receipts] == [False, False]
    assert receiver.totals == {Result.ACCEPTED: 1, Result.DUPLICATE: 1}


def test_a_delayed_answer() -> None:
    async def client(receiver: Receiver) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        assert (await post(receiver, body())).status_code == 200
        assert loop.time() - start >= 0.05

    with_receiver(replace(SETTINGS, delay=0.05), client)
