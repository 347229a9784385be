"""POST /bluetooth_scanning.json: scan with other settings for now."""

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import DONE, answer
from ruuvi_host.api.door import Door
from ruuvi_host.api.settings import json_object


async def post_bluetooth_scanning(request: Request, door: Door) -> Response:
    """They are not saved: five minutes later, or with the next change, the saved ones are back."""
    document = await json_object(request, door)
    if isinstance(document, Response):
        return document
    await door.scan_for_now(document)
    return answer(200, DONE)
