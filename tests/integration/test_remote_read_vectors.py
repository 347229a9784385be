"""Cases of the group remote_read (tests/vectors/mqtt.json), which are redirects and digest: what a
host does (`host` of a case), each against real servers."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from certificates import Folder, authority, server_context
from conftest import load_vectors
from posting import Server
from remote_world import MAC, OWN, TEXT, Misbehave, asked, files, get, ok

from ruuvi_host.config.targets import TlsFiles
from ruuvi_host.remote.answer import Failed, Fetched
from ruuvi_host.remote.download import MAX_REDIRECTS

CASES = {case["name"]: case for case in load_vectors("mqtt.json")["remote_read"]}
BEARER: dict[str, Any] = {"auth": "bearer", "token": "SECRET"}
THERE = "/there.json"


def moved(to: str, status: int, body: str = "moved") -> bytes:
    return ok(body, f"Location: {to}", status=f"{status} Moved")


class World:
    """Servers of one test."""

    def __init__(self, stack: AsyncExitStack, folder: Path) -> None:
        self._stack = stack
        self._context = server_context(authority().issue_cert("127.0.0.1"))
        self.trust = TlsFiles(server_cert=Folder(folder).authority())

    async def http(self, **answers: bytes) -> tuple[Server, dict[str, bytes | Misbehave]]:
        """Answers by name of a file."""
        given: dict[str, bytes | Misbehave] = {f"/{n}.json": a for n, a in answers.items()}
        return await self._stack.enter_async_context(files(given)), given

    async def https(self, **answers: bytes) -> Server:
        given: dict[str, bytes | Misbehave] = {f"/{n}.json": a for n, a in answers.items()}
        return await self._stack.enter_async_context(files(given, self._context))


async def is_followed(world: World, status: int) -> None:
    """On the same server with all of the request; to another one without Authorization."""
    server, answers = await world.http(there=ok())
    here = server.url("/here.json")
    secure = await world.https(there=ok())
    other, _ = await world.http(there=ok())
    same_by_another_name = server.url(THERE).replace("127.0.0.1", "localhost")
    for to, asked_there, has_authorization in (
        (THERE, server, True),
        (server.url(THERE), server, True),
        (same_by_another_name, server, False),
        (other.url(THERE), other, False),
        (secure.url(THERE), secure, False),
    ):
        answers["/here.json"] = moved(to, status)
        download = await get(here, tls=world.trust, **BEARER)
        assert download.answer == Fetched(TEXT, here), (to, download.answer)
        request = asked_there.requests[-1]
        assert request.line == f"GET {THERE} HTTP/1.1"
        assert ("Authorization" in request) is has_authorization, to
        assert request["ruuvi_gw_mac"] == MAC
        place = to if "://" in to else here
        assert request["Host"] == place.split("/")[2], "its port is part of it"


async def redirect_307_with_body(case: dict[str, Any], world: World) -> None:
    """The text of the redirect is no part of the file, which is longer."""
    longer = TEXT[:-1] + f',"x":"{"y" * 2000}"}}'
    server, _ = await world.http(here=moved(THERE, 307, TEXT), there=ok(longer))
    download = await get(server.url("/here.json"))
    assert download.answer == Fetched(longer, server.url("/here.json"))


async def redirect_followed(case: dict[str, Any], world: World) -> None:
    for status in case["statuses"]:
        await is_followed(world, status)
        plain, _ = await world.http(there=ok())
        secure = await world.https(here=moved(plain.url(THERE), status))
        answer = (await get(secure.url("/here.json"), tls=world.trust)).answer
        assert isinstance(answer, Failed)
        assert (answer.result, plain.requests) == (f"http_{status}", [])
        steps = {f"s{n}": moved(f"/s{n + 1}.json", status) for n in range(case["at_most"])}
        server, answers = await world.http(**steps)
        answers[f"/s{MAX_REDIRECTS}.json"] = ok()
        assert isinstance((await get(server.url("/s0.json"))).answer, Fetched)
        answers[f"/s{MAX_REDIRECTS}.json"] = steps[f"s{MAX_REDIRECTS}"]
        server.requests.clear()
        answer = (await get(server.url("/s0.json"))).answer
        assert isinstance(answer, Failed)
        assert answer.result == f"http_{status}"
        assert len(server.requests) == MAX_REDIRECTS + 1 < case["at_most"]


async def redirect_not_followed(case: dict[str, Any], world: World) -> None:
    assert case["statuses"] == [303, 308]
    await is_followed(world, 308)
    server, _ = await world.http(here=moved(THERE, 303), there=ok())
    answer = (await get(server.url("/here.json"))).answer
    assert isinstance(answer, Failed)
    assert (answer.result, answer.status) == ("http_303", 303)
    assert asked(server) == ["/here.json"]


async def digest_challenge(case: dict[str, Any], world: World) -> None:
    challenge = 'WWW-Authenticate: Digest realm="x", nonce="n", qop="auth"'
    async with files({OWN: ok("", challenge, status="401 Unauthorized")}) as server:
        login: dict[str, Any] = {"auth": "basic", "user": "u", "password": "SECRET"}
        answer = (await get(server.url("/gw/"), **login)).answer
        assert isinstance(answer, Failed)
        assert (answer.result, answer.status) == ("auth", 401)
        assert [r["Authorization"].split()[0] for r in server.requests] == ["Basic"]


PLAYED: dict[str, Callable[[dict[str, Any], World], Awaitable[None]]] = {
    "redirect_307_with_body": redirect_307_with_body,
    "redirect_followed": redirect_followed,
    "redirect_not_followed": redirect_not_followed,
    "digest_challenge": digest_challenge,
}


@pytest.mark.parametrize("name", CASES)
def test_remote_read(name: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            await PLAYED[name](CASES[name], World(stack, tmp_path))

    asyncio.run(main())
