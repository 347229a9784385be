"""What the page changes: the settings, and the way back."""

import logging
from os.path import basename

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api import page_settings
from ruuvi_host.api.answer import error
from ruuvi_host.api.door import Door, SaveError
from ruuvi_host.api.page_data import json_answer
from ruuvi_host.api.settings import json_object
from ruuvi_host.errors import ConfigError

log = logging.getLogger(__name__)


async def get_settings(request: Request, door: Door) -> Response:
    """The configuration without its secrets."""
    return json_answer(200, await page_settings.shown(door))


async def post_settings(request: Request, door: Door) -> Response:
    """Change it: see page_settings."""
    document = await json_object(request, door)
    if isinstance(document, Response):
        return document
    try:
        wish = page_settings.Wish.from_json(document)
        change = await door.change_together(wish.gateway, wish.host, wish.files)
    except ValueError:
        return error(400)
    except ConfigError as problem:
        log.warning("page: a change is refused: %s", problem)
        return _refused(problem)
    except SaveError as problem:
        log.error("page: a change cannot be saved: %s", problem)
        return error(500)
    _log(request, "has changed", change.changed)
    return json_answer(200, page_settings.told(change, door.loaded))


async def get_undo(request: Request, door: Door) -> Response:
    """The configurations of before, the newest first."""
    versions = [
        {"time": int(kept.at), "what": ", ".join(kept.keys)} for kept in await door.earlier()
    ]
    return json_answer(200, {"versions": versions})


async def post_undo(request: Request, door: Door) -> Response:
    """Back to the one before the last change."""
    try:
        change = await door.undo()
    except ConfigError as problem:
        return _refused(problem)
    except SaveError as problem:
        log.error("page: the last change cannot be undone: %s", problem)
        return error(500)
    _log(request, "has undone", change.changed)
    return json_answer(200, page_settings.told(change, door.loaded))


def _log(request: Request, what: str, keys: frozenset[str]) -> None:
    if keys:
        who = request.client.host if request.client else "somebody"
        log.info("page: %s %s %s", who, what, ", ".join(sorted(keys)))


def _refused(problem: ConfigError) -> Response:
    key = basename(problem.key)  # it may be a file: nobody is told where it is
    return json_answer(400, {"problems": [{"key": key, "why": problem.problem}]})
