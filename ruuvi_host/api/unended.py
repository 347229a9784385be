"""The redirection to the log-in as a gateway sends it, for the one client that depends on it.

A gateway's has no empty line behind its header: the connection just closes. ruuvi-gateway-client
0.1.0 takes exactly this fault of the connection for the sign that it has to log in; a redirection
with an end it follows to the page, in which it looks for JSON and fails. It is known by what it
asks, and by the library that asks for it. Everybody else gets a redirection with an end.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ruuvi_host.web.raw import AS_IT_IS

_ASKS = "/history", b"time=5"
_LIBRARY = " aiohttp/"


def depends_on_it(request: Request) -> bool:
    """Is this that client?"""
    asked = request.scope["path"], request.scope["query_string"]
    return asked == _ASKS and _LIBRARY in request.headers.get("user-agent", "")


class Unended(Response):
    """Status and header of a response without an end; then the connection closes."""

    def __init__(self, response: Response) -> None:
        super().__init__(status_code=response.status_code, headers=dict(response.headers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        send_as_it_is = scope.get("extensions", {}).get(AS_IT_IS)
        if not send_as_it_is:
            await super().__call__(scope, receive, send)
            return
        fields = [f for f in self.raw_headers if f[0] not in (b"content-length", b"connection")]
        lines = b"".join(b"%s: %s\r\n" % field for field in fields)
        send_as_it_is(b"HTTP/1.1 %d Found\r\n%s" % (self.status_code, lines))
