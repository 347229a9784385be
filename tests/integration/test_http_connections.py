"""How Poster gets to a server: kept connections, proxies, addresses, redirects inward."""

import asyncio
import gc
import socket
import warnings
from base64 import b64encode
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from certificates import Folder, authority, server_context
from posting import (
    ACCEPTED,
    BODY,
    GATEWAY,
    OK,
    SOON,
    Server,
    answer,
    answering,
    never,
    post,
    poster_for,
    read_request,
    serving,
)
from standing_clock import standing

from ruuvi_host.config.targets import HttpTarget, TlsFiles
from ruuvi_host.errors import ConfigError
from ruuvi_host.relay.http.outcome import Step
from ruuvi_host.relay.http.poster import Poster
from ruuvi_host.relay.sink import Verdict

# -- kept connections -----------------------------------------------------------------------------


class Keeping:
    """A server that keeps connections, and hangs up after so many requests on one."""

    def __init__(self, requests: int = 1000, *, last_words: bytes = b"") -> None:
        self.connections = self.requests = 0
        self._limit = requests
        self._last_words = last_words

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        for _ in range(self._limit):
            await read_request(reader)
            self.requests += 1
            writer.write(OK)
        if self._last_words:
            await read_request(reader)
            writer.write(self._last_words)
            await writer.drain()


def test_a_connection_is_kept_when_that_is_wanted(tmp_path: Path) -> None:
    tls = TlsFiles(server_cert=Folder(tmp_path).authority())
    context = server_context(authority().issue_cert("127.0.0.1"))

    async def main() -> None:
        for scheme in ("http", "https"):
            server = Keeping()
            async with (
                serving(server, context if scheme == "https" else None) as port,
                poster_for(Server(scheme, port), keep_alive=True, tls=tls) as poster,
            ):
                for _ in range(3):
                    assert await poster.post(BODY, GATEWAY) == ACCEPTED
            assert (server.connections, server.requests) == (1, 3)

    asyncio.run(main())


def test_a_changed_certificate_ends_a_kept_connection(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    tls = TlsFiles(server_cert=folder.authority())
    context = server_context(authority().issue_cert("127.0.0.1"))

    async def main() -> None:
        server = Keeping()
        async with (
            serving(server, context) as port,
            poster_for(Server("https", port), keep_alive=True, tls=tls) as poster,
        ):
            assert await poster.post(BODY, GATEWAY) == ACCEPTED
            folder.authority("theirs").rename(tmp_path / "ours.pem")
            assert (await poster.post(BODY, GATEWAY)).verdict is Verdict.FIX
            assert server.requests == 1

    asyncio.run(main())


def test_a_kept_connection_that_the_server_closes_costs_nothing() -> None:
    async def main() -> None:
        for limit in (1, 2):
            server = Keeping(limit)
            async with (
                serving(server) as port,
                poster_for(Server("http", port), keep_alive=True) as poster,
            ):
                for _ in range(6):
                    assert await poster.post(BODY, GATEWAY) == ACCEPTED
            assert (server.connections, server.requests) == (6 / limit, 6)

    asyncio.run(main())


def test_a_kept_connection_that_is_closed_under_a_request_is_tried_anew() -> None:
    """What happens when both ends are at it in the same moment."""

    class Dying(Keeping):
        async def __call__(self, reader: Any, writer: Any) -> None:
            self.connections += 1
            await read_request(reader)
            self.requests += 1
            writer.write(OK)
            if self.connections == 1:
                await read_request(reader)  # and no answer
            else:
                await asyncio.Event().wait()

    async def main() -> None:
        server = Dying()
        async with (
            serving(server) as port,
            poster_for(Server("http", port), keep_alive=True) as poster,
        ):
            for _ in range(2):
                assert await poster.post(BODY, GATEWAY) == ACCEPTED
        assert (server.connections, server.requests) == (2, 2)

    asyncio.run(main())


def test_an_answer_that_is_not_read_to_its_end_ends_the_connection() -> None:
    async def main() -> None:
        server = Keeping(0, last_words=answer(200, body=bytes(200_000)))
        async with (
            serving(server) as port,
            poster_for(Server("http", port), keep_alive=True) as poster,
        ):
            for _ in range(2):
                assert await poster.post(BODY, GATEWAY) == ACCEPTED
        assert server.connections == 2

    asyncio.run(main())


def test_a_connection_is_used_again_only_after_a_rest() -> None:
    """An answer too many that comes late would be taken for that to the next request."""

    async def main() -> None:
        server = Keeping()
        async with (
            serving(server) as port,
            poster_for(Server("http", port), keep_alive=True, rest=60) as poster,
        ):
            for _ in range(3):
                assert await poster.post(BODY, GATEWAY) == ACCEPTED
        assert (server.connections, server.requests) == (3, 3)

    asyncio.run(main())


REFUSED = answer(503)
FILLED = answer(200, "X: " + "x" * (96 - len(answer(200, "X: ")) - 3), body=bytes(4000))
"""As many bytes as are read at once: what is behind them is in the layers below."""
assert len(FILLED) == 4096


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("first", "idle"),
    [
        (OK + OK, b""),
        (OK + b"\r\n", b""),
        # Of so many bytes at once, what is left over stays in the layers below.
        (FILLED + OK, b""),
        (OK, OK),
        (OK, b"\0"),
        (answer(200, "Transfer-Encoding: chunked") + b"0\r\n\r\n" + OK, b""),
        (b"HTTP/1.1 204 No\r\n\r\n" + OK, b""),
        (answer(200, "no header"), b""),
        (answer(200, "Connection : close"), b""),
        (answer(200, "Connection: x, Close"), b""),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n", b""),
    ],
)
def test_a_connection_that_may_hold_another_answer_is_not_used_again(
    tmp_path: Path, scheme: str, first: bytes, idle: bytes
) -> None:
    """What is left over behind an answer would be taken for the answer to the next batch."""
    tls = TlsFiles(server_cert=Folder(tmp_path).authority())
    context = server_context(authority().issue_cert("127.0.0.1"))
    said, go_on = asyncio.Event(), asyncio.Event()
    connections = 0

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await read_request(reader)
        writer.write(first if connections == 1 else REFUSED)
        if idle:
            await go_on.wait()
            writer.write(idle)
            await writer.drain()
            said.set()
        await read_request(reader)
        writer.write(REFUSED)
        await writer.drain()
        await asyncio.Event().wait()

    async def main() -> None:
        async with (
            serving(say, context if scheme == "https" else None) as port,
            poster_for(Server(scheme, port), keep_alive=True, tls=tls) as poster,
        ):
            assert (await poster.post(BODY, GATEWAY)).verdict is Verdict.ACCEPTED
            go_on.set()
            if idle:
                await said.wait()
            assert (await poster.post(BODY, GATEWAY)).code == 503
        assert connections == 2

    asyncio.run(main())


def test_an_answer_that_comes_before_the_request_is_whole_ends_the_connection() -> None:
    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(413))
        await writer.drain()
        await asyncio.Event().wait()

    async def main() -> None:
        async with (
            serving(early) as port,
            poster_for(Server("http", port), keep_alive=True) as poster,
        ):
            for _ in range(2):
                assert (await poster.post(bytes(50_000_000), GATEWAY)).code == 413

    asyncio.run(main())


# -- proxies --------------------------------------------------------------------------------------


class ForwardingProxy:
    """What a proxy is asked for, and by whom."""

    def __init__(self, *, refusing: bytes = b"") -> None:
        self.heads: list[str] = []
        self._refusing = refusing

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head.decode())
        if self._refusing:
            writer.write(self._refusing)
            await writer.drain()
            return
        method, target, _ = head.decode().split(" ", 2)
        place = target if method == "CONNECT" else target.split("/")[2]
        host, _, port = place.rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            back.write(head)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(4096):
                sink.write(data)
                await sink.drain()

        other = asyncio.create_task(copy(reader, back))
        try:
            await copy(there, writer)
        finally:
            other.cancel()
            back.close()


def test_by_a_proxy(tmp_path: Path) -> None:
    tls = TlsFiles(server_cert=Folder(tmp_path).authority())
    context = server_context(authority().issue_cert("127.0.0.1"))
    credentials = b64encode(b"me:pass word").decode()

    async def main() -> None:
        proxy = ForwardingProxy()
        async with serving(proxy) as port:
            url = f"http://me:pass%20word@127.0.0.1:{port}"
            async with answering(OK) as server:
                assert await post(server, secret="SECRET", proxy=url) == ACCEPTED
                assert proxy.heads[0].startswith(f"POST {server.url('/record')} HTTP/1.1\r\n")
                assert server.requests[0]["Authorization"] == "Bearer SECRET"
            async with answering(OK, tls=context) as safe:
                assert await post(safe, secret="SECRET", tls=tls, proxy=url) == ACCEPTED
                assert proxy.heads[1].startswith(f"CONNECT 127.0.0.1:{safe.port} HTTP/1.1\r\n")
                assert "SECRET" not in proxy.heads[1]
                (request,) = safe.requests
                assert "Proxy-Authorization" not in request
            for head in proxy.heads:
                assert f"Proxy-Authorization: Basic {credentials}\r\n" in head

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "verdict"), [(407, Verdict.FIX), (403, Verdict.FIX), (502, Verdict.LATER)]
)
def test_a_proxy_that_refuses(status: int, verdict: Verdict) -> None:
    async def main() -> None:
        async with serving(ForwardingProxy(refusing=answer(status))) as port:
            url = f"http://me:SECRET@127.0.0.1:{port}"
            dead = Server("https", 1)
            for _ in range(12):  # more than a pool holds
                outcome = await post(dead, proxy=url)
                assert outcome.reason == (
                    f"the proxy 127.0.0.1:{port} does not connect us: {status} Said so"
                )
                assert (outcome.verdict, outcome.step) == (verdict, Step.PROXY)

    asyncio.run(main())


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("said", ["us3r:SECRET is wrong", "Basic dXMzcjpTRUNSRVQ="])
def test_a_proxy_that_repeats_our_password(scheme: str, said: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 407 {said}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    async def main() -> None:
        async with serving(refuse) as port:
            url = f"http://us3r:SECRET@127.0.0.1:{port}"
            outcome = await post(Server(scheme, 1), proxy=url)
            assert "407" in outcome.reason
            assert "SECRET" not in outcome.reason
            assert "dXMz" not in outcome.reason

    asyncio.run(main())


def test_a_proxy_that_is_not_there() -> None:
    async def main() -> None:
        async with serving(never) as port:
            pass
        outcome = await post(Server("https", 1), proxy=f"http://127.0.0.1:{port}")
        assert outcome.reason == f"the proxy 127.0.0.1:{port}: Connection refused"
        async with serving(never) as port:
            outcome = await post(
                Server("https", 1), proxy=f"http://127.0.0.1:{port}", phase_timeout=SOON
            )
            assert outcome.verdict is Verdict.LATER

    standing(main())


@pytest.mark.parametrize("proxy", ["socks5://p", "https://p", "p:1", "http://u:SECRET@[zz]:1"])
def test_a_proxy_that_cannot_be_used(proxy: str) -> None:
    with pytest.raises(ConfigError, match=r"^custom: the proxy's address cannot be used") as caught:
        Poster(HttpTarget("custom", "http://server/", proxy=proxy))
    assert "SECRET" not in str(caught.value)


# -- addresses ------------------------------------------------------------------------------------


def address_on_the_net() -> str | None:
    """One of this machine that is not loopback, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # sends nothing
        except OSError:
            return None
        found = str(probe.getsockname()[0])
    return None if found.startswith(("127.", "169.254.")) else found


ON_THE_NET = address_on_the_net()


@pytest.mark.skipif(not ON_THE_NET, reason="this machine has no address but loopback")
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "inside.example"]
)
def test_a_redirect_from_the_net_does_not_lead_to_this_machine(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = socket.getaddrinfo

    def resolve(name: bytes, *rest: Any, **more: Any) -> Any:
        """A name on the net may resolve to anything."""
        return look_up(b"127.0.0.1" if name == b"inside.example" else name, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    async def main() -> None:
        async with answering(OK) as inside:

            async def redirect(reader: Any, writer: Any) -> None:
                await read_request(reader)
                writer.write(answer(307, f"Location: http://{host}:{inside.port}/admin"))
                await writer.drain()

            async with serving(redirect, host=str(ON_THE_NET)) as port:
                outcome = await post(Server("http", port, str(ON_THE_NET)))
            assert outcome.reason.startswith(f"redirected by {ON_THE_NET} to ")
            assert outcome.reason.endswith("which is nearer to us")
            assert (outcome.verdict, outcome.step) == (Verdict.FIX, Step.REDIRECT)
            assert not inside.requests

    asyncio.run(main())


def test_the_next_address_is_tried_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: bytes, port: int, *_: object, **__: object) -> list[Any]:
        if host != b"server.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host.decode(), port))]
        addresses = ("127.0.0.9", "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    async def main() -> None:
        async with answering(OK) as server:
            server.host = "server.example"
            async with poster_for(server) as poster:
                for _ in range(2):
                    assert await poster.post(BODY, GATEWAY) == ACCEPTED
                assert poster._exchange._shared.good == {"server.example": "127.0.0.1"}
            assert server.requests[0]["Host"] == f"server.example:{server.port}"

    asyncio.run(main())


# -- cancelled ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_post_can_be_cancelled_at_any_moment(tmp_path: Path, scheme: str) -> None:
    """Whoever cancels waits for the end: a post must not go on as if nothing had been said."""
    tls = TlsFiles(server_cert=Folder(tmp_path).authority())
    context = server_context(authority().issue_cert("127.0.0.1")) if scheme == "https" else None

    async def cancelled_after(turns: int, server: Server) -> bool:
        """False: it had ended before."""
        async with poster_for(server, tls=tls) as poster:
            posting = asyncio.create_task(poster.post(BODY, GATEWAY))
            for _ in range(turns):
                await asyncio.sleep(0)
            if not posting.cancel():
                return False
            await asyncio.wait({posting}, timeout=20)
            assert posting.done(), f"it waits for the server after being cancelled in turn {turns}"
            assert posting.cancelled(), f"it went on after being cancelled in turn {turns}"
            return True

    async def main() -> None:
        async with answering(OK, tls=context) as server:
            turns = 0
            while await cancelled_after(turns, server):
                turns += 1
            assert turns > 5
        async with serving(never, context) as port:
            for turn in range(turns):
                await cancelled_after(turn, Server(scheme, port))

    with warnings.catch_warnings():
        if tuple(map(int, version("anyio").split(".")[:2])) < (4, 16):
            # It forgets to close the connection that it has just made, too.
            warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(main())
        gc.collect()
