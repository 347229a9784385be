"""What the page shows of the host, in JSON: the present, the past, the log."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api import page_now
from ruuvi_host.api.answer import answer, error
from ruuvi_host.api.door import Door
from ruuvi_host.config.sensors import normal_address

PLOTTED = 6 * 3600.0
"""Seconds that a plot shows."""


async def get_now(request: Request, door: Door) -> Response:
    """The section Now: health, link, targets, losses, and the newest of each sensor."""
    return json_answer(200, await page_now.now(door))


async def get_points(request: Request, door: Door) -> Response:
    """One quantity of one sensor in the last hours: [UTC seconds, value or null]."""
    query = request.query_params
    try:
        address = bytes.fromhex(normal_address(query.get("address", "")).replace(":", ""))
    except ValueError:
        return error(400)
    to = door.clock.wall()
    points = door.series(address, query.get("quantity", ""), to - PLOTTED)
    return json_answer(200, {"points": points, "from": int(to - PLOTTED), "to": int(to)})


async def get_log(request: Request, door: Door) -> Response:
    """The last lines of the log."""
    return json_answer(200, {"lines": door.log_lines()})


def json_answer(status: int, document: Any) -> Response:
    return answer(status, json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
