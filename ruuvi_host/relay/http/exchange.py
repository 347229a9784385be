"""One request, one answer; the one module that knows httpx, httpcore (its engine) and anyio.

httpx is used without its client, which would add headers that the gateway does not send, keep
cookies, read .netrc and proxies from the environment, and turn a redirected POST into a GET. Its
transport is our own: here is where names are looked up, so that we know whom we are connected to
before a single byte is sent.
"""

import asyncio
import os
import re
import socket
import ssl
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

# httpx imports its own command line, and with it rich (35 ms, 5 MB), wherever click and rich are
# installed. None in sys.modules makes that import fail, which httpx is prepared for.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import anyio  # noqa: E402  (after the line above)
import httpcore  # noqa: E402
import httpx  # noqa: E402

from ruuvi_host.logs import printable  # noqa: E402
from ruuvi_host.relay.http.address import Address, parse_address  # noqa: E402
from ruuvi_host.relay.http.outcome import NotDelivered, Step  # noqa: E402
from ruuvi_host.relay.http.redirects import REDIRECTS, leads_inward, not_followed  # noqa: E402
from ruuvi_host.relay.http.request import Header, longest_first, without  # noqa: E402
from ruuvi_host.relay.http.tls import Tls  # noqa: E402
from ruuvi_host.relay.sink import Verdict  # noqa: E402

MAX_ANSWER = 64 * 1024
"""Bytes of an answer that are read. They have no meaning, but for people."""
SECOND_LOOK = 3.0
"""Seconds in which a server that hung up may tell why, when it is asked once more."""
KEPT_FOR = 75.0
"""Seconds that a kept connection may rest. Routers forget connections, and do not say so."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    phrase: str
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    body: bytes = field(repr=False)
    """As it came, cut; never decompressed."""
    peer: str
    """The IP address that it came from."""

    def header(self, name: bytes) -> bytes | None:
        """The first one of that name, however it is written."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(frozen=True, slots=True)
class Proxy:
    address: Address
    auth: tuple[bytes, bytes] | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """As in a target's Parts: what the proxy could repeat."""
        if not self.auth:
            return ()
        header = b64encode(b":".join(self.auth)).decode()
        return longest_first({header, self.auth[1].decode("utf-8", "replace")})


def parse_proxy(url: str) -> Proxy:
    """`http://user:password@host:port`. Raises ValueError with the problem."""
    address = parse_address(url)
    if address.scheme != "http":
        raise ValueError("it must begin with http://")
    user_info, at, _ = urlsplit(url).netloc.rpartition("@")
    if not at:
        return Proxy(address)
    user, _, password = user_info.partition(":")
    return Proxy(address, (unquote(user).encode(), unquote(password).encode()))


class Exchange:
    """Makes requests, one at a time.

    phase_timeout: seconds without progress in connecting, TLS, writing and reading.
    """

    def __init__(self, phase_timeout: float, proxy: Proxy | None, *, keep_alive: bool) -> None:
        self._phase_timeout = phase_timeout
        self._proxy = proxy
        self._keep_alive = keep_alive
        self._kept: _Line | None = None
        self.secrets: tuple[str, ...] = ()
        """What is in the request under way, and may not be told when it comes back."""
        self._good: dict[str, str] = {}
        """Host → its address that answered last: an address that is dead costs time only once."""

    async def close(self) -> None:
        kept, self._kept = self._kept, None
        if kept:
            await kept.aclose()

    async def post(
        self,
        address: Address,
        headers: list[Header],
        body: bytes,
        tls: Tls | None,
        *,
        deadline: float,
        before: str | None = None,
    ) -> Answer:
        """Raises NotDelivered, and TimeoutError when no answer has begun by `deadline` (time of
        the loop).

        tls: for https. before: the IP address of the server that redirected us here.
        """
        line = self._kept
        if line and line.origin == address.origin and line.tls is tls and not before:
            self._kept = None
            try:
                return await self._post(line, address, headers, body, deadline)
            except NotDelivered as failure:
                # It may close a connection that rests while we begin to use it.
                if line.connected or not failure.hung_up:
                    raise
        await self.close()
        line = _Line(self, address, tls, before)
        return await self._post(line, address, headers, body, deadline)

    async def _post(
        self, line: "_Line", address: Address, headers: list[Header], body: bytes, deadline: float
    ) -> Answer:
        line.connected = False
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._phase_timeout)
        request = httpx.Request(
            "POST",
            f"{address.scheme}://{address.server}/",
            headers=headers,
            content=body,
            # As it is: httpx would write some characters of a path in another way.
            extensions={"timeout": timeout, "target": address.target},
        )
        whole = False
        try:
            async with asyncio.timeout_at(deadline):
                response = await line.handle_async_request(request)
            content = b""
            if response.status_code not in REDIRECTS:
                content, whole = await _read(response, deadline)
            if line.tls:
                line.tls.keep_session(line.ssl_object)
            return Answer(
                response.status_code,
                response.extensions.get("reason_phrase", b"").decode("latin-1"),
                tuple(response.headers.raw),
                content,
                line.peer,
            )
        except NotDelivered as failure:
            if line.tls:
                line.tls.forget_session()
            if failure.hung_up and line.connected:
                async with asyncio.timeout_at(deadline):
                    await line.ask_why()
            raise
        finally:
            if whole and self._keep_alive and not line.before:
                self._kept = line
            else:
                await line.aclose()


class _Line(httpx.AsyncBaseTransport, httpcore.AsyncNetworkBackend):
    """A connection to one server, possibly through a proxy, and the way there: a transport of
    httpx, and the network below it."""

    def __init__(self, exchange: Exchange, address: Address, tls: Tls | None, before: str | None):
        self.origin = address.origin
        self.address = address
        self.tls = tls
        self.tls_name = address.host.partition("%")[0].rstrip(".")
        """What the certificate must be for."""
        self.before = before
        self.peer = before or ""
        self.connected = False
        """A new connection was made for the request under way."""
        self.ssl_object: ssl.SSLObject | None = None
        self._exchange = exchange
        self._proxy = exchange._proxy
        self._way = "the proxy" if self._proxy else "the server"
        self._backend = httpcore.AnyIOBackend()
        proxy = None
        if self._proxy:
            there = self._proxy.address
            url = httpcore.URL(scheme="http", host=there.host, port=there.port, target="/")
            proxy = httpcore.Proxy(url, auth=self._proxy.auth)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls.context if tls else None,
            proxy=proxy,
            max_keepalive_connections=1 if exchange._keep_alive else 0,
            keepalive_expiry=KEPT_FOR,
            network_backend=self,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises NotDelivered."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        to, target = self.address, request.extensions["target"]
        url = httpcore.URL(scheme=to.scheme, host=to.host, port=to.port, target=target)
        try:
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    request.method,
                    url,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions={"timeout": request.extensions["timeout"]},
                )
            )
        except httpcore.ProxyError as error:
            status = str(error)[:3]
            later = status.startswith("5") or status in ("408", "429")
            raise NotDelivered(
                Verdict.LATER if later else Verdict.FIX,
                Step.PROXY,
                f"the proxy {self._server()} does not connect us: {self._printable(str(error))}",
            ) from None
        except httpcore.TimeoutException:
            raise self._stalled() from None
        except (httpcore.NetworkError, OSError) as error:
            raise self.broken(error) from None
        except httpcore.RemoteProtocolError as error:
            if "disconnected" in str(error):
                raise self.broken(error) from None
            what = re.sub(r"bytearray\(b(.*)\)", r"\1", str(error))
            text = f"what came from {self._server()} is no HTTP answer: {self._printable(what)}"
            raise NotDelivered(Verdict.LATER, Step.ANSWER, text) from None
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Content(response),
            extensions=response.extensions,
        )

    def broken(self, error: Exception | None) -> NotDelivered:
        """The connection ended in the place of an answer."""
        if self.ssl_object and self.tls:
            return self.tls.hung_up(self.address, established=True)
        reason = _system_says(error) or "hung up"
        text = f"no answer of {self._server()}: {reason}"
        return NotDelivered(Verdict.LATER, Step.ANSWER, text, hung_up=True)

    async def ask_why(self) -> None:
        """Under TLS 1.3 a server refuses our certificate when we take the handshake for done. It
        closes the connection then, and its alert is often lost because our request is already on
        the way. So ask again, without a request. Raises NotDelivered if
        the server tells."""
        tls = self.ssl_object
        if not tls or tls.version() != "TLSv1.3" or self._proxy:
            return
        assert self.tls
        stream: httpcore.AsyncNetworkStream | None = None
        timeout = min(self._exchange._phase_timeout, SECOND_LOOK)
        try:
            stream = await self._backend.connect_tcp(self.peer, self.address.port, timeout)
            stream = await stream.start_tls(self.tls.context, self.tls_name, timeout)
            await stream.read(1, timeout)
        except ssl.SSLError as error:
            clearer = self.tls.failure(error, self.address, established=True)
            if not clearer.hung_up:
                raise clearer from None
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError, anyio.EndOfStream):
            pass  # it does not tell
        finally:
            if stream:
                await _Stream(stream, self).aclose()

    def _stalled(self) -> NotDelivered:
        text = f"{self._server()} made no progress for {self._exchange._phase_timeout:g} s"
        return NotDelivered(Verdict.LATER, Step.ANSWER, text)

    def _printable(self, text: str) -> str:
        return printable(without(self._exchange.secrets, text))

    def _server(self) -> str:
        return self._proxy.address.server if self._proxy else self.address.server

    # --- the way there; called by httpcore

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.connected = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._exchange._phase_timeout
        addresses = self._allowed(await self._look_up(host, port, deadline))
        failure = None
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            share = max(0.0, deadline - loop.time()) / left
            try:
                stream = await self._backend.connect_tcp(address, port, share)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            if not self.before:  # others could name hosts without end
                self._exchange._good[host] = address
            self.peer = address
            return _Stream(stream, self)
        self._exchange._good.pop(host, None)
        reason = (
            _system_says(failure) or f"no connection within {self._exchange._phase_timeout:g} s"
        )
        raise NotDelivered(Verdict.LATER, Step.CONNECT, f"{self._way} {self._server()}: {reason}")

    async def _look_up(self, host: str, port: int, deadline: float) -> list[str]:
        """IP addresses in the order in which to try them."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                found = await loop.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
        except TimeoutError:
            reason = f"no answer within {self._exchange._phase_timeout:g} s"
        except socket.gaierror as error:
            reason = error.strerror or str(error)
        except (OSError, UnicodeError) as error:
            reason = str(error)
        else:
            addresses = list(dict.fromkeys(_text(info[4]) for info in found))
            good = self._exchange._good.get(host)
            return sorted(addresses, key=lambda address: address != good)
        raise NotDelivered(Verdict.LATER, Step.NAME, f"the name of {self._way}, {host}: {reason}")

    def _allowed(self, addresses: list[str]) -> list[str]:
        """Those of a redirect that may be connected to. With a proxy, nobody here knows them."""
        before = self.before
        if not before or self._proxy:
            return addresses
        if allowed := [a for a in addresses if not leads_inward(before, a)]:
            return allowed
        raise not_followed(
            f"redirected by {before} to {self.address.server}, which is nearer to us"
        )

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """A stream whose failures are sentences."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, line: _Line) -> None:
        self._stream = stream
        self._line = line

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        line = self._line
        try:
            return await self._stream.read(max_bytes, timeout)
        except httpcore.ReadTimeout:
            raise line._stalled() from None
        except ssl.SSLError as error:
            assert line.tls
            raise line.tls.failure(error, line.address, established=True) from None
        except (httpcore.ReadError, OSError, anyio.EndOfStream) as error:
            raise line.broken(error) from None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """A failure is left to httpcore: it reads on, since an answer may have come before."""
        try:
            await self._stream.write(buffer, timeout)
        except (ssl.SSLError, OSError, anyio.EndOfStream) as error:
            raise httpcore.WriteError(str(error)) from error

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        line = self._line
        assert line.tls
        try:
            stream = await self._stream.start_tls(ssl_context, line.tls_name, timeout)
        except httpcore.ConnectTimeout:
            reason = f"no progress in the TLS handshake for {line._exchange._phase_timeout:g} s"
            raise NotDelivered(
                Verdict.LATER, Step.TLS, f"{line.address.server}: {reason}"
            ) from None
        except (httpcore.ConnectError, OSError, anyio.EndOfStream, ValueError) as error:
            cause = next((e for e in _causes(error) if isinstance(e, ssl.SSLError)), None)
            line.tls.forget_session()
            if cause:
                raise line.tls.failure(cause, line.address, established=False) from None
            raise line.tls.hung_up(line.address, established=False) from None
        line.ssl_object = stream.get_extra_info("ssl_object")
        return _Stream(stream, line)

    async def aclose(self) -> None:
        with suppress(ssl.SSLError, OSError, anyio.EndOfStream, anyio.BrokenResourceError):
            await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Content(httpx.AsyncByteStream):
    """The body of an answer as it comes."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_stream():
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


async def _read(response: httpx.Response, deadline: float) -> tuple[bytes, bool]:
    """The body of an answer, no more than MAX_ANSWER bytes of it, as the gateway reads it and
    ignores it; and whether it came to its end. The status is known by now, and nothing in a body
    can change that."""
    content, whole = bytearray(), False
    try:
        with suppress(
            NotDelivered, TimeoutError, OSError, httpcore.NetworkError, httpcore.ProtocolError
        ):
            async with asyncio.timeout_at(deadline):
                async for chunk in response.stream:  # type: ignore[union-attr]
                    content += chunk
                    if len(content) > MAX_ANSWER:
                        break
                    await asyncio.sleep(0)  # a flood of tiny chunks must not hold up the rest
                else:
                    whole = True
    finally:
        await response.aclose()
    return bytes(content[:MAX_ANSWER]), whole


def _text(address: tuple[Any, ...]) -> str:
    """A socket address's IP; one that is link-local needs its zone, which stands apart."""
    zone = address[3] if len(address) > 3 else 0
    return f"{address[0]}%{zone}" if zone and "%" not in address[0] else str(address[0])


def _system_says(error: BaseException | None) -> str | None:
    """What the system said at the bottom of it, without the libraries between."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno)
    return None


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        if isinstance(error, BaseExceptionGroup):  # one for each attempt
            error = error.exceptions[-1]
        yield error
        error = error.__cause__ or error.__context__
