"""The way in: every request passes here before anything is done for it."""

import logging
import re
import secrets
import socket

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.access.admission import Admission, Asked, Caller
from ruuvi_host.api.access.cookies import SESSION, values
from ruuvi_host.api.access.exchange import AgreedKeys
from ruuvi_host.api.access.names import is_own, is_same_site, name_of, own_names
from ruuvi_host.api.access.randomness import Random
from ruuvi_host.api.access.settings import access
from ruuvi_host.api.access.visit import Visit, visit
from ruuvi_host.api.answer import error
from ruuvi_host.api.door import Door
from ruuvi_host.api.encryption import PUBLIC_KEY, agree, public_key
from ruuvi_host.api.refusals import locked, refused, to_login, wrong_key
from ruuvi_host.api.routes import Key, Route
from ruuvi_host.api.unended import Unended, depends_on_it

log = logging.getLogger(__name__)

_READING = ("GET", "HEAD")
_CHECKS = "/validate_url"
"""The one GET that does something."""
_MOST_TOLD = 16
_PLAIN = re.compile(r"[0-9a-z._-]{1,253}")


class Gate:
    """Who may ask, in the order in which it is found out: a lock, a key, the name that was asked
    for, the page that asks, and then the access type.

    random: where challenges, sessions and keys come from.
    """

    def __init__(self, door: Door, random: Random = secrets.token_bytes) -> None:
        self._door = door
        self._random = random
        self._admission = Admission(random, _tell_lock)
        self._agreed = AgreedKeys()
        self._told: set[str] = set()
        """Foreign names that were told in the log."""

    async def check(self, request: Request, route: Route | None) -> Response | None:
        """A refusal; None: the request is let in. route: None for what there is not.

        What handlers can ask of it is then in `access.visit.visit(request)`.
        """
        now = self._door.clock.monotonic()
        self.follow()
        asked = _asked(request)
        visited = Visit(self._admission, asked, Caller(asked.address), self._agreed)
        request.state.visit = visited
        return self._greet(request) or self._look(request, route, visited, now)

    def follow(self) -> None:
        """Take up the present configuration. To be called for each: what it ends does not come
        back with the next one."""
        values = self._door.loaded.sources.gateway.values
        self._admission.follow(access(values, self._door.identity()))

    def finish(self, request: Request, response: Response) -> None:
        """Add what every answer carries that a GET has asked for: our half of an agreed key."""
        theirs = getattr(request.state, "public_key", None)
        if theirs is None:
            return
        ours, key = agree(theirs, self._random)
        visited = visit(request)
        named = {*visited.asked.sessions, visited.given_session} - {""}
        now = self._door.clock.monotonic()
        self._agreed.add(key, visited.asked.address, frozenset(named), now)
        line = (PUBLIC_KEY.lower().encode(), ours.encode())
        names = [name for name, _ in response.raw_headers]
        at = names.index(b"cache-control") if b"cache-control" in names else len(names)
        response.raw_headers.insert(at, line)

    def _greet(self, request: Request) -> Response | None:
        """A GET may ask for a key to be agreed on."""
        theirs = request.headers.get(PUBLIC_KEY)
        if theirs is None or request.method not in _READING:
            return None
        try:
            request.state.public_key = public_key(theirs)
        except ValueError:
            return error(400)
        return None

    def _look(
        self, request: Request, route: Route | None, visited: Visit, now: float
    ) -> Response | None:
        asked, admission = visited.asked, self._admission
        path = _path(request)
        key = route.key if route else _key_of_nothing(asked.method, path)
        logs_in = key is Key.OWN and asked.method == "POST"
        if (
            key is not Key.NOBODY
            and (asked.brings_secret or logs_in)
            and (wait := admission.lockout.wait(asked.address, now))
        ):
            return locked(wait)
        if key in (Key.READ, Key.WRITE):
            by_key = admission.by_key(asked, now, write=key is Key.WRITE)
            if by_key:
                visited.caller = by_key.caller
                return None if by_key.is_in else wrong_key(visited)
        if refusal := self._look_for_others(request, path):
            return refusal
        if key in (Key.NOBODY, Key.OWN):
            return None
        judged = admission.by_type(asked, now)
        visited.caller = judged.caller
        if judged.is_in:
            return None
        if admission.access.type.has_sessions and asked.method in _READING:
            login = to_login(path)
            return Unended(login) if depends_on_it(request) else login
        return refused(visited, now, stale=judged.stale)

    def _look_for_others(self, request: Request, path: str) -> Response | None:
        """Other web sites, that is, which have a person's browser ask."""
        host = request.headers.get("host")
        if host is not None and not is_own(host, self._names()):
            self._tell_name(name_of(host))
            return error(421)
        if request.method in _READING and path != _CHECKS:
            return None
        headers = request.headers
        is_ours = is_same_site(host, headers.getlist("origin"), headers.getlist("sec-fetch-site"))
        return None if is_ours else error(403)

    def _names(self) -> frozenset[str]:
        api = self._door.loaded.config.api
        named = api.names if api else ()
        return own_names(socket.gethostname(), self._door.identity().name, named)

    def _tell_name(self, name: str) -> None:
        """Once: whoever uses it wonders why there is no answer."""
        if name in self._told or len(self._told) >= _MOST_TOLD or not _PLAIN.fullmatch(name):
            return
        self._told.add(name)
        log.warning(
            "local API: asked under the name %s, which is not known here; "
            "if it is meant for this machine, add it to api.names",
            name,
        )


def _tell_lock(address: str, seconds: float) -> None:
    log.warning(
        "local API: wrong keys or passwords from %s; no further ones are looked at for %.0f s",
        address or "the socket",
        seconds,
    )


def _asked(request: Request) -> Asked:
    headers = request.headers
    path, query = _path(request), request.scope["query_string"].decode("latin-1")
    targets = [f"{path}?{query}"] if query else [path, f"{path}?"]
    if host := headers.get("host"):
        targets += [f"{scheme}://{host}{each}" for scheme in ("http", "https") for each in targets]
    return Asked(
        *(request.method, tuple(targets), request.client.host if request.client else ""),
        headers.get("authorization", ""),
        tuple(values(headers.get("cookie", ""), SESSION)),
    )


def _path(request: Request) -> str:
    """As it was asked for: nothing in it is decoded. Octets as Latin-1."""
    raw: bytes | None = request.scope.get("raw_path")
    path: str = request.scope["path"]
    return path if raw is None else raw.decode("latin-1")


def _key_of_nothing(method: str, path: str) -> Key:
    """Who is told that there is no such thing: anybody, if it would be a file of the page."""
    if method not in _READING:
        return Key.WRITE
    is_file = "." in path and not path.endswith(".json")
    return Key.NOBODY if is_file else Key.READ
