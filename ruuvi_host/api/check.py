"""`POST /host/check`: the page's button "Check" tries one target with values that are not saved.

The request is one JSON object:

    target   "ruuvi", "custom" or "statistics"
    config   keys of a gateway as in `POST /ruuvi.json`, secrets in plain text. What is missing has
             its saved value; but a saved secret is used only where scheme, host and port of the
             address are the saved ones. The switch of the target (`use_http`, …) need not be there.
    files    names of files beside the configuration (`http_cli_cert`, `http_headers`, …), each
             with its text, or null: as if it were removed. Others are as saved.

`config` and `files` may be left out. Nothing is stored. The answer is status 200 with

    ok       true: it was delivered
    status   of HTTP, that the server answered with; null: it did not answer
    message  one or two sentences: what happened, and what to do
    step     where it ended ("name", "connect", "TLS", "auth", "path", …, see `relay.http.outcome`
             Stage); "settings": a value cannot be used, nothing was sent; empty: it was delivered
    key      the key or file whose value cannot be used; else empty

or 400 `{}` (the request is none of the above), 503 `{}` (too many checks at once).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import answer, error
from ruuvi_host.api.door import Door
from ruuvi_host.api.encryption import plain_body
from ruuvi_host.api.turns import BusyError
from ruuvi_host.api.unsaved import in_memory
from ruuvi_host.api.validate import TIME_LIMIT, TURNS
from ruuvi_host.config.file_places import FILE_NAMES
from ruuvi_host.config.files import Unreadable, parse_json
from ruuvi_host.config.problems import Problems
from ruuvi_host.config.targets import CUSTOM, RUUVI, STATISTICS
from ruuvi_host.errors import ConfigError

SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be tried."""

    target: str
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    files: Mapping[str, str | None] = field(default_factory=dict, repr=False)


class Checker:
    """The handler. time_limit: seconds for the request to the other server."""

    def __init__(self, time_limit: float = TIME_LIMIT) -> None:
        self._time_limit = time_limit

    async def __call__(self, request: Request, door: Door) -> Response:
        body = await plain_body(request, door)
        if isinstance(body, Response):
            return body
        try:
            question = _question(body)
        except (Unreadable, ValueError):
            return error(400)
        try:
            with TURNS.turn():
                told = await self._told(question, door)
        except BusyError:
            return error(503)
        return answer(200, json.dumps(told, ensure_ascii=False).encode("utf-8", "replace"))

    async def _told(self, question: Question, door: Door) -> dict[str, Any]:
        # Imported here, because it brings the whole side of HTTP along.
        from ruuvi_host.api.check_words import in_sentences
        from ruuvi_host.api.trial import trial
        from ruuvi_host.relay.http.check import judge

        with in_memory(question.files) as unsaved:
            try:
                tried = trial(door, question.target, question.config, unsaved)
                outcome = await tried.post(door, time_limit=self._time_limit)
            except ConfigError as problem:
                message = f"{problem.key}: {problem.problem}."
                return _answer(message, step=SETTINGS, key=problem.key)
        result = judge(tried.target, outcome)
        message = tried.public(in_sentences(result))
        return _answer(message, step=result.step, status=result.code)


def _answer(message: str, *, step: str, status: int | None = None, key: str = "") -> dict[str, Any]:
    return {"ok": not step, "status": status, "message": message, "step": step, "key": key}


def _question(body: bytes) -> Question:
    """Raises Unreadable, ValueError."""
    document = parse_json(body.decode(), Problems())
    target, config = document.get("target"), document.get("config", {})
    files = document.get("files", {})
    if target not in (RUUVI, CUSTOM, STATISTICS):
        raise ValueError
    if not (isinstance(config, dict) and isinstance(files, dict)):
        raise ValueError
    if any(name not in FILE_NAMES or not isinstance(files[name], str | None) for name in files):
        raise ValueError
    return Question(target, config, files)


post_check = Checker()
