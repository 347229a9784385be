"""POST /gw_cfg_download: fetches the remote configuration now."""

import json

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import answer
from ruuvi_host.api.door import Door


async def post_download(request: Request, door: Door) -> Response:
    """Answered when what was fetched is in force, or refused. A gateway never says why."""
    status, message = await door.fetch_configuration()
    return answer(200, status_body(status, message))


def status_body(status: int, message: str) -> bytes:
    """As a gateway prints it."""
    return (
        f'{{\n\t"status":\t{status},\n\t"message":\t{json.dumps(message, ensure_ascii=False)}\n}}'
    ).encode()
