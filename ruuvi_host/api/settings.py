"""POST /ruuvi.json: changes the configuration."""

import logging
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import DONE, answer, error
from ruuvi_host.api.door import Change, Door, SaveError
from ruuvi_host.api.encryption import plain_body
from ruuvi_host.config.files import Unreadable, parse_json
from ruuvi_host.config.problems import Problems
from ruuvi_host.errors import ConfigError
from ruuvi_host.logs import printable

log = logging.getLogger(__name__)

CHANGED, FIXED, ENDS_ACCESS, WARNING = (
    "Ruuvi-Host-Changed",
    "Ruuvi-Host-Fixed",
    "Ruuvi-Host-Ends-Access",
    "Ruuvi-Host-Warning",
)
"""What a gateway does not tell stands in the header, as its clients know the body `{}`."""
LONGEST = 2000
"""Characters of one field. All keys together have fewer."""


async def post_ruuvi_json(request: Request, door: Door) -> Response:
    """Take over the keys in the body. Answered when they are on the disk and in force."""
    document = await json_object(request, door)
    if isinstance(document, Response):
        return document
    return await changed(request, door, document)


async def changed(request: Request, door: Door, document: dict[str, Any]) -> Response:
    """Answers a change of a gateway's keys."""
    try:
        change = await door.change(document)
    except ConfigError as refused:
        log.warning("%s %s is refused: %s", request.method, request.url.path, refused)
        return error(400)
    except SaveError as unsaved:
        log.error("%s %s cannot be saved: %s", request.method, request.url.path, unsaved)
        return error(500)
    for problem in change.problems:
        log.warning("%s %s: %s", request.method, request.url.path, problem)
    if change.changed:
        keys = ", ".join(sorted(change.changed))
        log.info("%s %s has changed %s", request.method, request.url.path, keys)
    warnings = [str(p) for p in door.loaded.problems if p.key in change.changed]
    return answer(200, DONE, extra=told(change, warnings))


def told(change: Change, warnings: Sequence[str] = ()) -> dict[str, str]:
    """The header fields that say what became of it. warnings: about what has changed."""
    fields = {
        CHANGED: ", ".join(sorted(change.changed)),
        FIXED: ", ".join(sorted(change.fixed or ())),
        ENDS_ACCESS: "true" if ends_access(change) else "",
        WARNING: "; ".join(warnings),
    }
    return {name: _for_a_header(value) for name, value in fields.items() if value}


def _for_a_header(text: str) -> str:
    return printable(text, LONGEST).encode("ascii", "backslashreplace").decode("ascii")


def ends_access(change: Change) -> bool:
    """May who has asked for it be refused from now on?"""
    return any(key.startswith(("lan_auth_", "api.")) for key in change.changed)


async def json_object(request: Request, door: Door) -> dict[str, Any] | Response:
    """The body, which has to be one JSON object; or the refusal. Problems of it are logged."""
    body = await plain_body(request, door)
    if isinstance(body, Response):
        return body
    problems = Problems()
    try:
        document = parse_json(body.decode("utf-8-sig"), problems)
    except (Unreadable, UnicodeDecodeError):
        return error(400)
    for problem in problems.found:
        log.warning("%s %s: %s", request.method, request.url.path, problem)
    return document
