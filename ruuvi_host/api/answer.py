"""The form of every answer: the gateway's header lines, and those that protect a browser.

Source: local API of the gateway, http_server_resp.c; the rest is a host's own caution.
"""

from collections.abc import Mapping
from email.utils import formatdate
from time import time

from starlette.responses import Response

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"

PROTECTION = {
    "Content-Security-Policy": (
        "default-src 'self'; frame-ancestors 'none'; object-src 'none'; frame-src 'none'; "
        "worker-src 'none'; form-action 'self'; base-uri 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_NOT_KEPT = {
    "Cache-Control": "no-store, no-cache, must-revalidate, max-age=0",
    "Pragma": "no-cache",
}


def answer(
    status: int,
    body: bytes = b"",
    content_type: str = JSON,
    extra: Mapping[str, str] | None = None,
) -> Response:
    """An answer that nobody may keep.

    extra: WWW-Authenticate, Set-Cookie and the like, in their order.
    """
    headers = {
        "Server": "Ruuvi Gateway",
        "Date": formatdate(time(), usegmt=True),
        "Content-Type": content_type,
    }
    return Response(body, status, headers | dict(extra or {}) | _NOT_KEPT | PROTECTION)


def error(status: int, extra: Mapping[str, str] | None = None) -> Response:
    """An error as the gateway has them: it tells nothing."""
    return answer(status, b"{}", extra=extra)


DONE = b"{}"
"""The body of what was done."""
