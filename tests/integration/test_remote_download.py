"""A configuration is fetched from real servers, good ones and such that misbehave."""

import asyncio
import ssl
from base64 import b64encode
from contextlib import AsyncExitStack
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any

import pytest
from certificates import Folder, authority, expired, server_context
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from posting import Request, serving
from remote_world import (
    COMMON,
    MAC,
    MISSING,
    OWN,
    TEXT,
    Misbehave,
    asked,
    files,
    get,
    hanging_up,
    ok,
    silent,
)
from tcp_ports import free_port

from ruuvi_host import __version__
from ruuvi_host.config.targets import TlsFiles
from ruuvi_host.remote.answer import Failed, Fetched, NotModified
from ruuvi_host.remote.memory import Memory

# -- the request ----------------------------------------------------------------------------------


def test_the_own_file_is_asked_for_as_by_a_gateway() -> None:
    async def main() -> None:
        async with files({OWN: ok()}) as server:
            download = await get(server.url("/gw/"))
            assert download.answer == Fetched(TEXT, server.url(OWN))
            [request] = server.requests
            assert request.line == f"GET {OWN} HTTP/1.1"
            assert request.headers == [
                ("Host", f"127.0.0.1:{server.port}"),
                ("User-Agent", "RuuviGateway"),
                ("ruuvi_gw_mac", MAC),
                ("Accept", "text/html,application/octet-stream,*/*"),
                ("Ruuvi-Host-Version", __version__),
            ]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({"auth": "bearer", "token": "TOKEN-of-us"}, "Bearer TOKEN-of-us"),
        (
            {"auth": "basic", "user": "u", "password": "påss"},
            f"Basic {b64encode('u:påss'.encode()).decode()}",
        ),
    ],
)
def test_authorization(settings: dict[str, Any], value: str) -> None:
    async def main() -> None:
        async with files({OWN: ok()}) as server:
            download = await get(server.url("/gw"), **settings)
            assert isinstance(download.answer, Fetched)
            assert not download.warnings, "what goes to this machine nobody reads"
            assert server.requests[0]["Authorization"] == value

    asyncio.run(main())


def test_a_secret_that_cannot_be_sent() -> None:
    bad: tuple[dict[str, Any], ...] = (
        {"auth": "bearer", "token": "a\nb"},
        {"auth": "basic", "user": "a:b"},
    )
    for settings in bad:
        answer = asyncio.run(get("http://127.0.0.1/gw/", **settings)).answer
        assert isinstance(answer, Failed)
        assert (answer.result, answer.url) == ("refused", "")
        assert "remote_cfg_auth_b" in answer.reason


# -- which file -----------------------------------------------------------------------------------


def test_the_file_for_all_counts_when_there_is_no_own_one() -> None:
    async def main() -> None:
        for status in ("404 Not Found", "410 Gone"):
            async with files({OWN: ok("", status=status), COMMON: ok()}) as server:
                download = await get(server.url("/gw/"))
                assert download.answer == Fetched(TEXT, server.url(COMMON))
                assert asked(server) == [OWN, COMMON]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (401, "auth"),
        (403, "auth"),
        (500, "http_500"),
        (503, "http_503"),
        (429, "http_429"),
        (204, "http_204"),
        (206, "http_206"),
        (303, "http_303"),
        (304, "http_304"),
    ],
)
def test_any_other_failure_is_final(status: int, result: str) -> None:
    """The file of this host may be behind it."""

    async def main() -> None:
        said = b"" if status in (204, 304) else b"said so"
        async with files({OWN: ok(said, status=f"{status} X"), COMMON: ok()}) as server:
            answer = (await get(server.url("/gw/"))).answer
            assert isinstance(answer, Failed)
            assert (answer.result, answer.status) == (result, 400 if status == 204 else status)
            assert answer.seen == status, "beside the result people see what the server said"
            assert answer.said == said.decode()
            assert asked(server) == [OWN]

    asyncio.run(main())


def test_an_own_file_that_is_bad_is_final() -> None:
    async def main() -> None:
        async with files({OWN: ok(b"{\xff}"), COMMON: ok()}) as server:
            answer = (await get(server.url("/gw/"))).answer
            assert isinstance(answer, Failed)
            assert (answer.result, answer.reason) == ("refused", "the file is not UTF-8: byte 1")
            assert asked(server) == [OWN]

    asyncio.run(main())


def test_a_file_is_asked_for_with_its_query_which_nobody_is_told() -> None:
    async def main() -> None:
        async with files({"/cfg.json?key=SECRET7": ok("SECRET7 is wrong", status="401 No")}) as s:
            answer = (await get(s.url("/cfg.json?key=SECRET7"))).answer
            assert isinstance(answer, Failed)
            assert asked(s) == ["/cfg.json?key=SECRET7"]
            assert answer.url == s.url("/cfg.json")
            assert "SECRET7" not in answer.reason + answer.said + repr(answer)

    asyncio.run(main())


# -- what is remembered ---------------------------------------------------------------------------


def test_a_text_that_we_have_is_not_sent_again() -> None:
    async def main() -> None:
        made = ok(TEXT, 'ETag: "a1"', "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT")
        answers: dict[str, bytes | Misbehave] = {OWN: made}
        async with files(answers) as server:
            first = await get(server.url("/gw/"))
            answers[OWN] = b"HTTP/1.1 304 Not Modified\r\n\r\n"
            # As a host keeps it on its disk.
            memory = Memory.from_document(first.memory.document())
            second = await get(server.url("/gw/"), memory)
            assert second.answer == NotModified(server.url(OWN))
            assert server.requests[1]["If-None-Match"] == '"a1"'
            assert "If-Modified-Since" not in server.requests[1]
            assert second.memory == memory
            # What was refused is not in force, so nothing may stand for it.
            third = await get(server.url("/gw/"), memory.without(server.url(OWN)))
            assert isinstance(third.answer, Failed)
            assert "If-None-Match" not in server.requests[2]

    asyncio.run(main())


def test_without_an_etag_the_time_counts() -> None:
    async def main() -> None:
        when = "Tue, 14 Nov 2023 22:13:20 GMT"
        async with files({OWN: ok(TEXT, f"Last-Modified: {when}")}) as server:
            memory = (await get(server.url("/gw/"))).memory
            await get(server.url("/gw/"), memory)
            assert server.requests[1]["If-Modified-Since"] == when

    asyncio.run(main())


def test_what_we_have_of_one_file_says_nothing_of_the_other() -> None:
    """An own file that comes and goes: then the file for all is another text than that in force."""

    async def main() -> None:
        common = ok(TEXT, 'ETag: "common"')
        answers: dict[str, bytes | Misbehave] = {COMMON: common}
        async with files(answers) as server:
            memory = (await get(server.url("/gw/"))).memory
            answers[OWN] = ok("{}", 'ETag: "own"')
            memory = (await get(server.url("/gw/"), memory.asking_for_all())).memory
            del answers[OWN]
            download = await get(server.url("/gw/"), memory)
            assert isinstance(download.answer, Fetched)
            assert "If-None-Match" not in server.requests[-1]

    asyncio.run(main())


def test_an_own_file_that_is_not_there_is_not_asked_for_each_time() -> None:
    async def main() -> None:
        async with files({COMMON: ok()}) as server:
            memory = Memory()
            for _ in range(13):
                memory = Memory.from_document(
                    (await get(server.url("/gw/"), memory)).memory.document()
                )
            assert asked(server) == [OWN, *[COMMON] * 11, OWN, *[COMMON] * 2]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("said", "kept"), [("max-age=3600", True), ("max-age=0", False), ("no-store", False)]
)
def test_a_server_says_for_how_long_it_is_not_there(said: str, kept: bool) -> None:
    async def main() -> None:
        missing = ok("", f"Cache-Control: private, {said}", status="404 Not Found")
        async with files({OWN: missing, COMMON: ok()}) as server:
            memory = Memory()
            for _ in range(2):
                memory = (await get(server.url("/gw/"), memory)).memory
            assert asked(server) == [OWN, COMMON, *([] if kept else [OWN]), COMMON]
            if kept:
                assert memory.is_absent(server.url(OWN), time() + 3500)
                assert not memory.is_absent(server.url(OWN), time() + 3700)

    asyncio.run(main())


def test_where_there_is_nothing_both_are_looked_for() -> None:
    async def main() -> None:
        async with files({}) as server:
            memory = Memory()
            for _ in range(2):
                download = await get(server.url("/gw/"), memory)
                memory = download.memory
                assert isinstance(download.answer, Failed)
                assert (download.answer.result, download.answer.status) == ("not_found", 404)
            assert asked(server) == [OWN, COMMON] * 2

    asyncio.run(main())


# -- servers that misbehave -----------------------------------------------------------------------


async def endless_chunks(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()


async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x" * 4096)
        await writer.drain()


async def dripping(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"{")
        await writer.drain()
        await asyncio.sleep(0.01)


async def dripping_head(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X-More: yes\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


LARGEST = b"{" + b" " * (256 * 1024 - 2) + b"}"


@pytest.mark.parametrize(
    ("misbehave", "result", "status", "words"),
    [
        (endless_chunks, "too_long", 502, "more than 256 KiB"),
        (endless, "too_long", 502, "more than 256 KiB"),
        (ok(LARGEST + b" "), "too_long", 502, "more than 256 KiB"),
        (dripping, "unreachable", 502, ""),
        (dripping_head, "unreachable", 502, ""),
        (silent, "unreachable", 502, "no answer of 127.0.0.1"),
        (hanging_up, "unreachable", 502, "no answer of 127.0.0.1"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "unreachable", 502, "no HTTP answer"),
        (ok()[:-1], "unreachable", 502, "ended before the file was complete"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
            *("unreachable", 502, "ended before the file was complete"),
        ),
        (ok(""), "refused", 400, "the file is empty"),
        (ok(b"\x1f\x8b\x08\x00", "Content-Encoding: gzip"), "refused", 502, "compressed (gzip)"),
        (ok(b"\xff\xfe{\0"), "refused", 502, "not UTF-8: byte 0"),
        (MISSING, "not_found", 404, "status 404 Not Found: nope"),
        (ok("<h1>No</h1>", status="403 Forbidden"), "auth", 403, "status 403 Forbidden: No"),
    ],
)
def test_a_server_that_misbehaves(
    misbehave: bytes | Misbehave, result: str, status: int, words: str
) -> None:
    async def main() -> None:
        async with files({"/one.json": misbehave}) as server:
            patient = misbehave not in (dripping, dripping_head, silent)
            download = await get(server.url("/one.json"), time_limit=30.0 if patient else 0.3)
            answer = download.answer
            assert isinstance(answer, Failed)
            assert (answer.result, answer.status) == (result, status), answer
            assert answer.seen == (200 if result in ("refused", "too_long") else status)
            assert words in answer.reason
            assert answer.cause == ("" if patient else "time")
            assert answer.url == server.url("/one.json")
            assert download.memory == Memory()

    asyncio.run(main())


@pytest.mark.parametrize(
    "body", [LARGEST, b"\xef\xbb\xbf{}", b" {}", b"<html>", b"[]", b"{} x"], ids=range(6)
)
def test_what_it_means_is_judged_by_others(body: bytes) -> None:
    async def main() -> None:
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(b), b) for b in (body[:1], body[1:]))
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        until_the_end = b"HTTP/1.0 200 OK\r\n\r\n" + body
        for answer in (ok(body), chunked, until_the_end):
            async with files({"/one.json": answer}) as server:
                got = (await get(server.url("/one.json"))).answer
                assert isinstance(got, Fetched), got
                assert got.text == body.decode()

    asyncio.run(main())


def test_a_server_that_is_away() -> None:
    answer = asyncio.run(get(f"http://127.0.0.1:{free_port()}/gw/")).answer
    assert isinstance(answer, Failed)
    assert (answer.result, answer.status, answer.cause) == ("unreachable", 502, "")
    answer = asyncio.run(get("http://nowhere.invalid/gw/")).answer
    assert isinstance(answer, Failed)
    assert (answer.result, answer.status, answer.cause) == ("unreachable", 502, "name")


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_asks_for_patience(status: int) -> None:
    async def main() -> None:
        later = formatdate(time() + 7200, usegmt=True)
        for said, least, most in (
            ("100", 100, 100),
            (later, 7100, 7200),
            ("9999999", 86400, 86400),
        ):
            answer = ok("", f"Retry-After: {said}", status=f"{status} X")
            async with files({OWN: answer}) as server:
                got = (await get(server.url("/gw/"))).answer
                assert isinstance(got, Failed)
                assert got.retry_after is not None
                assert least <= got.retry_after <= most

    asyncio.run(main())


# -- redirects ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_on_the_same_server(status: int) -> None:
    async def main() -> None:
        moved = ok("moved", "Location: /new.json", status=f"{status} Moved")
        async with files({"/one.json": moved, "/new.json": ok()}) as server:
            download = await get(server.url("/one.json"), auth="bearer", token="SECRET")
            assert download.answer == Fetched(TEXT, server.url("/one.json"))
            first, second = server.requests
            assert first["Authorization"] == second["Authorization"] == "Bearer SECRET"
            assert second["ruuvi_gw_mac"] == MAC

    asyncio.run(main())


def test_another_server_gets_no_authorization_and_cannot_send_us_back_with_it() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            answers: dict[str, bytes | Misbehave] = {"/last.json": ok()}
            server = await stack.enter_async_context(files(answers))
            back = ok("", f"Location: {server.url('/last.json')}", status="302 Found")
            other = await stack.enter_async_context(files({"/x": back}))
            answers["/one.json"] = ok("", f"Location: {other.url('/x')}", status="302 Found")
            download = await get(server.url("/one.json"), auth="bearer", token="SECRET")
            assert isinstance(download.answer, Fetched)
            assert ["Authorization" in r for r in server.requests] == [True, False]
            assert ["Authorization" in r for r in other.requests] == [False]

    asyncio.run(main())


def test_redirects_have_an_end() -> None:
    async def main() -> None:
        steps: dict[str, bytes | Misbehave] = {
            f"/{n}.json": ok("", f"Location: /{n + 1}.json", status="302 Found") for n in range(5)
        }
        async with files({**steps, "/5.json": ok()}) as server:
            assert isinstance((await get(server.url("/0.json"))).answer, Fetched)
        loop = ok("", "Location: /0.json", status="301 Moved")
        async with files({"/0.json": loop}) as server:
            answer = (await get(server.url("/0.json"))).answer
            assert isinstance(answer, Failed)
            assert (answer.result, answer.reason) == ("http_301", "more than 5 redirects")
            assert len(server.requests) == 6

    asyncio.run(main())


def test_never_from_https_to_http(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            plain = await stack.enter_async_context(files({"/x.json": ok()}))
            moved = ok("", f"Location: {plain.url('/x.json')}", status="302 Found")
            context = server_context(authority().issue_cert("127.0.0.1"))
            server = await stack.enter_async_context(files({OWN: moved}, context))
            ours = TlsFiles(server_cert=Folder(tmp_path).authority())
            answer = (await get(server.url("/gw/"), tls=ours)).answer
            assert isinstance(answer, Failed)
            assert answer.result == "http_302"
            assert "from https to http" in answer.reason
            assert not plain.requests

    asyncio.run(main())


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


def test_who_is_cancelled_ends_at_once() -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            begun.set()
            await asyncio.sleep(3600)

        async with serving(never) as port:
            task = asyncio.create_task(get(f"http://127.0.0.1:{port}/gw/", time_limit=3600.0))
            await begun.wait()
            task.cancel()
            async with asyncio.timeout(30):
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(main())
