"""Fetches a configuration: the own file, or the one for all, with its signature if one is wanted.

Source: ruuvi.gateway_esp.c http_download.c; where a host is safer, the page on remote configuration
says why.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import time

from ruuvi_host import __version__
from ruuvi_host.config.remote import RemoteSettings
from ruuvi_host.config.targets import TlsFiles
from ruuvi_host.config.url import Address
from ruuvi_host.relay.http.answer import Answer as Reply
from ruuvi_host.relay.http.exchange import Exchange
from ruuvi_host.relay.http.outcome import NotDelivered
from ruuvi_host.relay.http.proxy import Proxy, parse_proxy
from ruuvi_host.relay.http.redirects import following
from ruuvi_host.relay.http.request import Request
from ruuvi_host.relay.http.tls import Tls
from ruuvi_host.remote.addresses import BadAddressError, Place, places
from ruuvi_host.remote.answer import Download, Failed, Fetched, NotModified
from ruuvi_host.remote.answers import (
    LONGEST,
    of_body,
    of_failure,
    of_redirect,
    of_silence,
    of_status,
)
from ruuvi_host.remote.memory import Memory, Validators
from ruuvi_host.remote.record import digest
from ruuvi_host.remote.request import Credentials, credentials, goes_in_clear, headers
from ruuvi_host.remote.signature import problem_of

TIME_LIMIT = 10.0
"""Seconds for each file, from the start of connecting to its last byte. As on the gateway."""
_PHASE = 8.0
"""Seconds of it for connecting, TLS and writing: what was slow can then be told."""
MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 307, 308})


async def fetch(
    settings: RemoteSettings,
    mac: str,
    memory: Memory,
    *,
    permits: Callable[[str], bool] | None = None,
    time_limit: float = TIME_LIMIT,
) -> Download:
    """Never raises but for cancellation: what goes wrong is a Failed.

    mac: of the gateway, "AA:CC:EE:00:11:22". permits: may this IP address be connected to? None:
    any may. time_limit: seconds for each file.
    """
    try:
        found = places(settings.url, mac)
    except BadAddressError as error:
        return Download(Failed("refused", error.status, str(error)), memory)
    try:
        given = credentials(settings, found.own.query)
        proxy = parse_proxy(settings.proxy) if settings.proxy else None
    except ValueError as error:
        return Download(Failed("refused", 400, str(error)), memory)
    getter = _Getter(settings, mac, given, proxy, permits, time_limit)
    now, own, common = time(), found.own, found.common
    if common is None:
        return await _file(getter, own, memory)
    if memory.is_absent(own.url, now):
        memory = memory.passed_over(own.url)
    else:
        download = await _file(getter, own, memory)
        if not (missing := _missing(download)):
            return download
        memory = memory.missed(own.url, missing.absent_for, now)
    download = await _file(getter, common, memory)
    # Where there is nothing at all, both are looked for the next time.
    return replace(download, memory=memory.asking_for_all()) if _missing(download) else download


def _missing(download: Download) -> Failed | None:
    answer = download.answer
    return answer if isinstance(answer, Failed) and answer.result == "not_found" else None


async def _file(getter: "_Getter", place: Place, memory: Memory) -> Download:
    """One file, with its signature if there is to be one."""
    key = getter.settings.public_key
    known = memory.of(place.url, place.query, key)
    got = await getter.get(place, known)
    if isinstance(got, Failed):
        return Download(got, memory, getter.warnings)
    if got.status == 304:
        return Download(NotModified(place.url), memory, getter.warnings)
    text = of_body(got.reply, place, late=got.late)
    if isinstance(text, str) and key:
        text = await _signed(getter, place, text)
    if isinstance(text, Failed):
        return Download(text, memory, getter.warnings)
    etag, modified = (_text(got.reply.header(name)) for name in (b"etag", b"last-modified"))
    memory = memory.fetched(place.url, Validators(etag, modified, place.query, key, digest(text)))
    return Download(Fetched(text, place.url, etag, modified), memory, getter.warnings)


async def _signed(getter: "_Getter", place: Place, text: str) -> str | Failed:
    """The text, if it is signed by the key that is configured."""
    got = await getter.get(place.signature, None)
    if isinstance(got, Failed) and got.result == "not_found":
        why = f"it has to be signed, and there is no {place.signature.url}"
        return Failed("refused", 502, why, place.url, answered=200)
    if isinstance(got, Failed):
        return got
    signature = of_body(got.reply, place.signature, late=got.late)
    if isinstance(signature, Failed):
        return signature
    if problem := problem_of(getter.settings.public_key, text.encode(), signature.encode()):
        return Failed("refused", 502, problem, place.url, answered=200)
    return text


def _text(value: bytes | None) -> str:
    """A header's value that can be sent back."""
    return value.decode("latin-1") if value and len(value) <= 1024 and value.isascii() else ""


@dataclass(frozen=True, slots=True)
class _Got:
    """A 200, or a 304 to a conditional request."""

    reply: Reply
    late: bool
    """The time was up."""

    @property
    def status(self) -> int:
        return self.reply.status


class _Getter:
    """Makes the requests of one fetch."""

    def __init__(
        self,
        settings: RemoteSettings,
        mac: str,
        given: Credentials,
        proxy: Proxy | None,
        permits: Callable[[str], bool] | None,
        time_limit: float,
    ) -> None:
        self.settings = settings
        self.warnings: tuple[str, ...] = ()
        self._mac = mac
        self._given = given
        self._proxy = proxy
        self._permits = permits
        self._time_limit = time_limit

    async def get(self, place: Place, validators: Validators | None) -> _Got | Failed:
        """One file."""
        secrets = self._given.secrets + (self._proxy.secrets if self._proxy else ())
        address, before, status, own = place.address, None, 0, True
        exchange = Exchange(
            _PHASE,
            self._proxy,
            keep_alive=False,
            permits=self._permits,
            body_limit=LONGEST,
        )
        exchange.secrets = secrets
        try:
            contexts = _Contexts(self.settings.tls)
            await contexts.prepare(address)
            deadline = asyncio.get_running_loop().time() + self._time_limit
            for _ in range(1 + MAX_REDIRECTS):
                # Who has once sent us elsewhere does not get a say again by sending us back.
                own = own and address.origin == place.address.origin
                lines = headers(address, self._mac, __version__, self._given, validators, own=own)
                tls = await contexts.of(address, own=own)
                reply = await exchange.send(
                    Request("GET", address.target, lines),
                    *(address, tls),
                    deadline=deadline,
                    before=before,
                )
                if own:
                    self._look_at_secrets(address, reply.peer)
                status, before = reply.status, reply.peer
                location = reply.header(b"location")
                if status not in REDIRECTS or location is None:
                    late = asyncio.get_running_loop().time() >= deadline
                    return self._judged(reply, place, validators, secrets, own=own, late=late)
                address = following(address, location, status)
        except TimeoutError:
            return of_silence(self._time_limit, address, place)
        except NotDelivered as failure:
            return of_failure(failure.outcome, place)
        finally:
            await exchange.close()
        return of_redirect(f"more than {MAX_REDIRECTS} redirects", status, place)

    def _judged(
        self,
        reply: Reply,
        place: Place,
        validators: Validators | None,
        secrets: tuple[str, ...],
        *,
        own: bool,
        late: bool,
    ) -> _Got | Failed:
        if reply.status == 200 or (reply.status == 304 and validators):
            return _Got(reply, late)
        return of_status(reply, place, secrets, own=own)

    def _look_at_secrets(self, address: Address, peer: str) -> None:
        if self._given.value and goes_in_clear(address, peer, proxy=self._proxy is not None):
            self.warnings = (
                f"remote_cfg_url: the secret of remote_cfg_auth_type goes to {address.server} in "
                "clear; with https:// nobody on the way can read it",
            )


class _Contexts:
    """For TLS: one for the server that is configured, one for others, which get no certificate of
    ours."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._made: dict[bool, Tls] = {}

    async def prepare(self, address: Address) -> None:
        """Before the time begins to count: what is read is on this machine. Raises NotDelivered."""
        await self.of(address, own=True)

    async def of(self, address: Address, *, own: bool) -> Tls | None:
        """None: none is needed. Raises NotDelivered naming the file."""
        if address.scheme != "https":
            return None
        if own not in self._made:
            files = self._files if own else TlsFiles(server_cert=self._files.server_cert)
            self._made[own] = await asyncio.to_thread(Tls, files, resume=False)
        return self._made[own]
