"""GET /history of a large table: others get their turn, and no more than a piece is in memory."""

import asyncio
import json
from collections.abc import Iterator

from api_world import FakeDoor, World
from starlette.requests import Request

from ruuvi_host.api.history import MOST_AT_ONCE, get_history
from ruuvi_host.intake.advertisement import Advertisement

DATA = bytes.fromhex("0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")


class FullDoor(FakeDoor):
    def __init__(self, sensors: int) -> None:
        super().__init__({"lan_auth_type": "lan_auth_allow"})
        self.sensors = sensors

    def newest_first(self) -> Iterator[Advertisement]:
        now = int(self.clock.wall())
        return (
            Advertisement(n.to_bytes(6, "big"), DATA, -60, 1, 15, 37, None, 0.0, now)
            for n in range(self.sensors)
        )


def test_others_get_their_turn() -> None:
    sensors = 5000

    async def main() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async def send(message: dict[str, object]) -> None:
            body = message.get("body", b"")
            assert isinstance(body, bytes)
            sent.append(body)

        async def receive() -> dict[str, object]:
            raise AssertionError

        sent: list[bytes] = []
        running = asyncio.create_task(other())
        scope = {"type": "http", "method": "GET", "query_string": b""}
        response = await get_history(Request(scope), FullDoor(sensors))
        await response(scope, receive, send)  # type: ignore[arg-type]
        running.cancel()
        assert len(json.loads(b"".join(sent))["data"]["tags"]) == sensors
        assert max(map(len, sent)) < 100_000
        return turns

    assert asyncio.run(main()) >= sensors / 100


def test_the_text_does_not_depend_on_how_it_is_sent() -> None:
    few, many = World(FullDoor(MOST_AT_ONCE)), World(FullDoor(MOST_AT_ONCE + 1))
    short, long = few.ask("GET", "/history"), many.ask("GET", "/history")
    assert short["Content-Length"] == str(len(short.body))
    assert "Content-Length" not in long
    tags = [json.loads(answer.body)["data"]["tags"] for answer in (short, long)]
    assert len(tags[1]) == len(tags[0]) + 1
    assert long.body.startswith(short.body.rpartition(b"\n    }\n  }")[0])
    names = {name.lower() for name, _ in short.headers}
    assert {name.lower() for name, _ in long.headers} == names - {"content-length"}
    head = many.ask("HEAD", "/history")
    assert (head.status, head.body) == (200, b"")
