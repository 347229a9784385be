"""An HTTP(S) POST of a body, as the Ruuvi Gateway does it: HTTP/1.1, a connection for each post, no
Accept, never chunked, signed.

Where it is better than the gateway: redirects are followed, TLS files are read again when they
change, and what goes wrong is told in a sentence.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.targets import ExtraFiles, HttpTarget, TlsFiles
from ruuvi_host.config.url import Address, parse_address, public_url
from ruuvi_host.errors import ConfigError
from ruuvi_host.logs import Repeated, printable
from ruuvi_host.relay.http.answer import Answer
from ruuvi_host.relay.http.burst import Burst
from ruuvi_host.relay.http.exchange import REST, Exchange
from ruuvi_host.relay.http.near import is_at_home
from ruuvi_host.relay.http.outcome import (
    TOO_MANY_REQUESTS,
    NotDelivered,
    PostOutcome,
    Step,
    parse_rate,
    parse_retry_after,
)
from ruuvi_host.relay.http.proxy import parse_proxy
from ruuvi_host.relay.http.redirects import (
    MAX_REDIRECTS,
    NOT_AGAIN,
    PERHAPS_GET,
    REDIRECTS,
    REFUSES_POST,
    SEE_OTHER,
    following,
    led_to,
    not_followed,
    only_to_read,
)
from ruuvi_host.relay.http.request import (
    Header,
    Parts,
    Request,
    read_parts,
    reading_headers,
    request_headers,
    signed,
)
from ruuvi_host.relay.http.secrets import without
from ruuvi_host.relay.http.signing import MAX_KEY_BYTES, Signer
from ruuvi_host.relay.http.tls import Tls, made_of
from ruuvi_host.relay.sink import Verdict

log = logging.getLogger(__name__)

PHASE_TIMEOUT = 15.0
"""Seconds without progress in connecting, TLS, writing or reading. As on the gateway."""
TOTAL_TIMEOUT = 60.0
"""Seconds for the whole post; a server that drips could otherwise hold it for ever."""

_MOST_TOLD = 10
"""Other hosts; a server could name others without end."""


class Poster:
    """Posts bodies to one server, one at a time: a gateway's, signed, or others.

    signer: that of an earlier poster for the same server, which keeps the key that it was given.
    phase_timeout: seconds without progress. total_timeout: seconds for a whole post. permits: it is
    a check that somebody else asks for, which goes only to IP addresses of which this is true,
    follows no redirect, and tells what the server says. of_gateway: False: what is posted is no
    gateway's body, there is no secret in the address, and what the server says has a meaning. rest:
    seconds that a kept connection rests before it is used again.
    """

    def __init__(
        self,
        target: HttpTarget,
        signer: Signer | None = None,
        *,
        phase_timeout: float = PHASE_TIMEOUT,
        total_timeout: float = TOTAL_TIMEOUT,
        permits: Callable[[str], bool] | None = None,
        of_gateway: bool = True,
        rest: float = REST,
    ) -> None:
        self._target = target
        self._of_gateway = of_gateway
        self._is_check = permits is not None
        self._total_timeout = total_timeout
        self._signer = signer or Signer()
        self._key_refused = Repeated()
        self._told: set[str] = set()
        """Other hosts that accept our batches."""
        self._tls: dict[bool, Tls] = {}
        """For the target itself (True) and for those to whom it redirects us (False)."""
        try:
            self._address = parse_address(target.url)
        except ValueError as error:
            raise ConfigError(target.name, f"{public_url(target.url)}: {error}") from error
        try:
            proxy = parse_proxy(target.proxy) if target.proxy else None
        except ValueError as error:  # the address may hold a password
            raise ConfigError(
                target.name, f"the proxy's address cannot be used: {error}"
            ) from error
        self._proxy_secrets = proxy.secrets if proxy else ()
        self._exchange = Exchange(
            phase_timeout, proxy, keep_alive=target.keep_alive, permits=permits, rest=rest
        )

    async def post(self, body: bytes, gateway: DeviceId, *, hurried: bool = False) -> PostOutcome:
        """Post `body`, following redirects. Whatever server and network do is an outcome.

        hurried: as of a Hurrying sink.
        """
        about_body = signed(self._signer.sign(body, gateway))
        hurried = hurried and self.burst.trusted
        return await self._outcome_of(
            lambda parts, deadline: self._post(parts, deadline, body, about_body, hurried=hurried)
        )

    @property
    def burst(self) -> Burst:
        """Of the posts that were hurried."""
        return self._exchange.burst

    async def post_as(self, body: bytes, about_body: Iterable[Header]) -> PostOutcome:
        """The same with other headers, and no signature. about_body: what the head says of it."""
        return await self._outcome_of(
            lambda parts, deadline: self._post(parts, deadline, body, about_body)
        )

    async def head(self) -> PostOutcome:
        """Ask for the address without its content. Redirects are not followed."""
        return await self._outcome_of(self._head)

    async def _outcome_of(
        self, send: Callable[[Parts, float], Coroutine[Any, Any, "_Reply"]]
    ) -> PostOutcome:
        """send: gets the parts of the request and a deadline (time of the loop)."""
        deadline = asyncio.get_running_loop().time() + self._total_timeout
        try:
            parts = await self._parts()
            self._exchange.secrets = parts.secrets + self._proxy_secrets
            reply = await send(parts, deadline)
        except TimeoutError:
            reason = f"no answer within {self._total_timeout:g} s"
            return PostOutcome(Verdict.LATER, reason, step=Step.ANSWER, timed_out=True)
        except NotDelivered as failure:
            return failure.outcome
        return self._outcome(reply)

    async def close(self) -> None:
        await self._exchange.close()

    async def _parts(self) -> Parts:
        if self._target.extra == ExtraFiles():
            return read_parts(self._target, self._address, open_query=not self._of_gateway)
        return await asyncio.to_thread(read_parts, self._target, self._address)

    async def _head(self, parts: Parts, deadline: float) -> "_Reply":
        address = parts.address
        headers = reading_headers(self._target, parts, address, own=True)
        tls = await self._tls_for(own=True) if address.scheme == "https" else None
        request = Request("HEAD", address.target, headers)
        answer = await self._exchange.send(request, address, tls, deadline=deadline)
        return _Reply(answer, None, own=True, address=address, get=False)

    async def _post(
        self,
        parts: Parts,
        deadline: float,
        body: bytes,
        about_body: Iterable[Header],
        *,
        hurried: bool = False,
    ) -> "_Reply":
        """The answer after all redirects."""
        address, before, period, status = parts.address, None, None, 0
        own, get, unsettled = True, False, False
        for _ in range(1 + MAX_REDIRECTS):
            # Who has once sent us elsewhere does not get a say again by sending us back.
            own = own and address.origin == self._address.origin
            if get:
                headers = reading_headers(self._target, parts, address, own=own)
                request = Request("GET", address.target, headers)
            else:
                headers = request_headers(self._target, parts, address, body, about_body, own=own)
                request = Request("POST", address.target, headers, body)
            tls = await self._tls_for(own) if address.scheme == "https" else None
            if hurried and not before:
                answer, unsettled = await self._exchange.send_hurried(
                    request, address, tls, deadline=deadline
                )
            else:
                answer = await self._exchange.send(
                    request, address, tls, deadline=deadline, before=before
                )
                unsettled = False  # behind a redirect, over a connection of its own
            if own and self._of_gateway:  # another server, after a redirect, has no say in this
                period = self._heed(answer) or period
            location = answer.header(b"location")
            refused = answer.status in REFUSES_POST and status in PERHAPS_GET and not get
            redirected = answer.status in REDIRECTS and location is not None
            if not (redirected or refused) or self._is_check:
                return _Reply(answer, period, own, address, get, unsettled=unsettled)
            if redirected:
                assert location is not None
                status, before = answer.status, answer.peer
                address = following(address, location, status)
            if (refused or status == SEE_OTHER) and not get:
                if not self._target.redirect_get:
                    raise only_to_read(address, status)
                get = True
        raise not_followed(f"more than {MAX_REDIRECTS} redirects", status)

    async def _tls_for(self, own: bool) -> Tls:
        """As the files are now. A certificate of ours is for the target itself only."""
        files = self._target.tls if own else TlsFiles(server_cert=self._target.tls.server_cert)
        known = self._tls.get(own)

        def current() -> Tls:
            if known and known.made_of == made_of(files):
                return known
            return Tls(files, resume=own and not self._is_check)

        tls = self._tls[own] = await asyncio.to_thread(current)
        return tls

    def _heed(self, answer: Answer) -> int | None:
        """What a target's headers ask for, whatever the status: a new key, a period."""
        key = answer.header(b"ruuvi-hmac-key")
        if key is not None and not self._signer.replace_key(key) and self._key_refused.due():
            problem = f"must have 1 to {MAX_KEY_BYTES} bytes; the old key stays"
            log.warning("%s: the server's Ruuvi-HMAC-KEY %s", self._target.name, problem)
        rate = answer.header(b"x-ruuvi-gateway-rate")
        return parse_rate(rate.decode("latin-1")) if rate is not None else None

    def _outcome(self, reply: "_Reply") -> PostOutcome:
        answer, period, status = reply.answer, reply.period, reply.answer.status
        secrets = self._exchange.secrets
        if answer.verdict is Verdict.ACCEPTED:
            page = printable(without(secrets, answer.page)) if answer.page else ""
            return PostOutcome(
                Verdict.ACCEPTED,
                period=period,
                code=status,
                by=self._elsewhere(reply),
                page=page,
                own=self._is_own(reply),
                unsettled=reply.unsettled,
            )
        phrase = printable(without(secrets, answer.phrase))
        reason = f"status {status} {phrase}".rstrip()
        if said := answer.says(secrets):
            reason += f": {said}"
        advice, wait = answer.advice, parse_retry_after(answer.header(b"retry-after"))
        if advice:
            reason += f" ({advice.means})"
        if self._is_check and (location := answer.header(b"location")):
            reason += f" (to {printable(without(secrets, led_to(reply.address, location)))})"
        if not reply.own:
            reason += " (a redirect led to that server, which gets no authorization of ours)"
        if reply.get:  # the first server may have the batch
            wait = NOT_AGAIN
        return PostOutcome(
            Verdict.FIX if answer.verdict is Verdict.REFUSED and reply.get else answer.verdict,
            reason,
            period=period,
            wait=wait,
            code=status,
            # It answers, and does not want posts so often: the network is there.
            reached=status == TOO_MANY_REQUESTS or reply.get,
            advice=advice,
            said=answer.text(secrets) if self._is_check or not self._of_gateway else "",
            own=self._is_own(reply),
            unsettled=reply.unsettled,
        )

    def _is_own(self, reply: "_Reply") -> bool:
        """Of a server at home. Where a proxy leads to, nobody here knows."""
        at_home = reply.own and not self._target.proxy and is_at_home(reply.answer.peer)
        return at_home and self.burst.trusted

    def _elsewhere(self, reply: "_Reply") -> str:
        """The host that has the batch, if it is not the configured one. That is told once."""
        host = reply.address.host
        if host == self._address.host:
            return ""
        if host not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(host)
            log.warning(
                "%s: %s redirects, and it is %s that accepts the batches, without authorization of "
                "ours; if that is meant, name it in the address",
                *(self._target.name, self._address.server, reply.address.server),
            )
        return reply.address.server


class _Reply(NamedTuple):
    """What a post came to."""

    answer: Answer
    period: int | None
    """What the target asks for."""
    own: bool
    """It is from the target itself."""
    address: Address
    get: bool
    """It is what a GET was answered, to which a redirect led."""
    unsettled: bool = False
    """As in Outcome."""
