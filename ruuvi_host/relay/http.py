"""Delivery by HTTP(S) POST; the one module that knows httpx.

The transport of httpx is used without its client: the client would add headers that the gateway
does not send, keep cookies, read .netrc and proxies from the environment, and turn a redirected
POST into a GET. What is sent is told by `http-relay` of the gateway: HTTP/1.1, a connection for
each post, no Accept, never chunked.
"""

import asyncio
import logging
import os
import socket
import ssl
import sys
from contextlib import suppress
from email.utils import parsedate_to_datetime
from time import time
from urllib.parse import urlsplit

# httpx imports its own command line, and with it rich (35 ms, 5 MB), wherever click and rich are
# installed. None in sys.modules makes that import fail, which httpx is prepared for.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import httpx  # noqa: E402  (after the line above)

from firmware_protocol.messages import DeviceId  # noqa: E402
from ruuvi_host.config.model import Target, is_ruuvi  # noqa: E402
from ruuvi_host.errors import ConfigError  # noqa: E402
from ruuvi_host.logs import Repeated, printable  # noqa: E402
from ruuvi_host.relay.signing import MAX_KEY_OCTETS, Signer  # noqa: E402
from ruuvi_host.relay.sink import Outcome, Verdict, parse_rate  # noqa: E402

log = logging.getLogger(__name__)

USER_AGENT = "Ruuvi Gateway HTTP Client/1.0"
PHASE_TIMEOUT = 15.0
"""Seconds without progress in connecting, writing or reading. As on the gateway."""
TOTAL_TIMEOUT = 60.0
"""Seconds for the whole post; a server that drips could otherwise hold it for ever."""
MAX_ANSWER = 64 * 1024
"""Octets of an answer that are read. Nothing in them has a meaning."""
MAX_REDIRECTS = 10
MAX_RETRY_AFTER = 3600.0
"""Seconds. A server that asks for more is asked again anyway."""

_BODY_REFUSED = frozenset({400, 413, 415, 422})
"""Statuses that are about this very body, so that sending it again cannot help. All others
(401 or 404, say) can be mended on either side, and the data is worth keeping until then."""
_REDIRECTS = frozenset({301, 302, 307, 308})


def public_url(url: str) -> str:
    """A URL as it may be logged: without user information and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _NotFollowed(Exception):  # noqa: N818 - never leaves this module
    """A redirect that leads nowhere; the text says why."""


class HttpSink:
    """Posts bodies to one server, one at a time, signed.

    phase_timeout: seconds without progress. total_timeout: seconds for a whole post.
    """

    def __init__(
        self,
        target: Target,
        *,
        phase_timeout: float = PHASE_TIMEOUT,
        total_timeout: float = TOTAL_TIMEOUT,
    ) -> None:
        self._target = target
        self._phase_timeout = phase_timeout
        self._total_timeout = total_timeout
        self._signer = Signer()
        self._key_refused = Repeated()
        self._transports: dict[str, httpx.AsyncHTTPTransport] = {}
        try:
            self._url = httpx.URL(target.url)
        except httpx.InvalidURL as error:
            raise ConfigError(target.name, f"{public_url(target.url)}: {error}") from error

    async def deliver(self, body: bytes, gateway: DeviceId) -> Outcome:
        """Post `body`, following redirects. Whatever server and network do is an Outcome."""
        signature = self._signer.sign(body, gateway)
        deadline = asyncio.get_running_loop().time() + self._total_timeout
        try:
            async with asyncio.timeout_at(deadline):
                response, own = await self._post(body, signature)
        except TimeoutError:
            return Outcome(Verdict.LATER, f"no answer within {self._total_timeout:g} s")
        except httpx.ConnectTimeout:
            return Outcome(Verdict.LATER, f"no connection within {self._phase_timeout:g} s")
        except httpx.TimeoutException:
            return Outcome(Verdict.LATER, f"no progress for {self._phase_timeout:g} s")
        except _NotFollowed as error:
            return Outcome(Verdict.LATER, str(error))
        except (httpx.NetworkError, httpx.RemoteProtocolError, OSError) as error:
            return Outcome(Verdict.LATER, _reason(error))
        await _read_answer(response, deadline)
        return self._outcome(response, own)

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()

    async def _post(self, body: bytes, signature: str) -> tuple[httpx.Response, bool]:
        """The open answer after all redirects, and whether it is from the target itself."""
        url = self._url
        for _ in range(1 + MAX_REDIRECTS):
            own = _origin(url) == _origin(self._url)
            response = await self._send(url, body, signature, authorize=own)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or location is None:
                return response, own
            await response.aclose()
            url = _following(url, location)
        raise _NotFollowed(f"more than {MAX_REDIRECTS} redirects")

    async def _send(
        self, url: httpx.URL, body: bytes, signature: str, *, authorize: bool
    ) -> httpx.Response:
        transport = self._transports.get(url.scheme)
        if transport is None:
            transport = self._transports[url.scheme] = await asyncio.to_thread(
                _transport, url.scheme
            )
        authorization = self._target.authorization if authorize else None
        headers = [("User-Agent", USER_AGENT), ("Host", _host(url))]
        if authorization and not authorization.basic:
            headers.append(("Authorization", authorization.value))
        headers.append(("Content-Type", "application/json"))
        headers.append(("Ruuvi-HMAC-SHA256", signature))
        if authorization and authorization.basic:
            headers.append(("Authorization", authorization.value))
        headers.append(("Content-Length", str(len(body))))
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._phase_timeout)
        request = httpx.Request(
            "POST", url, headers=headers, content=body, extensions={"timeout": timeout}
        )
        return await transport.handle_async_request(request)

    def _outcome(self, response: httpx.Response, own: bool) -> Outcome:
        status = response.status_code
        period = None
        if own:  # another server, reached by a redirect, has no say in this
            key = response.headers.get("Ruuvi-HMAC-KEY")
            if key is not None:
                taken = self._signer.replace_key(key.encode(response.headers.encoding))
                if not taken and self._key_refused.due():
                    problem = f"must have 1 to {MAX_KEY_OCTETS} octets; the old key stays"
                    log.warning("%s: the server's Ruuvi-HMAC-KEY %s", self._target.name, problem)
            rate = response.headers.get("X-Ruuvi-Gateway-Rate")
            period = parse_rate(rate) if rate is not None else None
        if 200 <= status < 300:
            return Outcome(Verdict.ACCEPTED, period=period)
        verdict = Verdict.REFUSED if status in _BODY_REFUSED else Verdict.LATER
        retry_after = _retry_after(response.headers.get("Retry-After"))
        reason = f"status {status} {printable(response.reason_phrase)}".rstrip()
        return Outcome(verdict, reason, period, retry_after)


def _transport(scheme: str) -> httpx.AsyncHTTPTransport:
    # Trust anchors are loaded for https only: they take 20 ms and some MB.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if scheme == "https":
        context.load_default_certs()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)


def _following(url: httpx.URL, location: str) -> httpx.URL:
    """Where a redirect leads to. Raises _NotFollowed if that is no place for our data."""
    try:
        following = url.join(location)
    except (httpx.InvalidURL, ValueError):
        raise _NotFollowed("redirected to what is no address") from None
    port = following.port
    if following.scheme not in ("http", "https") or not following.raw_host:
        raise _NotFollowed("redirected to what is no HTTP server")
    if port is not None and not 0 < port <= 65535:
        raise _NotFollowed(f"redirected to port {port}")
    if following.scheme == "http" and url.scheme == "https":
        raise _NotFollowed("redirected from https to http")
    # Only the user sends data to Ruuvi: simulated readings must not get there through others.
    if is_ruuvi(following.raw_host.decode("ascii")) and not is_ruuvi(url.raw_host.decode("ascii")):
        raise _NotFollowed("redirected to Ruuvi")
    return following


async def _read_answer(response: httpx.Response, deadline: float) -> None:
    """Read an answer to its end as the gateway does, but no more than MAX_ANSWER octets of it,
    and never decompressed. The status is known by now, and nothing in a body can change it."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    size = 0
    try:
        with suppress(TimeoutError, httpx.HTTPError, OSError):
            async with asyncio.timeout_at(deadline):
                async for chunk in response.stream:
                    size += len(chunk)
                    if size > MAX_ANSWER:
                        break
                    await asyncio.sleep(0)  # a flood of tiny chunks must not hold up the rest
    finally:
        await response.aclose()


def _host(url: httpx.URL) -> str:
    """The Host header: with the port, unless that is 80 or 443, whatever the scheme."""
    host = url.raw_host.decode("ascii")
    host = f"[{host}]" if ":" in host else host
    return host if url.port in (None, 80, 443) else f"{host}:{url.port}"


def _origin(url: httpx.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port


def _retry_after(value: str | None) -> float | None:
    """`Retry-After` (seconds or a date) → seconds, at most an hour; None: absent or nonsense."""
    if value is None:
        return None
    try:
        seconds = (
            float(value) if value.isdigit() else parsedate_to_datetime(value).timestamp() - time()
        )
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _reason(error: Exception) -> str:
    """One line on what went wrong on the way to the server: what the system or TLS said, which
    the libraries above them wrap."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):  # one for each address of the server
            cause = cause.exceptions[-1]
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the server's certificate is not accepted: {cause.verify_message.rstrip('.')}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {(cause.reason or 'broken off').replace('_', ' ').lower()}"
        if isinstance(cause, socket.gaierror):
            return f"the server's name: {cause.strerror}"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno)
        cause = cause.__cause__ or cause.__context__
    return printable(str(error)) or type(error).__name__
