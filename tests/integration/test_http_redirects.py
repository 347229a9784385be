"""Where Poster follows a redirect to, and with what."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from conftest import load_vectors
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

from ruuvi_host.relay.http.outcome import PostOutcome, Step
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


def test_a_303_is_not_followed() -> None:
    async def main() -> None:
        async with answering(answer(303, "Location: /other")) as server:
            assert await post(server) == PostOutcome(Verdict.FIX, "status 303 Said so", code=303)
            assert len(server.requests) == 1

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
