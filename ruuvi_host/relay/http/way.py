"""The way to one server: names, addresses, a proxy, TLS; and what went wrong there, in a sentence.

Names are looked up here, so that we know whom we are connected to before a single byte is sent.
"""

import asyncio
import os
import socket
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from ruuvi_host.config.url import Address
from ruuvi_host.logs import printable
from ruuvi_host.relay.http.outcome import NotDelivered, Step
from ruuvi_host.relay.http.proxy import Proxy
from ruuvi_host.relay.http.reading import AnswerReader, NoAnswer
from ruuvi_host.relay.http.redirects import leads_inward, not_followed
from ruuvi_host.relay.http.request import head_of
from ruuvi_host.relay.http.secrets import without
from ruuvi_host.relay.http.tls import Tls
from ruuvi_host.relay.http.wire import Wire, connect, open_wire
from ruuvi_host.relay.sink import Verdict

SECOND_LOOK = 3.0
"""Seconds in which a server that hung up may tell why, when it is asked once more."""
_AT_ONCE = 4096
"""Bytes of an answer that are looked at in one turn of the loop: a flood of tiny chunks must not
hold up the rest."""

T = TypeVar("T")


@dataclass(slots=True)
class Shared:
    """What all connections for one target have in common."""

    phase_timeout: float
    """Seconds without progress in connecting, TLS and writing."""
    proxy: Proxy | None
    keep_alive: bool
    secrets: tuple[str, ...] = ()
    """What is in the request under way, and may not be told when it comes back."""
    good: dict[str, str] = field(default_factory=dict)
    """Host → its address that answered last: an address that is dead costs time only once."""


class _Place(NamedTuple):
    """One IP address of a server."""

    text: str
    family: int
    address: tuple[Any, ...]


class Way:
    """The way to one server: names, addresses, proxy, TLS."""

    def __init__(self, shared: Shared, address: Address, tls: Tls | None, before: str | None):
        self.address = address
        self.tls = tls
        self.before = before
        self.peer = before or ""
        """The IP address that we are connected to."""
        self._place: _Place | None = None
        self._safe = False
        """The handshake was done, as far as we could see."""
        self._shared = shared

    @property
    def tls_name(self) -> str:
        """What the certificate must be for."""
        return self.address.host.partition("%")[0].rstrip(".")

    @property
    def server(self) -> str:
        """To which we connect: the proxy, if there is one."""
        return self._shared.proxy.address.server if self._shared.proxy else self.address.server

    @property
    def _who(self) -> str:
        return "the proxy" if self._shared.proxy else "the server"

    def leads_to(self, address: Address, tls: Tls | None) -> bool:
        return self.address.origin == address.origin and self.tls is tls

    # --- what went wrong

    def broken(self, error: Exception | None) -> NotDelivered:
        """The connection ended in the place of an answer."""
        if isinstance(error, ssl.SSLError) and self.tls:
            return self.tls.failure(error, self.address, established=True)
        if self._safe and self.tls:
            return self.tls.hung_up(self.address, established=True)
        reason = _system_says(error) or "hung up"
        text = f"no answer of {self.server}: {reason}"
        return NotDelivered(Verdict.LATER, Step.ANSWER, text, hung_up=True)

    def no_answer(self, error: NoAnswer) -> NotDelivered:
        said = printable(without(self._shared.secrets, str(error)), 80)
        text = f"what came from {self.server} is no HTTP answer: {said}"
        return NotDelivered(Verdict.LATER, Step.ANSWER, text)

    def stalled(self) -> NotDelivered:
        text = f"{self.server} made no progress for {self._shared.phase_timeout:g} s"
        return NotDelivered(Verdict.LATER, Step.ANSWER, text)

    def printable(self, text: str) -> str:
        return printable(without(self._shared.secrets, text))

    async def ask_why(self) -> None:
        """Under TLS 1.3 a server refuses our certificate when we take the handshake for done. It
        closes the connection then, and its alert is often lost because our request is already on
        the way. So ask again, without a request. Raises NotDelivered if the server tells."""
        tls, place = self.tls, self._place
        if not (tls and place and self._safe) or self._shared.proxy:
            return
        patience = min(self._shared.phase_timeout, SECOND_LOOK)
        wire = None
        error: Exception | None = None
        try:
            sock = await connect(place.family, place.address, patience=patience)
            wire = await open_wire(sock, (tls.context, self.tls_name), patience=patience)
            version = wire.ssl_object.version() if wire.ssl_object else None
            if version == "TLSv1.3":
                async with asyncio.timeout(patience):
                    await wire.read()
                error = wire.error
        except (OSError, ValueError) as failure:  # of which a TimeoutError is one
            error = failure
        finally:
            if wire:
                wire.close()
        if isinstance(error, ssl.SSLError):
            clearer = tls.failure(error, self.address, established=True)
            if not clearer.hung_up:
                raise clearer from None

    # --- the way there

    async def open(self) -> Wire:
        """A new connection. Raises NotDelivered."""
        shared, proxy, to = self._shared, self._shared.proxy, self.address
        there = proxy.address if proxy else to
        sock = await self._connect(there.host, there.port)
        tls = self.tls if to.scheme == "https" else None
        if tls and not proxy:
            inner = tls.context, self.tls_name
            return await self._in_tls(tls, open_wire(sock, inner, patience=shared.phase_timeout))
        wire = await open_wire(sock, None, patience=shared.phase_timeout)
        if tls and proxy:
            try:
                await self._through(proxy, wire)
                patience = shared.phase_timeout
                await self._in_tls(tls, wire.start_tls(tls.context, self.tls_name, patience))
            except BaseException:
                wire.close()
                raise
        return wire

    async def _through(self, proxy: Proxy, wire: Wire) -> None:
        """Ask a proxy for the server. Raises NotDelivered."""
        host = self.address.host.partition("%")[0]
        place = f"[{host}]:{self.address.port}" if ":" in host else f"{host}:{self.address.port}"
        head = head_of("CONNECT", place, [("Host", place), *proxy_headers(proxy)])
        reader = AnswerReader()
        try:
            async with asyncio.timeout(self._shared.phase_timeout):
                await wire.write(head, self._shared.phase_timeout)
                while not reader.headers_done:
                    data = await wire.read()
                    if not data and not reader.head:
                        raise self.broken(wire.error)
                    if not data:
                        break
                    await feed(reader, data)
        except TimeoutError:
            raise self.stalled() from None
        except NoAnswer as error:
            raise self.no_answer(error) from None
        assert reader.head
        status, phrase, _ = reader.head
        if not 200 <= status < 300:
            later = status >= 500 or status in (408, 429)
            raise NotDelivered(
                Verdict.LATER if later else Verdict.FIX,
                Step.PROXY,
                f"the proxy {self.server} does not connect us: "
                f"{self.printable(f'{status} {phrase}'.rstrip())}",
            )

    async def _in_tls(self, tls: Tls, handshake: Awaitable[T]) -> T:
        """What the handshake makes. Raises NotDelivered."""
        server = self.address.server
        try:
            made = await handshake
        except TimeoutError:
            reason = f"no progress in the TLS handshake for {self._shared.phase_timeout:g} s"
            raise NotDelivered(Verdict.LATER, Step.TLS, f"{server}: {reason}") from None
        except ssl.SSLError as error:
            tls.forget_session()
            raise tls.failure(error, self.address, established=False) from None
        except (OSError, ValueError):
            tls.forget_session()
            raise tls.hung_up(self.address, established=False) from None
        self._safe = True
        return made

    async def _connect(self, host: str, port: int) -> socket.socket:
        """Raises NotDelivered."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._shared.phase_timeout
        places = self._allowed(await self._look_up(host, port, deadline))
        failure: Exception | None = None
        for left, place in zip(range(len(places), 0, -1), places, strict=True):
            share = max(0.0, deadline - loop.time()) / left
            try:
                sock = await connect(place.family, place.address, patience=share)
            except OSError as error:
                failure = error
                continue
            if not self.before:  # others could name hosts without end
                self._shared.good[host] = place.text
            self.peer, self._place = place.text, place
            return sock
        self._shared.good.pop(host, None)
        reason = _system_says(failure) or f"no connection within {self._shared.phase_timeout:g} s"
        raise NotDelivered(Verdict.LATER, Step.CONNECT, f"{self._who} {self.server}: {reason}")

    async def _look_up(self, host: str, port: int, deadline: float) -> list[_Place]:
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
            places = {_text(info[4]): _Place(_text(info[4]), info[0], info[4]) for info in found}
            good = self._shared.good.get(host)
            return sorted(places.values(), key=lambda place: place.text != good)
        raise NotDelivered(Verdict.LATER, Step.NAME, f"the name of {self._who}, {host}: {reason}")

    def _allowed(self, places: list[_Place]) -> list[_Place]:
        """Those of a redirect that may be connected to. With a proxy, nobody here knows them."""
        before = self.before
        if not before or self._shared.proxy:
            return places
        if allowed := [p for p in places if not leads_inward(before, p.text)]:
            return allowed
        raise not_followed(
            f"redirected by {before} to {self.address.server}, which is nearer to us"
        )


async def feed(reader: AnswerReader, data: bytes) -> None:
    """In pieces, so that others get their turn. Raises NoAnswer."""
    if len(data) <= _AT_ONCE:
        return reader.feed(data)
    view = memoryview(data)
    for start in range(0, len(data), _AT_ONCE):
        reader.feed(view[start : start + _AT_ONCE])
        await asyncio.sleep(0)


def proxy_headers(proxy: Proxy) -> list[tuple[str, str]]:
    if not proxy.auth:
        return []
    return [("Proxy-Authorization", "Basic " + b64encode(b":".join(proxy.auth)).decode("ascii"))]


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
        yield error
        error = error.__cause__ or error.__context__
