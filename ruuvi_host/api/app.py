"""The application: one request in, the checks in their order, one answer out."""

import logging
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ruuvi_host.api.answer import error
from ruuvi_host.api.door import Door
from ruuvi_host.api.gate import Gate
from ruuvi_host.api.routes import Route

log = logging.getLogger(__name__)


class App:
    """The ASGI application of the local API."""

    def __init__(self, door: Door, routes: Iterable[Route], gate: Gate | None = None) -> None:
        self._door = door
        self._gate = gate or Gate(door)
        self._routes = {(route.method, route.path): route for route in routes}
        self._methods: dict[str, set[str]] = {}
        for route in routes:
            self._methods.setdefault(route.path, set()).add(route.method)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except Exception:  # one request never ends the host
            log.exception("%s %s: an error of ruuvi-host", scope["method"], scope["path"])
            response = error(500)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        route = self._routes.get((request.method, request.url.path))
        response = await self._gate.check(request, route) or await self._do(request, route)
        self._gate.finish(request, response)
        return response

    async def _do(self, request: Request, route: Route | None) -> Response:
        if route is None:
            methods = self._methods.get(request.url.path)
            allowed = {"Allow": ", ".join(sorted(methods))} if methods else {}
            return error(405 if methods else 404, allowed)
        return await route.handler(request, self._door)
