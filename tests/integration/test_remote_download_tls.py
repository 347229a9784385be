"""A configuration is fetched over TLS, with certificates, and with signatures."""

import asyncio
import ssl
from base64 import b64encode
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from certificates import Folder, authority, expired, server_context
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from posting import Request, serving
from remote_world import (
    OWN,
    TEXT,
    Misbehave,
    asked,
    files,
    get,
    ok,
)

from ruuvi_host.config.targets import TlsFiles
from ruuvi_host.remote.answer import Failed, Fetched
from ruuvi_host.remote.memory import Memory

# -- TLS ------------------------------------------------------------------------------------------


def test_a_certificate_of_ours_is_shown_to_the_server_and_to_no_other(tmp_path: Path) -> None:
    async def main() -> None:
        folder = Folder(tmp_path)
        client = authority().issue_cert("client")
        cert = folder.file("client.pem", *(blob.bytes() for blob in client.cert_chain_pems))
        key = folder.file("key.pem", client.private_key_pem.bytes())
        ours = TlsFiles(cert, key, None, folder.authority())
        leaf = authority().issue_cert("127.0.0.1")
        asks, wants = server_context(leaf), server_context(leaf, clients_of=authority())
        authority().configure_trust(asks)
        asks.verify_mode = ssl.CERT_OPTIONAL
        shown: list[bool] = []

        async def note(request: Request, writer: asyncio.StreamWriter) -> None:
            shown.append(bool(writer.get_extra_info("peercert")))
            writer.write(ok())

        async with AsyncExitStack() as stack:
            other = await stack.enter_async_context(files({"/x.json": note}, asks))
            moved = ok("", f"Location: {other.url('/x.json')}", status="307 X")
            server = await stack.enter_async_context(
                files({"/one.json": moved, "/own.json": note}, wants)
            )
            for path in ("/own.json", "/one.json"):
                assert isinstance((await get(server.url(path), tls=ours)).answer, Fetched)
            assert shown == [True, False]
            without = TlsFiles(server_cert=folder.authority())
            answer = (await get(server.url("/own.json"), tls=without)).answer
            assert isinstance(answer, Failed)
            assert answer.result in ("tls", "unreachable")
            assert "certificate" in answer.reason

    asyncio.run(main())


@pytest.mark.parametrize(
    ("fault", "words"), [("expired", "expired"), ("name", "names"), ("unknown", "no authority")]
)
def test_a_certificate_that_is_not_good(tmp_path: Path, fault: str, words: str) -> None:
    async def main() -> None:
        name = "other.example" if fault == "name" else "127.0.0.1"
        leaf = expired() if fault == "expired" else authority().issue_cert(name)
        anchor = None if fault == "unknown" else Folder(tmp_path).authority()
        async with files({OWN: ok()}, server_context(leaf)) as server:
            url = server.url("/gw/")
            if fault == "name":
                url = url.replace("127.0.0.1", "localhost")
            answer = (await get(url, tls=TlsFiles(server_cert=anchor))).answer
            assert isinstance(answer, Failed)
            assert (answer.result, answer.status) == ("tls", 502)
            assert words in answer.reason
            assert not server.requests

    asyncio.run(main())


def test_https_where_http_is_spoken_and_a_file_that_is_missing(tmp_path: Path) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async def main() -> None:
        async with serving(plain) as port:
            url = f"https://127.0.0.1:{port}/gw/"
            answer = (await get(url)).answer
            assert isinstance(answer, Failed)
            assert answer.result == "tls"
            assert "is it http" in answer.reason
            answer = (await get(url, tls=TlsFiles(server_cert=tmp_path / "not.pem"))).answer
            assert isinstance(answer, Failed)
            assert (answer.result, answer.cause) == ("tls", "file")
            assert "not.pem" in answer.reason

    asyncio.run(main())


# -- signatures -----------------------------------------------------------------------------------


def test_a_text_that_has_to_be_signed() -> None:
    private = Ed25519PrivateKey.generate()
    public = b64encode(private.public_key().public_bytes_raw()).decode()
    good, other = (b64encode(private.sign(text)) for text in (TEXT.encode(), b"another text"))

    async def result_of(signature: bytes | None) -> str:
        answers: dict[str, bytes | Misbehave] = {OWN: ok(TEXT, 'ETag: "1"')}
        if signature is not None:
            answers[f"{OWN}.sig"] = ok(signature)
        async with files(answers) as server:
            download = await get(server.url("/gw/"), public_key=public)
            assert asked(server) == [OWN, f"{OWN}.sig"]
            if isinstance(download.answer, Failed):
                assert download.memory == Memory()
                return f"{download.answer.result}: {download.answer.reason}"
            assert download.answer == Fetched(TEXT, server.url(OWN), '"1"')
            # Who has not verified it may not be told that it is the same.
            await get(server.url("/gw/"), download.memory, public_key=public)
            await get(server.url("/gw/"), download.memory)
            asking = [r for r in server.requests if r.line.split(" ")[1] == OWN]
            assert ["If-None-Match" in r for r in asking] == [False, True, False]
            return "fetched"

    async def main() -> None:
        assert await result_of(good) == "fetched"
        assert await result_of(good[:76] + b"\n" + good[76:] + b"\n") == "fetched"
        assert "not that of this text" in await result_of(other)
        assert "not 64 bytes" in await result_of(b"AAAA")
        assert "not 64 bytes" in await result_of("ä".encode())
        assert "there is no" in await result_of(None)

    asyncio.run(main())
