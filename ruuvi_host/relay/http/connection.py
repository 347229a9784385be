"""A connection to one server, and the way there; the one module that knows httpcore and anyio.

httpcore is the engine of httpx. Names are looked up here, so that we know whom we are connected to
before a single byte is sent. What goes wrong on the way is told in a sentence.
"""

import asyncio
import os
import re
import socket
import ssl
from collections.abc import AsyncIterable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpcore

from ruuvi_host.logs import printable
from ruuvi_host.relay.http.address import Address
from ruuvi_host.relay.http.answer import Answer
from ruuvi_host.relay.http.outcome import NotDelivered, Step
from ruuvi_host.relay.http.proxy import Proxy
from ruuvi_host.relay.http.redirects import REDIRECTS, leads_inward, not_followed
from ruuvi_host.relay.http.request import without
from ruuvi_host.relay.http.tls import Tls
from ruuvi_host.relay.sink import Verdict

MAX_ANSWER = 64 * 1024
"""Bytes of an answer that are read. They have no meaning, but for people."""
SECOND_LOOK = 3.0
"""Seconds in which a server that hung up may tell why, when it is asked once more."""
KEPT_FOR = 75.0
"""Seconds that a kept connection may rest. Routers forget connections, and do not say so."""


@dataclass(slots=True)
class Shared:
    """What all connections for one target have in common."""

    phase_timeout: float
    """Seconds without progress in connecting, TLS, writing and reading."""
    proxy: Proxy | None
    keep_alive: bool
    secrets: tuple[str, ...] = ()
    """What is in the request under way, and may not be told when it comes back."""
    good: dict[str, str] = field(default_factory=dict)
    """Host → its address that answered last: an address that is dead costs time only once."""


class Connection:
    """A connection to one server, possibly through a proxy. It is made when it is first needed.

    tls: for https. before: the IP address of the server that redirected us here.
    """

    def __init__(self, shared: Shared, address: Address, tls: Tls | None, before: str | None):
        self.way = Way(shared, address, tls, before)
        self._shared = shared
        proxy = None
        if shared.proxy:
            there = shared.proxy.address
            url = httpcore.URL(scheme="http", host=there.host, port=there.port, target="/")
            proxy = httpcore.Proxy(url, auth=shared.proxy.auth)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls.context if tls else None,
            proxy=proxy,
            max_keepalive_connections=1 if shared.keep_alive else 0,
            keepalive_expiry=KEPT_FOR,
            network_backend=self.way,
        )

    async def close(self) -> None:
        await self._pool.aclose()

    async def post(
        self,
        target: str,
        headers: list[tuple[bytes, bytes]],
        body: AsyncIterable[bytes],
        deadline: float,
    ) -> tuple[Answer, bool]:
        """The answer, and whether its body has come to its end.

        Raises NotDelivered, and TimeoutError when no answer has begun by `deadline` (time of the
        loop).
        """
        way = self.way
        way.connected = False
        async with asyncio.timeout_at(deadline):
            response = await self._send(target, headers, body)
        content, whole = b"", False
        if response.status not in REDIRECTS:
            content, whole = await _read(response, deadline)
        if way.tls:
            way.tls.keep_session(way.ssl_object)
        phrase = response.extensions.get("reason_phrase", b"").decode("latin-1")
        return Answer(response.status, phrase, tuple(response.headers), content, way.peer), whole

    async def _send(
        self, target: str, headers: list[tuple[bytes, bytes]], body: AsyncIterable[bytes]
    ) -> httpcore.Response:
        """Raises NotDelivered."""
        way, to = self.way, self.way.address
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._shared.phase_timeout)
        url = httpcore.URL(scheme=to.scheme, host=to.host, port=to.port, target=target)
        try:
            return await self._pool.handle_async_request(
                httpcore.Request(
                    "POST", url, headers=headers, content=body, extensions={"timeout": timeout}
                )
            )
        except httpcore.ProxyError as error:
            status = str(error)[:3]
            later = status.startswith("5") or status in ("408", "429")
            raise NotDelivered(
                Verdict.LATER if later else Verdict.FIX,
                Step.PROXY,
                f"the proxy {way.server} does not connect us: {way.printable(str(error))}",
            ) from None
        except httpcore.TimeoutException:
            raise way.stalled() from None
        except (httpcore.NetworkError, OSError) as error:
            raise way.broken(error) from None
        except httpcore.RemoteProtocolError as error:
            if "disconnected" in str(error):
                raise way.broken(error) from None
            what = re.sub(r"bytearray\(b(.*)\)", r"\1", str(error))
            text = f"what came from {way.server} is no HTTP answer: {way.printable(what)}"
            raise NotDelivered(Verdict.LATER, Step.ANSWER, text) from None


class Way(httpcore.AsyncNetworkBackend):
    """The way to one server: names, addresses, TLS. Used by httpcore to connect."""

    def __init__(self, shared: Shared, address: Address, tls: Tls | None, before: str | None):
        self.address = address
        self.tls = tls
        self.before = before
        self.peer = before or ""
        """The IP address that we are connected to."""
        self.connected = False
        """A new connection was made for the request under way."""
        self.ssl_object: ssl.SSLObject | None = None
        self._shared = shared
        self._backend = httpcore.AnyIOBackend()

    @property
    def tls_name(self) -> str:
        """What the certificate must be for."""
        return self.address.host.partition("%")[0].rstrip(".")

    def leads_to(self, address: Address, tls: Tls | None) -> bool:
        return self.address.origin == address.origin and self.tls is tls

    @property
    def _who(self) -> str:
        return "the proxy" if self._shared.proxy else "the server"

    def broken(self, error: Exception | None) -> NotDelivered:
        """The connection ended in the place of an answer."""
        if self.ssl_object and self.tls:
            return self.tls.hung_up(self.address, established=True)
        reason = _system_says(error) or "hung up"
        text = f"no answer of {self.server}: {reason}"
        return NotDelivered(Verdict.LATER, Step.ANSWER, text, hung_up=True)

    async def ask_why(self) -> None:
        """Under TLS 1.3 a server refuses our certificate when we take the handshake for done. It
        closes the connection then, and its alert is often lost because our request is already on
        the way. So ask again, without a request. Raises NotDelivered if the server tells."""
        tls = self.ssl_object
        if not tls or tls.version() != "TLSv1.3" or self._shared.proxy:
            return
        assert self.tls
        stream: httpcore.AsyncNetworkStream | None = None
        timeout = min(self._shared.phase_timeout, SECOND_LOOK)
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

    def stalled(self) -> NotDelivered:
        text = f"{self.server} made no progress for {self._shared.phase_timeout:g} s"
        return NotDelivered(Verdict.LATER, Step.ANSWER, text)

    def printable(self, text: str) -> str:
        return printable(without(self._shared.secrets, text))

    @property
    def server(self) -> str:
        """To which we connect: the proxy, if there is one."""
        return self._shared.proxy.address.server if self._shared.proxy else self.address.server

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
        deadline = loop.time() + self._shared.phase_timeout
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
                self._shared.good[host] = address
            self.peer = address
            return _Stream(stream, self)
        self._shared.good.pop(host, None)
        reason = _system_says(failure) or f"no connection within {self._shared.phase_timeout:g} s"
        raise NotDelivered(Verdict.LATER, Step.CONNECT, f"{self._who} {self.server}: {reason}")

    async def _look_up(self, host: str, port: int, deadline: float) -> list[str]:
        """IP addresses in the order in which to try them."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                found = await loop.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
        except TimeoutError:
            reason = f"no answer within {self._shared.phase_timeout:g} s"
        except socket.gaierror as error:
            reason = error.strerror or str(error)
        except (OSError, UnicodeError) as error:
            reason = str(error)
        else:
            addresses = list(dict.fromkeys(_text(info[4]) for info in found))
            good = self._shared.good.get(host)
            return sorted(addresses, key=lambda address: address != good)
        raise NotDelivered(Verdict.LATER, Step.NAME, f"the name of {self._who}, {host}: {reason}")

    def _allowed(self, addresses: list[str]) -> list[str]:
        """Those of a redirect that may be connected to. With a proxy, nobody here knows them."""
        before = self.before
        if not before or self._shared.proxy:
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

    def __init__(self, stream: httpcore.AsyncNetworkStream, way: Way) -> None:
        self._stream = stream
        self._way = way

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        way = self._way
        try:
            return await self._stream.read(max_bytes, timeout)
        except httpcore.ReadTimeout:
            raise way.stalled() from None
        except ssl.SSLError as error:
            assert way.tls
            raise way.tls.failure(error, way.address, established=True) from None
        except (httpcore.ReadError, OSError, anyio.EndOfStream) as error:
            raise way.broken(error) from None

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
        way = self._way
        assert way.tls
        try:
            stream = await self._stream.start_tls(ssl_context, way.tls_name, timeout)
        except httpcore.ConnectTimeout:
            reason = f"no progress in the TLS handshake for {way._shared.phase_timeout:g} s"
            raise NotDelivered(Verdict.LATER, Step.TLS, f"{way.address.server}: {reason}") from None
        except (httpcore.ConnectError, OSError, anyio.EndOfStream, ValueError) as error:
            cause = next((e for e in _causes(error) if isinstance(e, ssl.SSLError)), None)
            way.tls.forget_session()
            if cause:
                raise way.tls.failure(cause, way.address, established=False) from None
            raise way.tls.hung_up(way.address, established=False) from None
        way.ssl_object = stream.get_extra_info("ssl_object")
        return _Stream(stream, way)

    async def aclose(self) -> None:
        with suppress(ssl.SSLError, OSError, anyio.EndOfStream, anyio.BrokenResourceError):
            await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


async def _read(response: httpcore.Response, deadline: float) -> tuple[bytes, bool]:
    """The body of an answer, no more than MAX_ANSWER bytes of it, as the gateway reads it and
    ignores it; and whether it came to its end. The status is known by now, and nothing in a body
    can change that."""
    content, whole = bytearray(), False
    try:
        with suppress(
            NotDelivered, TimeoutError, OSError, httpcore.NetworkError, httpcore.ProtocolError
        ):
            async with asyncio.timeout_at(deadline):
                async for chunk in response.aiter_stream():
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
