"""GET /history of a large table leaves others their turn."""

import asyncio
import json
from collections.abc import Iterator

from api_world import FakeDoor
from starlette.requests import Request

from ruuvi_host.api.history import get_history
from ruuvi_host.intake.advertisement import Advertisement

SENSORS = 5000


class FullDoor(FakeDoor):
    def newest_first(self) -> Iterator[Advertisement]:
        data = bytes.fromhex("0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")
        now = int(self.clock.wall())
        return (
            Advertisement(n.to_bytes(6, "big"), data, -60, 1, 15, 37, None, 0.0, now)
            for n in range(SENSORS)
        )


def test_others_get_their_turn() -> None:
    async def main() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        running = asyncio.create_task(other())
        request = Request({"type": "http", "query_string": b""})
        response = await get_history(request, FullDoor())
        running.cancel()
        assert len(json.loads(bytes(response.body))["data"]["tags"]) == SENSORS
        return turns

    assert asyncio.run(main()) >= SENSORS / 100
