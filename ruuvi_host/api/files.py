"""/extra_cfg and /ssl_cert: certificates, keys and extra parts of requests.

Certificates and keys can be stored and removed, but never be read back.
"""

import logging
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import DONE, HTML, TEXT, answer, error
from ruuvi_host.api.door import Door, SaveError
from ruuvi_host.api.encryption import plain_body
from ruuvi_host.config.file_checks import LONGEST_PART, unusable
from ruuvi_host.config.file_places import CERTIFICATES, FILE_NAMES, PARTS

log = logging.getLogger(__name__)


async def get_file(request: Request, door: Door) -> Response:
    """An extra part, as it is stored."""
    name = _name(request)
    if name is None:
        return error(400)
    if name in CERTIFICATES:
        return answer(403, content_type=HTML)
    try:
        content = await door.read_file(name)
    except OSError as problem:
        log.error("%s cannot be read: %s", name, problem.strerror)
        return error(500)
    return error(404) if content is None else answer(200, content, TEXT)


async def post_file(request: Request, door: Door) -> Response:
    """Store one; what uses it takes it up with the next connection."""
    name = _name(request)
    if name is None:
        return error(400)
    content = await plain_body(request, door)
    if isinstance(content, Response):
        return content
    if name in PARTS and len(content) > LONGEST_PART:
        return error(413)
    if why := unusable(name, content):
        log.warning("POST %s: %s is refused: %s", request.url.path, name, why)
        return error(400)
    try:
        await door.write_file(name, content)
    except SaveError as problem:
        log.error("%s cannot be saved: %s", name, problem)
        return error(500)
    log.info("%s was stored", name)
    return answer(200, DONE)


async def delete_file(request: Request, door: Door) -> Response:
    """Remove one."""
    name = _name(request)
    if name is None:
        return error(400)
    try:
        was_there = await door.delete_file(name)
    except SaveError as problem:
        log.error("%s cannot be removed: %s", name, problem)
        return error(500)
    if was_there:
        log.info("%s was removed", name)
    return answer(200, DONE) if was_there else error(404)


def _name(request: Request) -> str | None:
    """Which file; None: the query names none that there is."""
    for pair in request.scope["query_string"].decode("latin-1").split("&"):
        key, equals, value = pair.partition("=")
        if equals and key == "file":  # the first counts
            name = unquote(value)
            return name if name in FILE_NAMES else None
    return None
