"""A configuration is fetched from real servers: the request, which file, what is remembered."""

import asyncio
from base64 import b64encode
from time import time
from typing import Any

import pytest
from remote_world import (
    COMMON,
    MAC,
    OWN,
    TEXT,
    Misbehave,
    asked,
    files,
    get,
    ok,
)

from ruuvi_host import __version__
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
