"""POST /gw_cfg_download: fetches the remote configuration now."""

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host.api.answer import answer
from ruuvi_host.api.door import Door
from ruuvi_host.api.validate import told


async def post_download(request: Request, door: Door) -> Response:
    """Answered when what was fetched is in force, or refused. A gateway never says why."""
    return answer(200, told(*await door.fetch_configuration()))
