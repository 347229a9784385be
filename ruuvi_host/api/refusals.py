"""The answers to who may not ask, and the one that tells who may.

Source: local API of the gateway, http_server_handle_req_get_auth.c.
"""

import json
from math import ceil

from starlette.responses import Response

from ruuvi_host.api.access.cookies import set_previous, set_session
from ruuvi_host.api.access.digest import challenge
from ruuvi_host.api.access.settings import AccessType
from ruuvi_host.api.access.visit import Visit
from ruuvi_host.api.answer import answer, error
from ruuvi_host.api.door import Identity

BEARER = "lan_auth_bearer"
INCORRECT = "Incorrect username or password"
"""Which of them is for nobody to know."""


def told(realm: str, kind: str, identity: Identity | None = None, message: str = "") -> bytes:
    """The JSON of the check of access. identity: tells the versions, to those who are in."""
    document: dict[str, str | bool] = {"gateway_name": realm}
    if identity:
        document |= {"fw_ver": identity.version, "nrf52_fw_ver": identity.nrf_version}
    document |= {"lan_auth_type": kind, "lan": True}
    if message:
        document["message"] = message
    return json.dumps(document).encode()


def wrong_key(visit: Visit) -> Response:
    return answer(401, told(visit.access.realm, BEARER))


def locked(seconds: float) -> Response:
    return error(429, {"Retry-After": str(max(1, ceil(seconds)))})


def refused(visit: Visit, now: float, *, stale: bool = False) -> Response:
    """As the access type has it, without a challenge for a login."""
    access = visit.access
    kind = access.type
    body = told(access.realm, kind.value)
    if kind is AccessType.DENY:
        return answer(403, body)
    extra = {}
    if kind is AccessType.BASIC:
        extra["WWW-Authenticate"] = f'Basic realm="{access.realm}", charset="UTF-8"'
    elif kind is AccessType.DIGEST:
        nonce = visit.admission.nonces.make(now)
        extra["WWW-Authenticate"] = challenge(access.realm, nonce, stale=stale)
    return answer(401, body, extra=extra)


def to_login(path: str) -> Response:
    """The page where one logs in. path: as it was asked for."""
    cookie = set_previous(path)
    return answer(302, extra={"Location": "/#auth"} | ({"Set-Cookie": cookie} if cookie else {}))


def challenge_of(visit: Visit, now: float) -> dict[str, str]:
    """The header lines of a new challenge for a login."""
    made = visit.admission.challenges.make(visit.asked.address, now)
    visit.given_session = made.session
    visit.agreed.hand_on(visit.asked.address, frozenset(visit.asked.sessions), made.session)
    return {
        "WWW-Authenticate": (
            f'x-ruuvi-interactive realm="{visit.access.realm}" challenge="{made.text}" '
            f'session_cookie="RUUVISESSION" session_id="{made.session}"'
        ),
        "Set-Cookie": set_session(made.session),
    }
