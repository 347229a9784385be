"""Where Poster follows a redirect to, and with what."""

import asyncio
import socket
from contextlib import AsyncExitStack
from typing import Any

import pytest
from conftest import load_vectors, ours
from posting import (
    ACCEPTED,
    BODY,
    GATEWAY,
    OK,
    Server,
    answer,
    answering,
    outcome_of_answer,
    post,
    poster_for,
    read_request,
    serving,
    signed_with,
)

from ruuvi_host.config.targets import HttpTarget
from ruuvi_host.relay.http.check import judge
from ruuvi_host.relay.http.outcome import Step
from ruuvi_host.relay.http.redirects import NOT_AGAIN
from ruuvi_host.relay.sink import Verdict

HTTP = load_vectors("http.json")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_followed_as_the_same_post(status: int) -> None:
    async def main() -> None:
        moved = answer(status, "Location: /b/c?d=e#f", body=b"moved")
        async with answering(moved, OK) as server:
            assert await post(server, secret="SECRET") == ACCEPTED
            first, second = server.requests
            assert second.line == "POST /b/c?d=e HTTP/1.1"
            assert second.headers == first.headers
            assert "Authorization" in second
            assert second.body == first.body == BODY

    asyncio.run(main())


def test_authorization_does_not_go_to_another_port_and_that_one_has_no_say() -> None:
    async def main() -> None:
        said = answer(200, "X-Ruuvi-Gateway-Rate: 60", "Ruuvi-HMAC-KEY: theirs")
        async with answering(said) as other, AsyncExitStack() as stack:
            moved = answer(307, f"Location: {other.url('/x')}")
            server = await stack.enter_async_context(answering(moved))
            poster = await stack.enter_async_context(poster_for(server, secret="SECRET"))
            for _ in range(2):
                assert await poster.post(BODY, GATEWAY) == ACCEPTED
            for request in other.requests:
                assert request.line == "POST /x HTTP/1.1"
                assert "Authorization" not in request
                assert request["Host"] == f"127.0.0.1:{other.port}"
                assert request["Ruuvi-HMAC-SHA256"] == signed_with(None)
            assert all("Authorization" in request for request in server.requests)

    asyncio.run(main())


def test_the_target_has_its_say_also_when_it_redirects() -> None:
    async def main() -> None:
        async with answering(OK) as other, AsyncExitStack() as stack:
            inputs = ("X-Ruuvi-Gateway-Rate: 60", "Ruuvi-HMAC-KEY: key")
            moved = answer(307, f"Location: {other.url('/x')}", *inputs)
            server = await stack.enter_async_context(answering(moved))
            poster = await stack.enter_async_context(poster_for(server))
            for key in (None, b"key"):
                assert (await poster.post(BODY, GATEWAY)).period == 60
                assert server.requests[-1]["Ruuvi-HMAC-SHA256"] == signed_with(key)

    asyncio.run(main())


def test_the_connection_that_redirected_us_is_closed() -> None:
    async def main() -> None:
        hung_up = asyncio.Event()

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(answer(307, f"Location: {other.url()}"))
            await reader.read()
            hung_up.set()

        async with (
            answering(OK) as other,
            serving(redirect) as port,
            poster_for(Server("http", port)) as poster,
        ):
            assert await poster.post(BODY, GATEWAY) == ACCEPTED
            await hung_up.wait()

    asyncio.run(main())


def test_user_information_in_a_redirect_is_not_used() -> None:
    async def main() -> None:
        async with answering(OK) as other:
            location = f"Location: http://u:p@127.0.0.1:{other.port}/"
            async with answering(answer(308, location)) as server:
                assert (await post(server)).verdict is Verdict.ACCEPTED
            assert "Authorization" not in other.requests[0]

    asyncio.run(main())


@pytest.mark.parametrize("status", [301, 302, 303])
@pytest.mark.parametrize("refusal", [405, 501])
def test_a_page_that_takes_only_get_is_not_posted_to_again_and_again(
    status: int, refusal: int
) -> None:
    """A script host has run by then; a log-in page has not let us in. Nobody knows which it is."""

    async def main() -> None:
        moved = answer(status, "Location: /page")
        async with answering(moved, answer(refusal)) as server:
            outcome = await post(server)
            assert outcome.verdict is Verdict.FIX
            assert outcome.reason == (
                f"status {status} leads to a page of 127.0.0.1:{server.port} that takes only GET: "
                "whether the batch was taken is not known; see http.redirect_get"
            )
            assert (outcome.wait, outcome.step) == (NOT_AGAIN, Step.REDIRECT)
            assert outcome.reached  # which the network watchdog wants to know
            result = judge(HttpTarget("custom", server.url()), outcome)
            assert result.step == "redirect"
            assert "http.redirect_get = true" in result.remedy
            assert [request.line.split()[0] for request in server.requests] == (
                ["POST"] if status == 303 else ["POST", "POST"]
            )

    asyncio.run(main())


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_get_counts_as_delivered_when_the_user_says_so(status: int) -> None:
    async def main() -> None:
        moved = answer(status, "Location: /page?x")
        answers = [moved, OK] if status == 303 else [moved, answer(405), OK]
        async with answering(*answers) as server:
            outcome = await post(server, secret="SECRET", redirect_get=True)
            assert outcome == ACCEPTED
            request = server.requests[-1]
            assert request.line == "GET /page?x HTTP/1.1"
            assert request["Authorization"] == "Bearer SECRET"
            for name in ("Content-Type", "Content-Length", "Ruuvi-HMAC-SHA256"):
                assert name not in request
            assert not request.body

    asyncio.run(main())


def test_a_get_may_be_redirected_too_and_gives_no_secrets_away() -> None:
    async def main() -> None:
        async with answering(OK) as other, AsyncExitStack() as stack:
            answers = [
                answer(302, "Location: /a"),
                answer(405),
                answer(302, f"Location: {other.url('/b')}"),
            ]
            server = await stack.enter_async_context(answering(*answers))
            outcome = await post(server, secret="SECRET", redirect_get=True)
            assert outcome == ACCEPTED
            (request,) = other.requests
            assert request.line == "GET /b HTTP/1.1"
            assert "Authorization" not in request

    asyncio.run(main())


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_a_get_that_fails_keeps_the_batch_and_waits(status: int) -> None:
    outcome = outcome_of_answer(answer(303, "Location: /page"), answer(status), redirect_get=True)
    assert outcome.verdict is (Verdict.LATER if status == 500 else Verdict.FIX)
    assert (outcome.wait, outcome.code) == (NOT_AGAIN, status)


def test_a_redirect_that_takes_post_is_not_asked_by_get() -> None:
    async def main() -> None:
        async with answering(answer(302, "Location: /b"), OK) as server:
            assert await post(server, redirect_get=True) == ACCEPTED
            assert [request.line for request in server.requests][1] == "POST /b HTTP/1.1"

    asyncio.run(main())
    for status in (307, 308):  # they mean the same POST; 405 is then an address that is wrong
        answers = answer(status, "Location: /b"), answer(405)
        outcome = outcome_of_answer(*answers, redirect_get=True)
        assert (outcome.code, outcome.wait) == (405, None)


def test_another_host_that_accepts_is_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = socket.getaddrinfo

    def resolve(name: bytes, *rest: Any, **more: Any) -> Any:
        return look_up(b"127.0.0.1" if name == b"other.example" else name, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    async def main() -> None:
        async with answering(OK) as other, AsyncExitStack() as stack:
            moved = answer(307, f"Location: http://other.example:{other.port}/")
            server = await stack.enter_async_context(answering(moved))
            poster = await stack.enter_async_context(poster_for(server))
            for _ in range(3):
                outcome = await poster.post(BODY, GATEWAY)
                assert outcome.verdict is Verdict.ACCEPTED
                assert outcome.by == f"other.example:{other.port}"
            (line,) = [record.getMessage() for record in ours(caplog)]
            assert line.startswith(
                f"custom: 127.0.0.1:{server.port} redirects, and it is "
                f"other.example:{other.port} that accepts the batches"
            )

    asyncio.run(main())


def test_redirects_end() -> None:
    async def main() -> None:
        async with answering(answer(307, "Location: /again")) as server:
            outcome = await post(server)
            assert (outcome.verdict, outcome.reason) == (Verdict.FIX, "more than 10 redirects")
            assert len(server.requests) == 11

    asyncio.run(main())


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://[::1", "redirected to what is no address"),
        ("http://[zz]/", "redirected to what is no address"),
        ("http://127.0.0.1:x/", "redirected to what is no address"),
        ("http://1.2.3.400/", "redirected to what is no address"),
        ("http://\x80/", "redirected to what is no address"),
        ("http://[fe80::1%25\xe9]/", "redirected to what is no address"),
        ("http://[fe80::1%25]/", "redirected to what is no address"),
        ("//[::1%25\xff\xfe]:8/", "redirected to what is no address"),
        ("/\x7f", "redirected to what is no address"),
        ("/" + "x" * 70_000, "redirected to what is no address"),
        ("http://127.0.0.1:0/", "redirected to what is no address: "),
        ("http://127.0.0.1:99999/", "redirected to what is no address: "),
        ("ftp://127.0.0.1/", "redirected to what is no address: "),
        ("file:///etc/passwd", "redirected to what is no address: "),
        ("https:", "redirected to what is no address: "),
        ("javascript:x", "redirected to what is no address: "),
        ("https://network.ruuvi.com/record", "redirected to Ruuvi"),
        ("//RUUVI.com./", "redirected to Ruuvi"),
    ],
)
def test_a_redirect_to_nowhere(location: str, reason: str) -> None:
    outcome = outcome_of_answer(answer(307, f"Location: {location}"))
    assert outcome.reason.startswith(reason)
    assert outcome.verdict is Verdict.FIX
    assert (outcome.code, outcome.step) == (307, Step.REDIRECT)
