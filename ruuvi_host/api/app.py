"""The application: one request in, the checks in their order, one answer out."""

import logging
from collections.abc import Iterable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ruuvi_host.api.answer import PROTECTION, error
from ruuvi_host.api.door import Door
from ruuvi_host.api.gate import Gate
from ruuvi_host.api.routes import Route
from ruuvi_host.web.client import client_address

log = logging.getLogger(__name__)

METHODS = ("GET", "HEAD", "POST", "DELETE")


class App:
    """The ASGI application of the local API."""

    def __init__(self, door: Door, routes: Iterable[Route], gate: Gate | None = None) -> None:
        self._door = door
        self._gate = gate or Gate(door)
        self._routes = {(route.method, route.path): route for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        api = self._door.loaded.config.api
        address = client_address(scope, api.proxies if api else ())
        scope["client"] = (str(address), 0) if address else None  # for whoever looks from here on
        body = _Body(scope, receive)
        request = Request(scope, body.receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except Exception:  # one request never ends the host
            log.exception("%s %s: an error of ruuvi-host", request.method, scope["path"])
            response = error(500)
        for name, value in PROTECTION.items():
            response.headers.setdefault(name, value)
        # What may be told: never a query, a header field or a body.
        told = request.method, scope["path"], response.status_code, address or "-"
        log.debug("%s %s %d %s", *told)
        await body.discard(response)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        # Not request.url: starlette makes it of the path and of what the client says in Host.
        method, path = request.method, request.scope["path"]
        if method not in METHODS:
            return error(405, {"Allow": ", ".join(METHODS)})
        route = self._routes.get(("GET" if method == "HEAD" else method, path))
        response = await self._gate.check(request, route)
        if response is None:
            response = await route.handler(request, self._door) if route else error(404)
        self._gate.finish(request, response)
        return response


class _Body:
    """Passes the body of a request on, and remembers whether there is more of it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        fields: dict[bytes, bytes] = dict(scope["headers"])
        self._has_more = bool(fields.get(b"content-length", b"").strip(b"0"))
        self._waits = b"expect" in fields

    async def receive(self) -> Message:
        message = await self._receive()
        self._has_more = bool(message.get("more_body", False))
        return message

    async def discard(self, response: Response) -> None:
        """Read what the handler did not want: a client that is still sending does not look for an
        answer, and if the connection were closed it would not get it. Whoever asks before it sends
        is told not to."""
        if self._has_more and self._waits:
            response.headers["Connection"] = "close"
            return
        while self._has_more:
            await self.receive()
