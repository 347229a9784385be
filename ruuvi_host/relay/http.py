"""Delivery by HTTP(S) POST; the one module that knows httpx.

The transport of httpx is used without its client: the client would add headers that the gateway
does not send, keep cookies, read .netrc and proxies from the environment, and turn a redirected
POST into a GET. What is sent is told by `http-relay` of the gateway: HTTP/1.1, a connection for
each post, no Accept, never chunked.
"""

import asyncio
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
from ruuvi_host.config import Target  # noqa: E402
from ruuvi_host.errors import ConfigError  # noqa: E402
from ruuvi_host.logs import printable  # noqa: E402
from ruuvi_host.relay.signing import Signer  # noqa: E402
from ruuvi_host.relay.sink import Outcome, Verdict, parse_rate  # noqa: E402

USER_AGENT = "Ruuvi Gateway HTTP Client/1.0"
PHASE_TIMEOUT = 15.0
"""Seconds without progress in connecting, writing or reading. As on the gateway."""
TOTAL_TIMEOUT = 60.0
"""Seconds for the whole post; a server that drips could otherwise hold it for ever."""
MAX_ANSWER = 64 * 1024
"""Octets of an answer that are read. Nothing in them has a meaning."""
MAX_REDIRECTS = 10
MAX_RETRY_AFTER = 3600.0

_BODY_REFUSED = frozenset({400, 413, 415, 422})
"""Statuses that are about this very body, so that sending it again cannot help. All others
(401 or 404, say) can be mended on either side, and the data is worth keeping until then."""
_REDIRECTS = frozenset({301, 302, 307, 308})


def public_url(url: str) -> str:
    """A URL as it may be logged: without user information and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class HttpSink:
    """Posts bodies to one server, one at a time, signed."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._signer = Signer()
        self._transports: dict[str, httpx.AsyncHTTPTransport] = {}
        try:
            self._url = httpx.URL(target.url)
        except httpx.InvalidURL as error:
            raise ConfigError(target.name, f"{public_url(target.url)}: {error}") from error

    async def deliver(self, body: bytes, gateway: DeviceId) -> Outcome:
        """Post `body`, following redirects. Whatever server and network do is an Outcome."""
        signature = self._signer.sign(body, gateway)
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT):
                return await self._post(body, signature)
        except TimeoutError:
            return Outcome(Verdict.LATER, f"no complete answer within {TOTAL_TIMEOUT:.0f} s")
        except httpx.TimeoutException as error:
            return Outcome(Verdict.LATER, f"no progress for {PHASE_TIMEOUT:.0f} s{_detail(error)}")
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            return Outcome(Verdict.LATER, _reason(error))

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()

    async def _post(self, body: bytes, signature: str) -> Outcome:
        url = self._url
        for _ in range(1 + MAX_REDIRECTS):
            own = _origin(url) == _origin(self._url)
            response = await self._send(url, body, signature, authorize=own)
            try:
                status = response.status_code
                headers = response.headers
                if status in _REDIRECTS and "location" in headers:
                    following = url.join(headers["location"])
                    if following.scheme not in ("https", url.scheme) or not following.host:
                        place = printable(public_url(str(following)))
                        return Outcome(Verdict.LATER, f"will not follow a {status} to {place}")
                    url = following
                    continue
                await _read_answer(response)
                return self._outcome(response, own)
            finally:
                await response.aclose()
        return Outcome(Verdict.LATER, f"more than {MAX_REDIRECTS} redirects")

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
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), PHASE_TIMEOUT)
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
                self._signer.replace_key(key.encode(response.headers.encoding))
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
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
    return httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)


async def _read_answer(response: httpx.Response) -> None:
    """Read an answer to its end as the gateway does, but no more than MAX_ANSWER octets of it,
    and never decompressed. The status is known by now, and nothing in a body can change it."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    size = 0
    with suppress(TimeoutError, httpx.HTTPError, ssl.SSLError, OSError):
        async with asyncio.timeout(PHASE_TIMEOUT):
            async for chunk in response.stream:
                size += len(chunk)
                if size > MAX_ANSWER:
                    break


def _host(url: httpx.URL) -> str:
    """The Host header: with the port, unless that is 80 or 443, whatever the scheme."""
    host = f"[{url.host}]" if ":" in url.host else url.raw_host.decode("ascii")
    return host if url.port in (None, 80, 443) else f"{host}:{url.port}"


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


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


def _detail(error: Exception) -> str:
    return f" ({error})" if str(error) else ""


def _reason(error: Exception) -> str:
    """One line on what went wrong on the way to the server."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the server's certificate is not accepted: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    return printable(str(error)) or type(error).__name__
