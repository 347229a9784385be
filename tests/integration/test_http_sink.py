"""What HttpSink sends, octet for octet, and what it makes of servers of every kind.

The servers are of the test: they record what comes, and answer with the octets they were given.
"""

import asyncio
import gzip
import logging
import random
import socket
import ssl
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import trustme
from conftest import load_vectors

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.load import load as load_configuration
from ruuvi_host.config.model import Authorization, Target
from ruuvi_host.config.sources import Wishes
from ruuvi_host.errors import ConfigError
from ruuvi_host.relay import http
from ruuvi_host.relay.http import HttpSink, public_url
from ruuvi_host.relay.signing import Signer
from ruuvi_host.relay.sink import Outcome, Verdict, parse_rate

HTTP = load_vectors("http.json")
GATEWAY = DeviceId(bytes.fromhex("4098A778581AE138"), bytes.fromhex("C8252D8E9C2C"))
BODY = b'{"data": {}}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

SOON = 0.2
"""Seconds for a server that never answers; nothing depends on how long it really takes."""


# -- servers --------------------------------------------------------------------------------------


@dataclass
class Request:
    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def __getitem__(self, name: str) -> str:
        (value,) = [value for given, value in self.headers if given == name]
        return value

    def __contains__(self, name: str) -> bool:
        return any(given.lower() == name.lower() for given, _ in self.headers)


@dataclass
class Server:
    """Where it is, and what came."""

    scheme: str
    port: int = 0
    requests: list[Request] = field(default_factory=list)

    def url(self, path: str = "/") -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head[:-4].split("\r\n")
    headers = [(name, value) for name, _, value in (each.partition(": ") for each in lines)]
    request = Request(line, headers, b"")
    request.body = await reader.readexactly(int(request["Content-Length"]))
    return request


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server on loopback; every connection is closed at the latest at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            with suppress(
                ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError
            ):
                await handler(reader, writer)
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def answering(*answers: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server that gives these answers in turn, then the last one for ever."""
    server = Server("https" if tls else "http")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.requests.append(await read_request(reader))
        writer.write(answers[min(len(server.requests), len(answers)) - 1])
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with serving(handle, tls) as server.port:
        yield server


def answer(status: int, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status} Said so", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@asynccontextmanager
async def sink_for(
    server: Server,
    *,
    path: str = "/record",
    secret: str | None = None,
    phase_timeout: float = http.PHASE_TIMEOUT,
    total_timeout: float = http.TOTAL_TIMEOUT,
) -> AsyncIterator[HttpSink]:
    authorization = Authorization(f"Bearer {secret}") if secret else None
    target = Target("custom", server.url(path), authorization=authorization)
    sink = HttpSink(target, phase_timeout=phase_timeout, total_timeout=total_timeout)
    try:
        yield sink
    finally:
        await sink.close()


async def deliver(server: Server, **options: Any) -> Outcome:
    """One delivery; options as for `sink_for`."""
    async with sink_for(server, **options) as sink:
        return await sink.deliver(BODY, GATEWAY)


def outcome_of(handler: Handler, **options: float) -> Outcome:
    """How a delivery to such a server ends."""

    async def main() -> Outcome:
        async with serving(handler) as port:
            return await deliver(Server("http", port), **options)

    return asyncio.run(main())


def outcome_of_answer(*answers: bytes) -> Outcome:
    async def main() -> Outcome:
        async with answering(*answers) as server:
            return await deliver(server)

    return asyncio.run(main())


# -- the request ----------------------------------------------------------------------------------

BODIES = {case["name"]: case["expected_body"] for case in HTTP["batch"]}
SUPPORTED = [case for case in HTTP["requests"] if "files" not in case["config"]]


def load(tmp_path: Path, keys: dict[str, Any]) -> dict[str, Target]:
    path = tmp_path / "gw_cfg.json"
    path.write_text(httpx.Response(200, json=keys).text)
    targets = load_configuration(Wishes(path)).config.targets
    return {target.name: target for target in targets}


@pytest.mark.parametrize("case", SUPPORTED, ids=lambda c: str(c["name"]))
def test_request(tmp_path: Path, case: dict[str, Any]) -> None:
    configured = load(tmp_path, case["config"])[case["target"]]
    parts = urlsplit(configured.url)
    connect = case["connect"]
    assert parts.hostname == connect["host"]
    assert parts.scheme == ("https" if connect["tls"] else "http")
    assert (parts.port or (443 if connect["tls"] else 80)) == connect["port"]

    async def main() -> Request:
        async with answering(OK) as server:
            bare = parts._replace(scheme="http", netloc=f"127.0.0.1:{server.port}").geturl()
            sink = HttpSink(replace(configured, url=bare))
            body = BODIES[case["body_of"]].encode()
            outcome = await sink.deliver(body, GATEWAY)
            await sink.close()
            assert outcome == Outcome(Verdict.ACCEPTED)
            (request,) = server.requests
            assert request.body == body
            assert request["Host"] == f"127.0.0.1:{server.port}"
            return request

    request = asyncio.run(main())
    assert request.line == case["request_line"]
    expected = [(name, value) for name, value in case["headers"]]
    # h11 writes Host first; all else is where the gateway has it.
    assert request.headers[0][0] == "Host"
    assert request.headers[1:] == [(name, value) for name, value in expected if name != "Host"]
    assert dict(expected)["Host"] == http._host(httpx.URL(configured.url))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://server/", "server"),
        ("http://server:80/", "server"),
        ("http://server:443/", "server"),
        ("https://server:80/", "server"),
        ("https://server:8443/", "server:8443"),
        ("http://SERVER:8000/", "server:8000"),
        ("http://[::1]/", "[::1]"),
        ("http://[::1]:8000/", "[::1]:8000"),
        ("http://bücher.example:8000/", "xn--bcher-kva.example:8000"),
        ("http://xn--/", "xn--"),
    ],
)
def test_host(url: str, host: str) -> None:
    assert http._host(httpx.URL(url)) == host


def test_a_body_of_any_size_arrives_whole() -> None:
    async def main() -> None:
        body = random.Random(1).randbytes(3_000_000)
        async with answering(OK) as server, sink_for(server) as sink:
            assert (await sink.deliver(body, GATEWAY)).verdict is Verdict.ACCEPTED
            assert server.requests[0].body == body
            assert server.requests[0]["Ruuvi-HMAC-SHA256"] == Signer().sign(body, GATEWAY)

    asyncio.run(main())


def test_each_post_has_a_connection_of_its_own() -> None:
    connections = 0

    async def keep_alive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await read_request(reader)
            writer.write(OK)

    async def main() -> None:
        async with serving(keep_alive) as port, sink_for(Server("http", port)) as sink:
            for _ in range(3):
                assert (await sink.deliver(BODY, GATEWAY)).verdict is Verdict.ACCEPTED

    asyncio.run(main())
    assert connections == 3


def test_what_the_environment_says_is_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Proxies, .netrc; and cookies, which no gateway keeps."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password SECRET\n")
    (tmp_path / ".netrc").chmod(0o600)

    async def main() -> None:
        cookie = answer(200, "Set-Cookie: session=1; Path=/")
        async with answering(cookie) as server, sink_for(server) as sink:
            for _ in range(2):
                assert (await sink.deliver(BODY, GATEWAY)).verdict is Verdict.ACCEPTED
            assert len(server.requests) == 2
            for request in server.requests:
                assert "Authorization" not in request
                assert "Cookie" not in request

    asyncio.run(main())


def test_an_address_that_only_httpx_refuses_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"^custom: http://1\.2\.3\.400/path: ") as caught:
        HttpSink(Target("custom", "http://1.2.3.400/path?key=SECRET"))
    assert "SECRET" not in str(caught.value)


def test_public_url() -> None:
    assert public_url("https://u:SECRET@server:1/path?SECRET#SECRET") == "https://server:1/path"


def test_httpx_comes_without_its_command_line() -> None:
    """It would bring click and rich along: 35 ms and 5 MB for nothing."""
    code = "import sys, ruuvi_host.relay.http; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "httpx" in loaded
    assert not loaded & {"click", "rich"}


# -- statuses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ([200, 201, 202, 204, 299], Verdict.ACCEPTED),
        ([400, 413, 415, 422], Verdict.REFUSED),
        ([300, 303, 304, 305, 401, 403, 404, 405, 408, 409, 411, 425, 429], Verdict.LATER),
        ([500, 502, 503, 504, 599, 600, 999], Verdict.LATER),
        ([301, 302, 307, 308], Verdict.LATER),  # without a Location
    ],
)
def test_status(statuses: list[int], verdict: Verdict) -> None:
    async def main() -> None:
        for status in statuses:
            async with answering(answer(status)) as server:
                outcome = await deliver(server)
                assert outcome.verdict is verdict, status
                reason = "" if verdict is Verdict.ACCEPTED else f"status {status} Said so"
                assert outcome.reason == reason
                assert len(server.requests) == 1

    asyncio.run(main())


def test_a_reason_is_printable_and_short() -> None:
    reason = outcome_of_answer(b"HTTP/1.1 500 \xe2\x80\xae" + b"x" * 9000 + b"\r\n\r\n").reason
    assert reason.startswith("status 500 ")
    assert reason.isprintable()
    assert len(reason) < 150


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("99999999999999999999", 3600.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +9999", None),
        (", , , :", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    outcome = outcome_of_answer(answer(503, f"Retry-After: {value}"))
    assert outcome == Outcome(Verdict.LATER, "status 503 Said so", None, seconds)


def test_retry_after_a_date() -> None:
    date = formatdate(time() + 600, usegmt=True)
    outcome = outcome_of_answer(answer(429, f"Retry-After: {date}"))
    assert outcome.retry_after
    assert 300 < outcome.retry_after <= 600


@pytest.mark.parametrize("case", HTTP["rate"], ids=lambda c: str(c["name"]))
def test_rate(case: dict[str, Any]) -> None:
    headers = [f"{name}: {value}" for name, value in case["headers"].items()]
    outcome = outcome_of_answer(answer(case["status"], *headers))
    assert (outcome.period or case["configured_period"]) == case["period_after"]
    assert (outcome.verdict is Verdict.LATER) == ("next_attempt_after" in case)


def test_the_name_of_a_header_may_be_written_in_any_way() -> None:
    assert outcome_of_answer(answer(200, "x-RUUVI-gateway-rate:60")).period == 60
    assert parse_rate("60") == 60


# -- signing --------------------------------------------------------------------------------------


def signatures_after(*answers: bytes) -> list[str]:
    """The signatures of one more post than there are answers."""

    async def main() -> list[str]:
        async with answering(*answers, OK) as server, sink_for(server) as sink:
            for _ in range(len(answers) + 1):
                await sink.deliver(BODY, GATEWAY)
            return [request["Ruuvi-HMAC-SHA256"] for request in server.requests]

    return asyncio.run(main())


def signed_with(key: bytes | None) -> str:
    signer = Signer()
    if key:
        signer.replace_key(key)
    return signer.sign(BODY, GATEWAY)


@pytest.mark.parametrize("status", [200, 403, 500])
def test_a_new_key_counts_from_the_next_post_on_whatever_the_status(status: int) -> None:
    first, second = signatures_after(answer(status, "ruuvi-hmac-key: key"))
    assert (first, second) == (signed_with(None), signed_with(b"key"))


def test_a_key_is_octets() -> None:
    _, second = signatures_after(answer(200, "Ruuvi-HMAC-KEY: \xff\xfe k"))
    assert second == signed_with(b"\xff\xfe k")


def test_a_key_of_64_octets_is_refused_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    long = answer(200, "Ruuvi-HMAC-KEY: " + "SECRET" * 11)
    good = answer(200, "Ruuvi-HMAC-KEY: " + "k" * 63)
    signatures = signatures_after(long, good, long, long)
    assert signatures == [signed_with(None)] * 2 + [signed_with(b"k" * 63)] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "custom: the server's Ruuvi-HMAC-KEY must have 1 to 63 octets; the old key stays"
    ]


# -- redirects ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_followed_as_the_same_post(status: int) -> None:
    async def main() -> None:
        moved = answer(status, "Location: /b/c?d=e#f", body=b"moved")
        async with answering(moved, OK) as server:
            assert await deliver(server, secret="SECRET") == Outcome(Verdict.ACCEPTED)
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
            sink = await stack.enter_async_context(sink_for(server, secret="SECRET"))
            for _ in range(2):
                assert await sink.deliver(BODY, GATEWAY) == Outcome(Verdict.ACCEPTED)
            for request in other.requests:
                assert request.line == "POST /x HTTP/1.1"
                assert "Authorization" not in request
                assert request["Host"] == f"127.0.0.1:{other.port}"
                assert request["Ruuvi-HMAC-SHA256"] == signed_with(None)
            assert all("Authorization" in request for request in server.requests)

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
            sink_for(Server("http", port)) as sink,
        ):
            assert await sink.deliver(BODY, GATEWAY) == Outcome(Verdict.ACCEPTED)
            await hung_up.wait()

    asyncio.run(main())


def test_user_information_in_a_redirect_is_not_used() -> None:
    async def main() -> None:
        async with answering(OK) as other:
            location = f"Location: http://u:p@127.0.0.1:{other.port}/"
            async with answering(answer(308, location)) as server:
                assert (await deliver(server)).verdict is Verdict.ACCEPTED
            assert "Authorization" not in other.requests[0]

    asyncio.run(main())


def test_a_303_is_not_followed() -> None:
    async def main() -> None:
        async with answering(answer(303, "Location: /other")) as server:
            assert await deliver(server) == Outcome(Verdict.LATER, "status 303 Said so")
            assert len(server.requests) == 1

    asyncio.run(main())


def test_redirects_end() -> None:
    async def main() -> None:
        async with answering(answer(307, "Location: /again")) as server:
            assert await deliver(server) == Outcome(Verdict.LATER, "more than 10 redirects")
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
        ("/\x7f", "redirected to what is no address"),
        ("/" + "x" * 70_000, "redirected to what is no address"),
        ("http://127.0.0.1:0/", "redirected to port 0"),
        ("http://127.0.0.1:99999/", "redirected to port 99999"),
        ("ftp://127.0.0.1/", "redirected to what is no HTTP server"),
        ("file:///etc/passwd", "redirected to what is no HTTP server"),
        ("https:", "redirected to what is no HTTP server"),
        ("javascript:x", "redirected to what is no HTTP server"),
        ("https://network.ruuvi.com/record", "redirected to Ruuvi"),
        ("//RUUVI.com./", "redirected to Ruuvi"),
    ],
)
def test_a_redirect_to_nowhere(location: str, reason: str) -> None:
    outcome = outcome_of_answer(answer(307, f"Location: {location}"))
    assert outcome == Outcome(Verdict.LATER, reason)


# -- servers that misbehave -----------------------------------------------------------------------


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


def test_no_server_there() -> None:
    async def main() -> None:
        async with serving(never) as port:
            pass
        assert await deliver(Server("http", port)) == Outcome(Verdict.LATER, "Connection refused")

    asyncio.run(main())


def test_no_server_at_any_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with serving(never) as port:
            pass
        sink = HttpSink(Target("custom", f"http://server.example:{port}/"))
        outcome = await sink.deliver(BODY, GATEWAY)
        assert outcome == Outcome(Verdict.LATER, "Connection refused")

    def resolve(host: bytes, port: int, *_: object, **__: object) -> list[Any]:
        assert host == b"server.example"
        addresses = ("127.0.0.1", "127.0.0.2")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    asyncio.run(main())


def test_a_name_that_does_not_exist() -> None:
    async def main() -> Outcome:
        sink = HttpSink(Target("custom", "http://" + "a" * 64 + "/"))  # too long to exist
        return await sink.deliver(BODY, GATEWAY)

    assert asyncio.run(main()).reason.startswith("the server's name: ")


def test_a_server_that_hangs_up() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    for handler in (hang_up, slam):
        outcome = outcome_of(handler)
        assert outcome.verdict is Verdict.LATER
        assert outcome.reason


def test_a_server_that_never_answers() -> None:
    outcome = outcome_of(never, phase_timeout=SOON)
    assert outcome == Outcome(Verdict.LATER, f"no progress for {SOON} s")


def test_a_server_that_drips_its_head() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X: y\r\n")
            await asyncio.sleep(SOON / 20)

    outcome = outcome_of(drip, total_timeout=SOON)
    assert outcome == Outcome(Verdict.LATER, f"no answer within {SOON} s")


def test_a_server_that_says_continue_for_ever() -> None:
    async def go_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 10)
            await asyncio.sleep(SOON / 20)

    outcome = outcome_of(go_on, total_timeout=SOON)
    assert outcome == Outcome(Verdict.LATER, f"no answer within {SOON} s")


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("options", [{"total_timeout": SOON}, {"phase_timeout": SOON}])
def test_a_body_that_never_ends_does_not_change_what_the_status_said(
    status: int, options: dict[str, float]
) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(f"HTTP/1.1 {status} OK\r\nContent-Length: 60000\r\n\r\n".encode())
        while "total_timeout" in options:
            writer.write(b"x")
            await asyncio.sleep(SOON / 20)
        await asyncio.Event().wait()

    verdict = Verdict.ACCEPTED if status == 200 else Verdict.LATER
    assert outcome_of(drip, **options).verdict is verdict


def test_half_an_answer() -> None:
    whole = answer(200, body=b"0123456789")
    for cut in range(len(whole) - len(b"0123456789")):
        assert outcome_of_answer(whole[:cut]).verdict is Verdict.LATER, whole[:cut]
    assert outcome_of_answer(whole[:-5]) == Outcome(Verdict.ACCEPTED)


def test_an_informational_answer_comes_before_the_real_one() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"
    assert outcome_of_answer(early + answer(202)) == Outcome(Verdict.ACCEPTED)


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.0 200 OK\r\n\r\nuntil I close",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore than there should be",
    ],
)
def test_other_forms_of_success(octets: bytes) -> None:
    assert outcome_of_answer(octets) == Outcome(Verdict.ACCEPTED)


@pytest.mark.parametrize(
    "octets",
    [
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
        bytes(300_000),
        b"\x15\x03\x01\x00\x02\x02\x46",  # a TLS alert
    ],
)
def test_what_is_no_answer(octets: bytes) -> None:
    outcome = outcome_of_answer(octets)
    assert outcome.verdict is Verdict.LATER
    assert outcome.reason.isprintable()
    assert outcome.reason
    assert len(outcome.reason) < 150


def test_answers_damaged_at_random_never_raise() -> None:
    randomly = random.Random(2026)
    octets = (
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/x\r\n"
        b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n"
        b"Retry-After: Wed, 21 Oct 2037 07:28:00 GMT\r\nX-Ruuvi-Gateway-Rate: 5\r\n"
        b"Ruuvi-HMAC-KEY: key\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )

    def damaged() -> bytes:
        damaged = bytearray(octets)
        for _ in range(randomly.randint(1, 4)):
            at = randomly.randrange(len(damaged))
            cut = randomly.choice([0, 1, 1, 1, 9])
            damaged[at : at + cut] = randomly.randbytes(randomly.choice([0, 1, 1, 3]))
        return bytes(damaged)

    async def main() -> None:
        answers = [damaged() for _ in range(400)]
        async with answering(*answers, OK) as server, sink_for(server, phase_timeout=5) as sink:
            while len(server.requests) < 400:
                assert isinstance(await sink.deliver(BODY, GATEWAY), Outcome)

    asyncio.run(main())


def test_a_huge_answer_is_cut() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n")
        try:
            while sent < 2_000_000_000:
                writer.write(bytes(1 << 20))
                await writer.drain()
                sent += 1 << 20
        finally:
            hung_up.set()

    async def main() -> None:
        async with serving(flood) as port, sink_for(Server("http", port)) as sink:
            assert await sink.deliver(BODY, GATEWAY) == Outcome(Verdict.ACCEPTED)
            await hung_up.wait()  # by the delivery, not only by the end of the sink

    hung_up = asyncio.Event()
    asyncio.run(main())
    assert sent < 100 << 20  # what fits into the buffers on the way


def test_a_flood_of_tiny_chunks_holds_nobody_up() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n" * 1000)
            await writer.drain()

    async def main() -> int:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        async with serving(flood) as port, asyncio.TaskGroup() as tasks:
            task = tasks.create_task(others())
            assert await deliver(Server("http", port)) == Outcome(Verdict.ACCEPTED)
            task.cancel()
        return turns

    assert asyncio.run(main()) > http.MAX_ANSWER  # one at least for each chunk


def test_an_answer_is_never_decompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        pytest.fail("decompressed")

    bomb = gzip.compress(bytes(10_000_000))
    monkeypatch.setattr(zlib, "decompressobj", explode)
    for coding in ("gzip", "deflate"):
        octets = answer(200, f"Content-Encoding: {coding}", body=bomb)
        assert outcome_of_answer(octets) == Outcome(Verdict.ACCEPTED)


def test_cancelling_leaves_no_connection() -> None:
    async def main() -> None:
        connected, closed = asyncio.Event(), asyncio.Event()

        async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            connected.set()
            assert await reader.read() == b""
            closed.set()

        async with serving(wait) as port, sink_for(Server("http", port)) as sink:
            task = asyncio.create_task(sink.deliver(BODY, GATEWAY))
            await connected.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await closed.wait()
            # And the sink is as good as new.
            async with answering(OK) as server:
                assert await deliver(server) == Outcome(Verdict.ACCEPTED)

    asyncio.run(main())


def test_a_fault_of_ours_is_not_an_outcome() -> None:
    async def main() -> None:
        async with answering(OK) as server:
            with pytest.raises(httpx.LocalProtocolError):
                await deliver(server, secret="two\nlines")
            assert not server.requests

    asyncio.run(main())


# -- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def _trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


def tls_server(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names or ("127.0.0.1",)).configure_cert(context)
    return context


def outcome_over_tls(context: ssl.SSLContext) -> Outcome:
    async def main() -> Outcome:
        async with answering(OK, tls=context) as server:
            return await deliver(server, secret="SECRET")

    return asyncio.run(main())


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls(authority: trustme.CA, version: ssl.TLSVersion) -> None:
    context = tls_server(authority)
    context.minimum_version = context.maximum_version = version
    assert outcome_over_tls(context) == Outcome(Verdict.ACCEPTED)


@pytest.mark.usefixtures("_trusted")
def test_a_certificate_of_another_authority() -> None:
    outcome = outcome_over_tls(tls_server(trustme.CA()))
    assert outcome.verdict is Verdict.LATER
    assert outcome.reason.startswith("the server's certificate is not accepted: ")


@pytest.mark.usefixtures("_trusted")
def test_a_certificate_of_another_server(authority: trustme.CA) -> None:
    outcome = outcome_over_tls(tls_server(authority, "other.example"))
    assert outcome == Outcome(
        Verdict.LATER,
        "the server's certificate is not accepted: IP address mismatch, "
        "certificate is not valid for '127.0.0.1'",
    )


def test_the_systems_authorities_do_not_know_ours(authority: trustme.CA) -> None:
    outcome = outcome_over_tls(tls_server(authority))
    assert outcome.reason.startswith("the server's certificate is not accepted: ")


def test_https_to_a_server_that_speaks_http() -> None:
    async def complain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer(400))
        await writer.drain()
        await reader.read()

    async def main() -> None:
        async with serving(complain) as port:
            outcome = await deliver(Server("https", port))
            assert outcome == Outcome(Verdict.LATER, "TLS failed: wrong version number")

    asyncio.run(main())


def test_a_server_that_hangs_in_the_handshake() -> None:
    async def main() -> None:
        async with serving(never) as port:
            outcome = await deliver(Server("https", port), phase_timeout=SOON)
            assert outcome == Outcome(Verdict.LATER, f"no connection within {SOON} s")

    asyncio.run(main())


@pytest.mark.usefixtures("_trusted")
def test_a_server_that_refuses_us_in_tls(authority: trustme.CA) -> None:
    """It wants a certificate of ours; under TLS 1.3 that comes only when we read."""
    context = tls_server(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    outcome = outcome_over_tls(context)
    assert outcome.verdict is Verdict.LATER
    assert outcome.reason


@pytest.mark.usefixtures("_trusted")
def test_redirects_between_http_and_https(authority: trustme.CA) -> None:
    async def main() -> None:
        context = tls_server(authority)
        async with answering(OK, tls=context) as safe, answering(OK) as plain:
            async with answering(answer(308, f"Location: {safe.url('/up')}")) as server:
                assert await deliver(server, secret="SECRET") == Outcome(Verdict.ACCEPTED)
            assert safe.requests[0].line == "POST /up HTTP/1.1"
            assert "Authorization" not in safe.requests[0]
            moved = answer(307, f"Location: {plain.url('/down')}")
            async with answering(moved, tls=context) as server:
                outcome = await deliver(server)
            assert outcome == Outcome(Verdict.LATER, "redirected from https to http")
            assert not plain.requests

    asyncio.run(main())


# -- what gets into logs --------------------------------------------------------------------------


def test_no_secret_gets_into_logs_or_reasons(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with serving(never) as port:
            pass
        dead = Server("http", port)
        for path in ("/record?token=SECRET", "/SECRET"):
            outcome = await deliver(dead, path=path, secret="SECRET")
            assert "SECRET" not in outcome.reason
        moved = answer(307, "Location: http://[SECRET]/?SECRET")
        for octets in (answer(401), moved, b"HTTP/1.1 500 no\r\n\r\n"):
            async with answering(octets) as server:
                outcome = await deliver(server, path="/?token=SECRET", secret="SECRET")
                assert outcome.reason
                assert "SECRET" not in outcome.reason

    asyncio.run(main())
    assert "SECRET" not in caplog.text
