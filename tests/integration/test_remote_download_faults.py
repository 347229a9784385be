"""A configuration is fetched from servers that misbehave, are away, or lead elsewhere."""

import asyncio
from contextlib import AsyncExitStack
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest
from certificates import Folder, authority, server_context
from posting import Request, serving
from remote_world import (
    MAC,
    MISSING,
    OWN,
    TEXT,
    Misbehave,
    files,
    get,
    hanging_up,
    ok,
    silent,
)
from tcp_ports import free_port

from ruuvi_host.config.targets import TlsFiles
from ruuvi_host.remote.answer import Failed, Fetched
from ruuvi_host.remote.memory import Memory

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


# -- signatures -----------------------------------------------------------------------------------


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
