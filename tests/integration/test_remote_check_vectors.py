"""Cases of the group remote (tests/vectors/mqtt.json) that are checks, asked of the local API.

https is http here: what is about certificates stands in test_api_check_remote.py.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from asking import ask, host, query
from conftest import load_vectors
from posting import GATEWAY
from remote_world import Misbehave, files, ok

from ruuvi_host.api.validate import Validation

CASES = [case for case in load_vectors("mqtt.json")["remote"] if case["how"] == "check"]
THERE = "https://cfg.example.com"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_check(case: dict[str, Any], tmp_path: Path) -> None:
    asyncio.run(played(case, tmp_path))


async def played(case: dict[str, Any], folder: Path) -> None:
    answers: dict[str, bytes | Misbehave] = {}
    unresolved = False
    for each in case["server"]:
        unresolved = "network_error" in each
        if not unresolved:
            answers[each["url"].removeprefix(THERE)] = ok(each["body"], status=str(each["status"]))
    async with files(answers) as server:
        there = "http://nowhere.invalid" if unresolved else server.url("")
        url = case["present"]["remote_cfg_url"].replace(THERE, there)
        asked = query(validate_type="check_remote_cfg", url=url, auth_type="none")
        response = await ask(Validation(10.0), host(folder), asked)
    assert response.status_code == case["answer"]["http_status"]
    wanted = case["answer"]["body"]
    wanted["message"] = wanted["message"].replace("message: not found", "message: nope")
    assert json.loads(response.content) == wanted
    if not unresolved:
        paths = [request.line.split(" ")[1] for request in server.requests]
        own = json.dumps([each.removeprefix(THERE) for each in case["requests"]])
        address = case["gateway"]["mac"].replace(":", "")
        assert paths == json.loads(own.replace(address, GATEWAY.addr.hex().upper()))
        assert all(request["ruuvi_gw_mac"] for request in server.requests)
