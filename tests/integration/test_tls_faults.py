"""Servers that misbehave in TLS: no handshake, answers that break off, floods."""

import asyncio
import random
import ssl

import pytest
from certificates import Folder, authority, server_context, tls_server
from posting import (
    ACCEPTED,
    GATEWAY,
    OK,
    SOON,
    Handler,
    Server,
    answer,
    answering,
    never,
    post,
    poster_for,
    read_request,
    serving,
)
from tls_world import V12, V13, good_context
from tls_world import folder as folder

from ruuvi_host.config.targets import TlsFiles
from ruuvi_host.relay.http.outcome import PostOutcome, Step
from ruuvi_host.relay.sink import Verdict


async def say_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(answer(400, body=b"This is a plain HTTP port"))
    await writer.drain()
    await reader.read()


def saying(data: bytes) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(data)
        await writer.drain()

    return handle


async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.transport.abort()


def alert(number: int) -> bytes:
    return bytes((0x15, 3, 3, 0, 2, 2, number))


GARBAGE = random.Random(1).randbytes(5000)


@pytest.mark.parametrize(
    ("handler", "reason", "verdict"),
    [
        (say_http, "{server} does not answer in TLS: is it http, or another port?", Verdict.FIX),
        (saying(b"SSH-2.0-x\r\n"), "{server} does not answer in TLS", Verdict.FIX),
        (saying(GARBAGE), "{server} does not answer in TLS", Verdict.FIX),
        (saying(b""), "{server} hung up during the TLS handshake", Verdict.LATER),
        (slam, "{server} hung up during the TLS handshake", Verdict.LATER),
        (saying(b"\x16\x03\x03\x40"), "{server} hung up during the TLS handshake", Verdict.LATER),
        (saying(alert(40)), "{server} refuses the handshake: no cipher in common", Verdict.FIX),
        (saying(alert(70)), "{server} speaks neither TLS 1.2 nor 1.3", Verdict.FIX),
        (saying(alert(80)), "TLS with {server} failed: tlsv1 alert internal", Verdict.LATER),
        (saying(alert(112)), "{server} does not know itself by this name", Verdict.FIX),
        (saying(alert(116)), "{server} wants a client certificate", Verdict.FIX),
        (
            saying(alert(120)),
            "TLS with {server} failed: tlsv1 alert no application protocol",
            Verdict.LATER,
        ),
        (saying(alert(250)), "TLS with {server} failed: ", Verdict.LATER),
        (saying(b"\x15\x03\x03\x00\x02\x01\x00"), "", Verdict.LATER),  # close notify at once
        (saying(b"\x16\x03\x03\x00\x04\x00\x00\x00\x00"), "", Verdict.LATER),  # hello request
        (saying(b"\x16\x03\x03\xff\xff" + bytes(70_000)), "", None),
        (saying(b"\x14\x03\x03\x00\x01\x01" * 100), "", None),
        (saying(b"\x17\x03\x03\x00\x10" + bytes(16)), "", None),
    ],
)
def test_what_is_no_handshake(handler: Handler, reason: str, verdict: Verdict | None) -> None:
    async def main() -> None:
        async with serving(handler) as port:
            outcome = await post(Server("https", port))
            assert outcome.reason.startswith(reason.replace("{server}", f"127.0.0.1:{port}"))
            assert outcome.reason
            assert outcome.verdict is verdict or (not verdict and outcome.verdict)
            assert outcome.step is Step.TLS

    asyncio.run(main())


def test_a_server_that_hangs_in_the_handshake() -> None:
    async def main() -> None:
        async with serving(never) as port:
            outcome = await post(Server("https", port), phase_timeout=SOON)
            text = f"127.0.0.1:{port}: no progress in the TLS handshake for {SOON} s"
            assert outcome == PostOutcome(Verdict.LATER, text, step=Step.TLS)

    asyncio.run(main())


def test_handshakes_damaged_at_random_never_raise(folder: Folder) -> None:
    """A man in the middle who turns bytes of the server over."""
    randomly = random.Random(2026)
    tls = TlsFiles(server_cert=folder.authority())

    async def main() -> None:
        async with answering(OK, tls=good_context()) as server:

            async def spoil(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                there, back = await asyncio.open_connection("127.0.0.1", server.port)

                async def forth() -> None:
                    while data := await reader.read(4096):
                        back.write(data)

                task = asyncio.create_task(forth())
                try:
                    at = randomly.randrange(4000)
                    while data := bytearray(await there.read(4096)):
                        if at < len(data):
                            data[at] ^= 1 << randomly.randrange(8)
                        at -= len(data)
                        writer.write(data)
                        await writer.drain()
                finally:
                    task.cancel()
                    back.close()

            async with serving(spoil) as port:
                outcomes = set()
                for _ in range(60):
                    outcome = await post(Server("https", port), tls=tls, phase_timeout=1)
                    outcomes.add(outcome.verdict)
                    assert bool(outcome.reason) is (outcome.verdict is not Verdict.ACCEPTED)
            assert Verdict.LATER in outcomes or Verdict.FIX in outcomes

    asyncio.run(main())


def tls_saying(*data: bytes, unwrap: bool = False) -> Handler:
    """Under TLS: after the request these bytes, then the end without a close notify."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for piece in data:
            writer.write(piece)
            await writer.drain()
        if unwrap:
            writer.close()
        writer.transport.abort()

    return handle


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize(
    ("data", "verdict", "reason"),
    [
        (b"", Verdict.LATER, "{server} hung up before it answered"),
        (b"HTTP/1.1 20", Verdict.LATER, "{server} hung up before it answered"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Verdict.ACCEPTED, ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Verdict.ACCEPTED, ""),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", Verdict.ACCEPTED, ""),
        (b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nhalf", Verdict.LATER, "status 503 No: half"),
        (b"HTTP/1.1 503 OK\r\n" + b"X: y\r\n" * 99_999, Verdict.LATER, "status 503"),
        (b"X" * 300_000, Verdict.LATER, "what came from {server} is no HTTP answer"),
        (b"\x15\x03\x03\x00\x02\x02\x28", Verdict.LATER, "what came from {server} is no HTTP"),
    ],
)
def test_answers_that_break_off(
    folder: Folder, version: ssl.TLSVersion, data: bytes, verdict: Verdict, reason: str
) -> None:
    tls = TlsFiles(server_cert=folder.authority())

    async def main() -> None:
        async with serving(tls_saying(data), good_context(version)) as port:
            outcome = await post(Server("https", port), tls=tls)
            assert outcome.verdict is verdict
            assert outcome.reason.startswith(reason.replace("{server}", f"127.0.0.1:{port}"))

    asyncio.run(main())


def test_a_large_body_to_a_server_that_refuses_our_certificate(folder: Folder) -> None:
    """Under TLS 1.3 it says so when we are already writing, and its alert can get lost."""
    tls = TlsFiles(server_cert=folder.authority())

    async def main() -> None:
        context = server_context(authority().issue_cert("127.0.0.1"), clients_of=authority())
        async with tls_server(context) as server, poster_for(server, tls=tls) as poster:
            outcome = await poster.post(bytes(3_000_000), GATEWAY)
            assert outcome.reason == (
                f"127.0.0.1:{server.port} wants a client certificate that it trusts: none is "
                "configured here"
            )
            assert outcome.verdict is Verdict.FIX

    asyncio.run(main())


def test_a_flood_after_the_answer_is_cut(folder: Folder) -> None:
    tls = TlsFiles(server_cert=folder.authority())

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(1 << 16))
            await writer.drain()

    async def main() -> None:
        async with serving(flood, good_context()) as port:
            assert await post(Server("https", port), tls=tls) == ACCEPTED

    asyncio.run(main())
