"""The receiver as the other end of a relay: real HTTP and TLS, and clients that misbehave."""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from ruuvi_host.errors import ConfigError
from ruuvi_host.receiver import Receiver, Result, Settings, Signature, app, sign
from ruuvi_host.receiver.tls import LARGEST

KEY = b"40:98:A7:78:58:1A:E1:38"
SETTINGS = Settings(keys=(KEY,))


@pytest.fixture(autouse=True)
def no_complaint(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """uvicorn logs what our application should not have done."""
    yield
    assert [
        each.getMessage() for each in caplog.get_records("call") if each.name == "uvicorn.error"
    ] == []


def body(nonce: int = 1) -> bytes:
    tag = {"rssi": -70, "timestamp": 1612358929}
    data = {"coordinates": "", "timestamp": 1612358930, "nonce": nonce}
    data |= {"gw_mac": "AA:CC:EE:00:11:22", "tags": {"AA:BB:CC:01:02:03": tag}}
    return json.dumps({"data": data}).encode()


def headers(content: bytes, key: bytes = KEY) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "Ruuvi-HMAC-SHA256": sign(key, content).decode(),
    }


def request(content: bytes, length: int | None = None, more: Mapping[str, str] = {}) -> bytes:
    """The bytes of a whole post."""
    fields = headers(content) | {"Host": "x", "Content-Length": str(length or len(content))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**fields, **more}.items())
    return b"POST /record?x=1 HTTP/1.1\r\n" + lines.encode() + b"\r\n" + content


def with_receiver(
    settings: Settings, client: Callable[[Receiver], Awaitable[None]], **arguments: Any
) -> Receiver:
    """Run a client against a receiver; fail if asyncio has anything to complain about."""
    complaints: list[dict[str, Any]] = []

    async def main() -> Receiver:
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: complaints.append(context)
        )
        async with Receiver(settings, **arguments) as receiver:
            await client(receiver)
        return receiver

    receiver = asyncio.run(main())
    assert complaints == []
    return receiver


async def post(receiver: Receiver, content: bytes, key: bytes = KEY, **options: Any) -> Any:
    async with httpx.AsyncClient(trust_env=False, verify=options.pop("verify", True)) as client:
        return await client.post(receiver.url, content=content, headers=headers(content, key))


@asynccontextmanager
async def connection(
    receiver: Receiver,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    url = httpx.URL(receiver.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def exchange(receiver: Receiver, *pieces: bytes, eof: bool = False) -> bytes:
    """Send some bytes, perhaps end sending, and read until the receiver closes."""
    async with connection(receiver) as (reader, writer):
        writer.write(b"".join(pieces))
        if eof:
            writer.write_eof()
        return await reader.read()


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
        async with httpx.AsyncClient(base_url=receiver.url, trust_env=False) as browser:
            greeting = await browser.get("/")
            assert greeting.status_code == 200
            assert "ruuvi-host receive" in greeting.text
            assert (await browser.head("/")).status_code == 200
            for method, path in (("GET", "/record"), ("PUT", "/"), ("DELETE", "/")):
                answer = await browser.request(method, path)
                assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")

    assert with_receiver(SETTINGS, client).totals == {Result.REFUSED: 3}


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


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path) -> Settings:
    pair = authority.issue_cert("127.0.0.1")
    pair.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    pair.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    return replace(SETTINGS, tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")


def test_tls(tls: Settings, authority: trustme.CA) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)

    async def client(receiver: Receiver) -> None:
        assert receiver.url.startswith("https://127.0.0.1:")
        assert (await post(receiver, body(), verify=context)).status_code == 200
        with pytest.raises(httpx.ConnectError, match=r"self-signed|unable to get local issuer"):
            await post(receiver, body(), verify=ssl.create_default_context())

    assert with_receiver(tls, client).totals == {Result.ACCEPTED: 1}


def test_a_tls_handshake_that_does_not_come_ends_after_its_time(tls: Settings) -> None:
    async def client(receiver: Receiver) -> None:
        assert await exchange(receiver) == b""

    with_receiver(replace(tls, head_timeout=0.05), client)


def refused_settings(settings: Settings) -> ConfigError:
    async def client(receiver: Receiver) -> None:
        raise AssertionError("it must not start")

    with pytest.raises(ConfigError) as caught:
        with_receiver(settings, client)
    return caught.value


def test_a_port_in_use() -> None:
    async def client(receiver: Receiver) -> None:
        port = httpx.URL(receiver.url).port
        assert port is not None
        with pytest.raises(ConfigError) as caught:
            await Receiver(Settings(port=port)).__aenter__()
        assert (
            str(caught.value)
            == f"--port: port {port} is in use; take another one (0: any that is free)"
        )

    with_receiver(SETTINGS, client)


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", "x" * 70 + ".example"])
def test_a_host_that_is_not_here(host: str) -> None:
    assert str(refused_settings(Settings(host=host))) == (
        f"--host: {host!r} is no address of this machine"
    )


def test_a_key_of_another_certificate(tls: Settings, authority: trustme.CA) -> None:
    assert tls.tls_key is not None
    authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(str(tls.tls_key))
    assert str(refused_settings(tls)) == (
        f"--tls-key: {tls.tls_key} is not the key of the certificate {tls.tls_cert}"
    )


def test_files_of_tls_that_cannot_be_used(tls: Settings, tmp_path: Path) -> None:
    missing, junk = tmp_path / "missing.pem", tmp_path / "junk.pem"
    junk.write_text("junk")
    pipe, large = tmp_path / "pipe", tmp_path / "large.pem"
    os.mkfifo(pipe)
    large.write_bytes(b"-----BEGIN CERTIFICATE-----" + bytes(LARGEST))
    cases = [
        (replace(tls, tls_cert=None), "--tls-key: needs --tls-cert, too"),
        (replace(tls, tls_cert=missing), f"--tls-cert: cannot read {missing}: No such file"),
        (replace(tls, tls_key=missing), f"--tls-key: cannot read {missing}: No such file"),
        (replace(tls, tls_key=tmp_path), f"--tls-key: cannot read {tmp_path}: Is a directory"),
        (replace(tls, tls_cert=junk), f"--tls-cert: {junk} holds no certificate in PEM form"),
        (replace(tls, tls_key=junk), f"--tls-key: {junk} holds no private key in PEM form"),
        (replace(tls, tls_key=None), f"--tls-cert: {tls.tls_cert} holds no private key"),
        (replace(tls, tls_cert=pipe), f"--tls-cert: {pipe} is no file"),
        (replace(tls, tls_key=Path("/dev/zero")), "--tls-key: /dev/zero is no file"),
        (replace(tls, tls_cert=large), f"--tls-cert: {large} is larger than {LARGEST} bytes"),
    ]
    for settings, sentence in cases:
        assert str(refused_settings(settings)).startswith(sentence)
    assert tls.tls_cert is not None
    tls.tls_cert.write_text(tls.tls_cert.read_text().replace("MII", "XXX", 1))
    assert str(refused_settings(tls)).endswith("one of them is damaged")


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(tls: Settings) -> None:
    from cryptography.hazmat.primitives import serialization

    assert tls.tls_key is not None
    key = serialization.load_pem_private_key(tls.tls_key.read_bytes(), None)
    tls.tls_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    assert "is encrypted" in str(refused_settings(tls))
