"""What the local API tells beyond the cases of the gateway: a whole host, over a real port."""

import asyncio
import json
import re
import zlib
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_cases import DEVICE_ID, MAC, NOW, Answer, ask
from api_host import ApiHost, Wanted, advertisements, api_host
from programs import PATIENCE
from prometheus_client.parser import text_string_to_metric_families

from firmware_protocol.messages import DeviceId

DEVICE = DeviceId(bytes.fromhex(DEVICE_ID), bytes.fromhex(MAC))
OPEN = {"lan_auth_type": "lan_auth_allow"}
TAG = {
    "mac": "F4:1F:0C:28:CB:D6",
    "rssi": -70,
    "timestamp": NOW,
    "data": "0201061BFF99040515714D9FC56DFFF0FFF803E4B516E84D7EF41F0C28CBD6",
}


class Asking:
    """A host that is asked."""

    def __init__(self, host: ApiHost) -> None:
        self.host = host

    async def get(self, target: str, method: str = "GET") -> Answer:
        return await self._ask(method, target)

    async def post(self, target: str, body: str) -> Answer:
        return await self._ask("POST", target, body)

    async def _ask(self, method: str, target: str, body: str = "") -> Answer:
        headers = [("Host", "localhost"), ("Content-Length", str(len(body.encode())))]
        request = {"method": method, "target": target, "headers": headers, "body": body}
        answer = await ask(self.host.address, request)
        assert answer.status == 200, answer
        return answer


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(test: Any, config: Mapping[str, Any] = OPEN, *options: tuple[str, str]) -> None:
        async def main() -> None:
            wanted = Wanted(config, DEVICE, options)
            async with api_host(wanted, tmp_path, NOW, monkeypatch) as host:
                done: Coroutine[Any, Any, None] = test(Asking(host))
                await done

        asyncio.run(main())

    return run


def value(text: str, name: str) -> int:
    found = re.search(rf"^{name} (\d+)$", text, re.MULTILINE)
    assert found
    return int(found[1])


def test_the_check_sums_are_those_of_the_texts(play: Any) -> None:
    async def test(asking: Asking) -> None:
        path = asking.host.folder / "gw_cfg.json"
        seen = set()
        for body in ("{}", '{"coordinates": "60,25"}', '{"http_stat_pass": "s3cret"}'):
            await asking.post("/ruuvi.json", body)
            metrics = (await asking.get("/metrics")).body.decode()
            saved = value(metrics, "ruuvigw_gw_cfg_crc32")
            shown = value(metrics, "ruuvigw_ruuvi_json_crc32")
            assert saved == zlib.crc32(path.read_bytes())
            assert shown == zlib.crc32((await asking.get("/ruuvi.json")).body)
            seen.add((saved, shown))
        assert len({saved for saved, _ in seen}) == 3
        assert len({shown for _, shown in seen}) == 2, "secrets are not shown"

    play(test)


def test_what_was_read_can_be_posted_back_and_changes_nothing(play: Any) -> None:
    async def test(asking: Asking) -> None:
        asking.host.table.put(advertisements([TAG]))
        path = asking.host.folder / "gw_cfg.json"
        before = path.read_bytes()
        text = (await asking.get("/ruuvi.json")).body.decode()
        await asking.post("/ruuvi.json", text)
        assert path.read_bytes() == before
        assert len(asking.host.table) == 1, "a change would have emptied it"
        assert (await asking.get("/ruuvi.json")).body.decode() == text

    play(test)


def test_readings_come_on_request(play: Any) -> None:
    async def test(asking: Asking) -> None:
        asking.host.table.put(advertisements([TAG]))
        plain = (await asking.get("/metrics?readings=1")).body.decode()
        assert "ruuvi_host_sensor_" not in plain
        full = (await asking.get("/metrics?readings=true")).body.decode()
        families = {family.name: family for family in text_string_to_metric_families(full)}
        [sample] = families["ruuvi_host_sensor_temperature_celsius"].samples
        assert sample.value == 27.445
        assert sample.labels == {"address": TAG["mac"], "name": 'Sau"na\\'}
        assert all(family.documentation for name, family in families.items() if "_host_" in name)

    play(test, OPEN, (f'sensors."{TAG["mac"]}".name', 'Sau"na\\'))


def test_head_is_a_get_without_its_body(play: Any) -> None:
    async def test(asking: Asking) -> None:
        for target in ("/history", "/ruuvi.json"):
            answer = await asking.get(target)
            head = await asking.get(target, "HEAD")
            assert head.first("Content-Length") == str(len(answer.body))
            assert head.body == b""

    play(test)


def test_as_many_sensors_as_the_table_holds(play: Any) -> None:
    async def test(asking: Asking) -> None:
        macs = [f"AA:BB:CC:00:{number // 256:02X}:{number % 256:02X}" for number in range(300)]
        asking.host.table.put(advertisements({**TAG, "mac": mac} for mac in macs))
        tags = json.loads((await asking.get("/history")).body)["data"]["tags"]
        assert list(tags) == macs[:49:-1]

    play(test, OPEN, ("max_sensors", "250"))


def test_very_many_sensors_over_a_real_connection(play: Any) -> None:
    async def test(asking: Asking) -> None:
        macs = [f"AA:BB:CC:00:{number // 256:02X}:{number % 256:02X}" for number in range(3000)]
        asking.host.table.put(advertisements({**TAG, "mac": mac} for mac in macs))
        address = "http://{}:{}/history".format(*asking.host.address)
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            for _ in range(2):  # over one connection
                tags = (await client.get(address)).json()["data"]["tags"]
                assert list(tags) == macs[::-1]
                assert (await client.head(address)).content == b""

    play(test, OPEN, ("max_sensors", "3000"))
