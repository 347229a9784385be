"""Extra path, query and headers: read at each post; what cannot be sent stops the post only."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from posting import (
    ACCEPTED,
    BODY,
    GATEWAY,
    OK,
    Server,
    answer,
    answering,
    post,
    poster_for,
    read_request,
    serving,
)

from ruuvi_host.config.targets import ExtraFiles
from ruuvi_host.relay.http.outcome import PostOutcome, Step
from ruuvi_host.relay.sink import Verdict


def test_a_changed_file_is_taken_at_the_next_post(tmp_path: Path) -> None:
    extra = ExtraFiles(tmp_path / "path", tmp_path / "query", tmp_path / "headers")

    async def main() -> None:
        async with answering(OK) as server, poster_for(server, path="", extra=extra) as poster:
            missing = await poster.post(BODY, GATEWAY)
            assert missing == PostOutcome(
                Verdict.FIX,
                f"the file of the extra path {tmp_path}/path does not exist",
                begun=False,
                step=Step.FILES,
            )
            for number in ("1", "2"):
                (tmp_path / "path").write_text(f"v{number}/record\n")
                (tmp_path / "query").write_text(f"key={number}")
                (tmp_path / "headers").write_bytes(b"X-N: %b\r\nX-n: b\r\n" % number.encode())
                assert await poster.post(BODY, GATEWAY) == ACCEPTED
                request = server.requests[-1]
                assert request.line == f"POST /v{number}/record?key={number} HTTP/1.1"
                assert request.headers[-2:] == [("X-N", number), ("X-n", "b")]
            (tmp_path / "headers").write_bytes(b"Host: other\r\n")
            assert (await poster.post(BODY, GATEWAY)).begun is False
            assert len(server.requests) == 2

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "extra", "reason"),
    [
        ("/", "path", "the path comes from {file}, so the address must end behind"),
        ("/a", "path", "the path comes from {file}, so the address must end behind"),
        ("/a?b", "query", "the query comes from {file}, so the address must have none"),
    ],
)
def test_an_address_that_has_the_part_already(
    tmp_path: Path, path: str, extra: str, reason: str
) -> None:
    file = tmp_path / extra
    file.write_text("x")
    files = ExtraFiles(**{extra: file})

    async def main() -> None:
        async with answering(OK) as server:
            outcome = await post(server, path=path, extra=files)
            assert outcome.reason.startswith(reason.replace("{file}", str(file)))
            assert (outcome.verdict, outcome.begun) == (Verdict.FIX, False)
            assert not server.requests

    asyncio.run(main())


def test_the_query_from_a_file_with_a_path_in_the_address(tmp_path: Path) -> None:
    (tmp_path / "query").write_text("a=b")
    files = ExtraFiles(query=tmp_path / "query")

    async def main() -> None:
        async with answering(OK) as server:
            assert await post(server, path="/x/y", extra=files) == ACCEPTED
            assert server.requests[0].line == "POST /x/y?a=b HTTP/1.1"

    asyncio.run(main())


def test_none_of_it_goes_to_another_server(tmp_path: Path) -> None:
    (tmp_path / "query").write_text("key=SECRET")
    (tmp_path / "headers").write_bytes(b"X-Key: SECRET\r\n")
    files: dict[str, Any] = {
        "extra": ExtraFiles(query=tmp_path / "query", headers=tmp_path / "headers")
    }

    async def main() -> None:
        async with answering(answer(401, body=b"X-Key: SECRET")) as other:
            moved = answer(307, f"Location: {other.url('/x')}")
            async with answering(moved) as server:
                outcome = await post(server, secret="SECRET", **files)
            (request,) = other.requests
            assert "SECRET" not in str(request)
            assert request.body == BODY
            assert outcome.reason == (
                "status 401 Said so: X-Key: … (a redirect led to that server, which gets no "
                "authorization of ours)"
            )

    asyncio.run(main())


def test_who_was_sent_away_and_back_is_a_stranger() -> None:
    """Another server could otherwise choose a path to be posted to with our authorization."""

    async def main() -> None:
        said = answer(200, "X-Ruuvi-Gateway-Rate: 60", "Ruuvi-HMAC-KEY: theirs")
        answers = [b"", said]
        async with answering(b"later") as other:

            async def at_home(reader: Any, writer: Any) -> None:
                home.requests.append(await read_request(reader))
                writer.write(answers[len(home.requests) - 1])
                await writer.drain()

            home = Server("http")
            async with serving(at_home) as home.port, poster_for(home, secret="SECRET") as poster:
                answers[0] = answer(307, f"Location: {other.url('/there')}")
                other.answers = (answer(307, f"Location: {home.url('/back')}"),)
                assert await poster.post(BODY, GATEWAY) == ACCEPTED
            assert [request.line for request in home.requests][1] == "POST /back HTTP/1.1"
            assert "Authorization" in home.requests[0]
            assert "Authorization" not in home.requests[1]

    asyncio.run(main())
