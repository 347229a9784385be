"""`GET /validate_url`: settings are tried before they are saved, by one real request.

Source: ruuvi.gateway_esp.c validate_url.c, http_server_cb.c.
"""

import json
import logging

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import answer, error
from ruuvi_host.api.door import Door
from ruuvi_host.api.encryption import decrypted
from ruuvi_host.api.query import parameter
from ruuvi_host.api.turns import BusyError, Turns
from ruuvi_host.api.validation import BadRequestError, Check, Decrypt, Wish, read
from ruuvi_host.config.addresses import basic_authorization, check_url
from ruuvi_host.config.gateway_keys import RUUVI_CLOUD_URL
from ruuvi_host.config.targets import (
    CUSTOM,
    RUUVI,
    STATISTICS,
    Authorization,
    HttpTarget,
)
from ruuvi_host.config.url import parse_address
from ruuvi_host.errors import ConfigError

log = logging.getLogger(__name__)

TIME_LIMIT = 25.0
"""Seconds. As on the gateway."""
MOST_AT_ONCE = 4
"""Checks. A page makes one after the other."""

TURNS = Turns(MOST_AT_ONCE)
"""Of all checks of this process, those of the page too."""

Told = tuple[int, str]
"""Status and message for the JSON of the answer."""

_NOT_THERE_YET = {
    Check.FIRMWARE: "ruuvi-host is updated by the package manager of this machine, not from an "
    "address",
}
_OTHER_SERVER = (
    "The saved password is for another server: it is sent only where scheme, host and port are "
    "those that are saved. Enter it again"
)


class Validation:
    """The handler. time_limit: seconds for the request to the other server."""

    def __init__(self, time_limit: float = TIME_LIMIT) -> None:
        self._time_limit = time_limit

    async def __call__(self, request: Request, door: Door) -> Response:
        query: bytes = request.scope["query_string"]
        try:
            wish = read(lambda name: parameter(query, name), _decryption(request, door))
            with TURNS.turn():
                status, message = await self._told(wish, door)
        except BadRequestError:
            return error(400)
        except BusyError:
            return error(503)
        return answer(200, told(status, message))

    async def _told(self, wish: Wish, door: Door) -> Told:
        """Raises BadRequestError."""
        if why := _NOT_THERE_YET.get(wish.check):
            return 400, why
        if wish.check is Check.MQTT:
            from ruuvi_host.api.check_mqtt import try_broker

            return await try_broker(wish, door)
        if wish.check is Check.REMOTE:
            from ruuvi_host.api.check_remote import try_remote

            return await try_remote(wish, door, time_limit=self._time_limit)
        try:
            check_url("url", wish.url)
        except ConfigError as problem:
            from ruuvi_host.api.check_words import incorrect, no_network

            if wish.check is Check.FILE:
                return 502, no_network(problem.problem)
            return 400, incorrect(wish.url)
        try:
            if wish.check is Check.FILE:
                return await self._head(wish, door)
            return await self._post(wish, door)
        except ConfigError as problem:
            return 400, str(problem)

    async def _post(self, wish: Wish, door: Door) -> Told:
        # Imported here, because it brings the whole side of HTTP along.
        from ruuvi_host.api.check_words import of_post
        from ruuvi_host.api.trial import is_saved_server, trial

        name = STATISTICS if wish.check is Check.STAT else CUSTOM
        document = wish.statistics() if name == STATISTICS else wish.custom()
        if wish.uses_saved:
            if not is_saved_server(door.loaded, name, wish.url):
                return 400, _OTHER_SERVER
            if name == CUSTOM:
                saved = door.loaded.sources.gateway[wish.secret_key]
                if wish.auth != "basic" and not saved:
                    raise BadRequestError
                document[wish.secret_key] = saved  # another kind of it would begin without
        if name == CUSTOM and parse_address(wish.url) == parse_address(RUUVI_CLOUD_URL):
            name = RUUVI  # which knows no authentication
        tried = trial(door, name, document)
        outcome = await tried.post(door, time_limit=self._time_limit)
        status, message = of_post(outcome)
        return status, tried.public(message)

    async def _head(self, wish: Wish, door: Door) -> Told:
        from ruuvi_host.api.check_words import of_head
        from ruuvi_host.api.trial import permits, refuse_ruuvi
        from ruuvi_host.relay.http.check import ask_for

        refuse_ruuvi(door, "url", wish.url)
        target = HttpTarget(
            "file",
            wish.url,
            authorization=_authorization(wish),
            proxy=door.loaded.sources.host["http.proxy"] or None,
        )
        allowed = permits(door, is_saved=False)
        return of_head(await ask_for(target, permits=allowed, time_limit=self._time_limit))


def told(status: int, message: str) -> bytes:
    """The JSON of an answer, in the text form of the gateway."""
    quoted = json.dumps(message, ensure_ascii=False)
    return f'{{\n\t"status":\t{status},\n\t"message":\t{quoted}\n}}'.encode("utf-8", "replace")


def _authorization(wish: Wish) -> Authorization | None:
    secret = wish.secret or ""
    if wish.auth == "basic":
        return basic_authorization(wish.user, secret)
    scheme = {"bearer": "Bearer ", "token": "Token ", "api_key": ""}.get(wish.auth)
    return None if scheme is None else Authorization(scheme + secret)


def _decryption(request: Request, door: Door) -> Decrypt:
    def decrypt(text: str, vector: str, digest: str) -> str | None:
        envelope = {"encrypted": text, "iv": vector, "hash": digest}
        try:
            return decrypted(request, envelope, door).decode()
        except ValueError:
            return None

    return decrypt


validate_url = Validation()
