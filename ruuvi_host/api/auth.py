"""GET, POST and DELETE of /auth: who am I, log in, log out."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.access.cookies import FORGET_PREVIOUS, PREVIOUS, is_own_path, values
from ruuvi_host.api.access.settings import AccessType
from ruuvi_host.api.access.visit import Visit, visit
from ruuvi_host.api.answer import DONE, answer, error
from ruuvi_host.api.door import Door
from ruuvi_host.api.encryption import plain_body
from ruuvi_host.api.refusals import (
    INCORRECT,
    challenge_of,
    locked,
    refused,
    told,
    wrong_key,
)
from ruuvi_host.config.bounds import too_much_json

_LONGEST_USER, _LONGEST_ANSWER = 50, 64
"""Octets that are compared."""


async def get_auth(request: Request, door: Door) -> Response:
    """Is the client in? If not, how it gets there."""
    visited, now = visit(request), door.clock.monotonic()
    kind = visited.access.type
    judged = visited.admission.by_type(visited.asked, now)
    if judged.is_in:
        visited.caller = judged.caller
        # As on a gateway, whose page looks for it even where everybody is in.
        extra = challenge_of(visited, now) if kind is AccessType.ALLOW else {}
        return _in(visited, door, extra)
    if kind.has_sessions:
        return _log_in_first(visited, now)
    return refused(visited, now, stale=judged.stale)


async def post_auth(request: Request, door: Door) -> Response:
    """Log in."""
    visited = visit(request)
    if not visited.access.type.has_sessions:
        return error(503)
    body = await plain_body(request, door)
    if isinstance(body, Response):
        return body
    now = door.clock.monotonic()
    # Looked at again: others may have guessed from there while the body came.
    if wait := visited.admission.lockout.wait(visited.asked.address, now):
        return locked(wait)
    login = _login(body)
    right = login and visited.admission.log_in(visited.asked, *login, now)
    if not right:
        return _log_in_first(visited, now, message="" if right is None else INCORRECT)
    extra = {}
    previous = next(iter(values(request.headers.get("cookie", ""), PREVIOUS)), None)
    if previous is not None:
        if is_own_path(previous):
            extra["Ruuvi-prev-url"] = previous
        extra["Set-Cookie"] = FORGET_PREVIOUS
    return _in(visited, door, extra)


async def delete_auth(request: Request, door: Door) -> Response:
    """Log out."""
    visited, now = visit(request), door.clock.monotonic()
    admission = visited.admission
    by_key = admission.by_key(visited.asked, now, write=True)
    if by_key and not by_key.is_in:
        return wrong_key(visited)
    if visited.access.type.has_sessions:
        session = admission.open_session(visited.asked, now)
        if session is None:
            return refused(visited, now)
        admission.sessions.close(session)
        return answer(200, DONE)
    judged = by_key or admission.by_type(visited.asked, now)
    return error(503) if judged.is_in else refused(visited, now, stale=judged.stale)


def _in(visited: Visit, door: Door, extra: dict[str, str]) -> Response:
    access = visited.access
    return answer(200, told(access.realm, access.type.value, door.identity()), extra=extra)


def _log_in_first(visited: Visit, now: float, message: str = "") -> Response:
    access = visited.access
    body = told(access.realm, access.type.value, message=message)
    return answer(401, body, extra=challenge_of(visited, now))


def _login(body: bytes) -> tuple[str, str] | None:
    """User and answer; None: it is no login."""
    try:
        text = body.decode()
        document = None if too_much_json(text) else json.loads(text, object_pairs_hook=_members)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    user, password = document.get("login"), document.get("password")
    if not (isinstance(user, str) and isinstance(password, str)):
        return None
    return _cut(user, _LONGEST_USER), _cut(password, _LONGEST_ANSWER)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """As a gateway reads an object: names in any case, and of equal ones the first counts."""
    return {name.lower(): value for name, value in reversed(pairs)}


def _cut(text: str, octets: int) -> str:
    return text.encode("utf-8", "surrogatepass")[:octets].decode("utf-8", "replace")
