"""The way to one server: its names and addresses; and what went wrong there, in a sentence.

Names are looked up here, so that we know whom we are connected to before a single byte is sent.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ruuvi_host.config.url import Address
from ruuvi_host.logs import printable
from ruuvi_host.relay.http.answer_filter import NoAnswer
from ruuvi_host.relay.http.outcome import NotDelivered, Step
from ruuvi_host.relay.http.proxy import Proxy
from ruuvi_host.relay.http.redirects import leads_inward, not_followed
from ruuvi_host.relay.http.secrets import without
from ruuvi_host.relay.http.tls import Tls
from ruuvi_host.relay.sink import Verdict

_BEYOND_PROXY = 3.0
"""Seconds to look up a name that only a proxy has to know."""


@dataclass(slots=True)
class Shared:
    """What all connections for one target have in common."""

    phase_timeout: float
    """Seconds without progress in connecting, TLS and writing."""
    proxy: Proxy | None
    secrets: tuple[str, ...] = ()
    """What is in the request under way, and may not be told when it comes back."""
    good: dict[str, str] = field(default_factory=dict)
    """Host → its address that answered last: an address that is dead costs time only once."""
    permits: Callable[[str], bool] | None = None
    """May this IP address be connected to? None: any may. With a proxy it is asked of the
    server's addresses as far as we know them: the proxy looks the name up by itself."""
    body_limit: int = 0
    """Bytes of a body that has a meaning: it is read to its end, or until the deadline. 0: it has
    none, but for people."""


class Way:
    """The way to one server. before: the IP address of the server that redirected us here."""

    def __init__(self, shared: Shared, address: Address, tls: Tls | None, before: str | None):
        self.shared = shared
        self.address = address
        self.tls = tls
        self.before = before
        self.peer = before or ""
        """The IP address that we are connected to."""
        self.connected = False
        """A new connection was made for the request under way."""
        self.ssl_object: ssl.SSLObject | None = None

    @property
    def tls_name(self) -> str:
        """What the certificate must be for."""
        return self.address.host.partition("%")[0].rstrip(".")

    @property
    def server(self) -> str:
        """To which we connect: the proxy, if there is one."""
        return self.shared.proxy.address.server if self.shared.proxy else self.address.server

    @property
    def _who(self) -> str:
        return "the proxy" if self.shared.proxy else "the server"

    def leads_to(self, address: Address, tls: Tls | None) -> bool:
        return self.address.origin == address.origin and self.tls is tls

    # --- what went wrong

    def broken(self, error: Exception | None) -> NotDelivered:
        """The connection ended in the place of an answer."""
        if self.ssl_object and self.tls:
            return self.tls.hung_up(self.address, established=True)
        reason = _system_says(error) or "hung up"
        text = f"no answer of {self.server}: {reason}"
        return NotDelivered(Verdict.LATER, Step.ANSWER, text, hung_up=True)

    def no_answer(self, error: NoAnswer) -> NotDelivered:
        said = printable(without(self.shared.secrets, str(error)), 80)
        text = f"what came from {self.server} is no HTTP answer: {said}"
        return NotDelivered(Verdict.LATER, Step.ANSWER, text)

    def stalled(self) -> NotDelivered:
        text = f"{self.server} made no progress for {self.shared.phase_timeout:g} s"
        return NotDelivered(Verdict.LATER, Step.ANSWER, text)

    def not_connected(self, error: Exception | None) -> NotDelivered:
        reason = _system_says(error) or f"no connection within {self.shared.phase_timeout:g} s"
        return NotDelivered(Verdict.LATER, Step.CONNECT, f"{self._who} {self.server}: {reason}")

    def no_handshake(self, error: BaseException | None) -> NotDelivered:
        """TLS could not begin. error: None for one that took too long."""
        assert self.tls
        if error is None:
            reason = f"no progress in the TLS handshake for {self.shared.phase_timeout:g} s"
            return NotDelivered(Verdict.LATER, Step.TLS, f"{self.address.server}: {reason}")
        self.tls.forget_session()
        cause = next((e for e in _causes(error) if isinstance(e, ssl.SSLError)), None)
        if cause:
            return self.tls.failure(cause, self.address, established=False)
        return self.tls.hung_up(self.address, established=False)

    def refused_by_proxy(self, said: str) -> NotDelivered:
        """said: by the proxy, beginning with its status."""
        later = said.startswith("5") or said[:3] in ("408", "429")
        text = printable(without(self.shared.secrets, said))
        return NotDelivered(
            Verdict.LATER if later else Verdict.FIX,
            Step.PROXY,
            f"the proxy {self.server} does not connect us: {text}",
        )

    # --- names

    async def addresses(self, host: str, port: int, deadline: float) -> list[str]:
        """IP addresses in the order in which to try them. Raises NotDelivered."""
        if self.shared.permits and self.shared.proxy:
            await self._look_beyond_proxy(deadline)
        try:
            addresses = await _look_up(host, port, deadline)
        except TimeoutError:
            reason = f"no answer within {self.shared.phase_timeout:g} s"
        except socket.gaierror as error:
            reason = error.strerror or str(error)
        except (OSError, UnicodeError) as error:
            reason = str(error)
        else:
            good = self.shared.good.get(host)
            return self._allowed(sorted(addresses, key=lambda address: address != good))
        raise NotDelivered(Verdict.LATER, Step.NAME, f"the name of {self._who}, {host}: {reason}")

    def _allowed(self, addresses: list[str]) -> list[str]:
        """Those of a redirect that may be connected to. With a proxy, nobody here knows them."""
        before, permits = self.before, self.shared.permits
        if self.shared.proxy:
            return addresses
        if permits:
            addresses = self._permitted(addresses, permits)
        if not before:
            return addresses
        if allowed := [a for a in addresses if not leads_inward(before, a)]:
            return allowed
        raise not_followed(
            f"redirected by {before} to {self.address.server}, which is nearer to us"
        )

    def _permitted(self, addresses: list[str], permits: Callable[[str], bool]) -> list[str]:
        if allowed := [a for a in addresses if permits(a)]:
            return allowed
        why = "is this machine, or a neighbour on the wire that others do not reach"
        raise NotDelivered(Verdict.FIX, Step.NEAR, f"{self.address.server} {why}")

    async def _look_beyond_proxy(self, deadline: float) -> None:
        """What we can see of where the proxy will take us. That we cannot look it up means
        nothing: perhaps only the proxy can."""
        assert self.shared.permits
        loop = asyncio.get_running_loop()
        until = min(deadline, loop.time() + _BEYOND_PROXY)
        try:
            addresses = await _look_up(self.address.host, self.address.port, until)
        except (OSError, UnicodeError):  # a TimeoutError is one
            return
        self._permitted(addresses, self.shared.permits)


async def _look_up(host: str, port: int, deadline: float) -> list[str]:
    """IP addresses. Raises TimeoutError, OSError, UnicodeError."""
    name = host.encode("ascii")
    try:  # an address needs no thread that waits for the network
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout_at(deadline):
            found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(_text(info[4]) for info in found))


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


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        if isinstance(error, BaseExceptionGroup):  # one for each attempt
            error = error.exceptions[-1]
        yield error
        error = error.__cause__ or error.__context__
