"""Asking a host whether an address is good, as its page does."""

import json
from typing import Any

from asking import Host, ask, query

from ruuvi_host.api.validate import TIME_LIMIT, Validation


async def told(
    door: Host, url: str, check: str = "check_post_advs", limit: float = TIME_LIMIT, **more: Any
) -> tuple[int, str]:
    given = {"validate_type": check, "url": url, "auth_type": "none"} | more
    response = await ask(Validation(limit), door, query(**given))
    assert response.status_code == 200, response
    said = json.loads(response.content)
    quoted = json.dumps(said["message"], ensure_ascii=False)
    form = f'{{\n\t"status":\t{said["status"]},\n\t"message":\t{quoted}\n}}'
    assert response.content.decode() == form
    return said["status"], said["message"]
