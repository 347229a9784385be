"""What goes out when: sequences of a gateway, played to the real table, relay and sink.

Source: compiled code of ruuvi.gateway_esp.c 5d0ab90, see `sources` in tests/vectors/mqtt.json.
Where the host does otherwise (`host` in a case), it sends the same messages, only sooner; so all
that was published is compared, in order, and not in which step.
"""

import asyncio
import json
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import load_vectors
from mqtt_peer import Peer, Published, peer
from tcp_ports import free_port

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.model import Config
from ruuvi_host.config.mqtt_target import MQTT_FORMATS, Broker, MqttTarget
from ruuvi_host.intake import batch as batch_module
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.jobs.relays import Relays
from ruuvi_host.lifetime import together
from ruuvi_host.relay.mqtt.pauses import Pauses

CASES = load_vectors("mqtt.json")["sequence"]
FAILING = [c for c in CASES if any(step["op"] == "publish_fails" for step in c["steps"])]
"""Here the connection ends then, and what was not confirmed is sent again over the next one."""
ROUND = 0.25
"""Seconds between two rounds, in place of those of the case."""


class Wall:
    """A clock whose wall time is what the case says."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return self.now

    def synchronised(self) -> bool:
        return True

    def uptime(self) -> float:
        return 1000.0


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def wanted(case: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """All that is to be published. A host never tells of a sensor that there is not."""
    return [
        (p["topic"], without_attempt(p["payload"]), p["retain"])
        for step in case["steps"]
        for p in step["publish"]
        if not p["topic"].endswith("00:00:00:00:00:00")
    ]


def of_reports(case: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """A message for each report, in order: what is to be published where none of it may be lost."""
    address = case["gateway"]["mac"]
    said = [step["report"] for step in case["steps"] if step["op"] == "report"]
    return [
        (
            f"ruuvi/{address}/{report['mac']}",
            json.dumps(
                {
                    "gw_mac": address,
                    "rssi": report["rssi"],
                    "aoa": [],
                    "ts": report["stamp"],
                    "data": report["data"],
                    "coords": "",
                }
            ),
            False,
        )
        for report in said
    ]


def without_attempt(payload: str) -> str:
    """Without the time of sending, which may be sooner."""
    document = json.loads(payload)
    document.pop("gwts", None)
    return json.dumps(document)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c not in FAILING], ids=lambda case: case["name"]
)
def test_sequences(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pauses, "failed", lambda self, refused=False: 0.05)
    monkeypatch.setattr(batch_module, "GATHERING", 0.01)
    play, expected = Play(case, tmp_path), wanted(case)
    asyncio.run(play.run())
    got = [(p.topic, without_attempt(p.payload.decode()), p.retained) for p in play.there.published]
    end = got if case["steps"][-1]["op"] == "stop" else got[: len(expected)]
    assert end == expected


@pytest.mark.parametrize("case", FAILING, ids=lambda case: case["name"])
def test_what_fails_is_sent_again(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The firmware loses such a message, and the rest of a round (`host` in the case)."""
    monkeypatch.setattr(Pauses, "failed", lambda self, refused=False: 0.05)
    monkeypatch.setattr(batch_module, "GATHERING", 0.01)
    play = Play(case, tmp_path, qos=1)
    asyncio.run(play.run())
    assert play.failed
    readings = play.readings()
    for each in play.failed:
        assert each.payload == readings[0].payload, "it stays at the head, with the same text"
        readings.remove(each)
    told = [(p.topic, without_attempt(p.payload.decode()), p.retained) for p in readings]
    assert told == of_reports(case)
    # Each connection begins with our state.
    assert play.there.published[0].topic.endswith("gw_status")


class Play:
    """One case."""

    def __init__(self, case: dict[str, Any], folder: Path, *, qos: int = 0) -> None:
        keys = case["config"]
        self.case, self.clock, self.port = case, Wall(), free_port()
        gateway = DeviceId(id=bytes(8), addr=mac(case["gateway"]["mac"]))
        self.table, ready = AdvertisementTable(100), asyncio.Event()
        ready.set()
        period: Any = ROUND if keys["mqtt_sending_interval"] else 0
        target = MqttTarget(
            *("mqtt", Broker("127.0.0.1", self.port)),
            data_format=MQTT_FORMATS[keys["mqtt_data_format"]],
            period=period,
            retains=not keys.get("mqtt_disable_retained_messages", False),
            qos=qos,
        )
        self.config = Config(
            targets=(target,),
            use_timestamps=keys["ntp_use"],
            coordinates=keys["coordinates"],
        )

        async def other_gateway(known: DeviceId | None) -> DeviceId:
            if known:
                await asyncio.Event().wait()
            return gateway

        self.relays = Relays(
            *(folder, self.table, lambda: gateway, ready, self.clock),
            other_gateway=other_gateway,
        )
        self.there = Peer(port=self.port, hangs_up=self.hangs_up)
        self.stack = AsyncExitStack()
        self.expected = 0
        self.fails = False
        """A message ends the connection now."""
        self.failed: list[Published] = []
        """Those at which it has ended."""

    async def run(self) -> None:
        running: asyncio.Task[None] | None = None
        for step in self.case["steps"]:
            match step["op"]:
                case "clock":
                    self.clock.now = float(step["now"])
                case "start":
                    self.relays.begin(self.config)
                    running = asyncio.create_task(
                        together(connections=self.relays.connect(), relays=self.relays.run())
                    )
                case "connected":
                    await self.stack.enter_async_context(peer(self.there))
                    before = len(self.there.connects)
                    await self.connected(before)
                case "publish_fails":
                    if not step["on"]:
                        await self.there.until(lambda _: self.failed)
                    self.fails = bool(step["on"])
                case "lost":
                    await self.stack.aclose()
                    await self.there.until(lambda it: len(it.ended) == len(it.connects))
                    await self.away()
                case "report":
                    self.report(step)
                case "round":
                    await self.round()
                case "table_emptied":
                    self.table.clear()
                case "stop":
                    assert running
                    running.cancel()
                    with suppress(asyncio.CancelledError):
                        await running
                    running = None
                    await self.relays.finish(30.0)
            if self.case in FAILING:
                await self.confirmed(step)
            else:
                await self.published(step)
        if running:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await self.relays.finish(0.0)
        await self.stack.aclose()

    def report(self, step: dict[str, Any]) -> None:
        report, before = step["report"], self.table.counters.changed
        self.table.put(
            [
                (
                    *(mac(report["mac"]), bytes.fromhex(report["data"]), report["rssi"]),
                    *(1, 15, 37, None, self.clock.monotonic(), report["stamp"]),
                )
            ]
        )
        assert self.table.counters.changed - before == step["stored"]

    async def published(self, step: dict[str, Any]) -> None:
        """Until all of this step has come."""
        self.expected += sum(not p["topic"].endswith("00:00:00:00:00:00") for p in step["publish"])
        await self.there.until(lambda it: len(it.published) >= self.expected)

    async def confirmed(self, step: dict[str, Any]) -> None:
        """Until all that was to be sent by now has come, unless it fails now."""
        sends = "round" if self.case["config"]["mqtt_sending_interval"] else "report"
        if step["op"] in (sends, "publish_fails") and not self.fails:
            put = self.table.counters.changed
            await self.there.until(lambda _: len(self.readings()) - len(self.failed) >= put)

    def readings(self) -> list[Published]:
        return [p for p in self.there.published if not p.topic.endswith("gw_status")]

    def hangs_up(self, published: Published) -> bool:
        """Does the connection end at this one?"""
        if self.fails and not published.topic.endswith("gw_status"):
            self.failed.append(published)
            return True
        return False

    async def connected(self, times: int) -> None:
        """Until it has been more often than that."""
        await self.there.until(lambda it: len(it.connects) > times)

    async def round(self) -> None:
        """Until one more batch is made, whatever becomes of it."""
        [relay] = self.relays._relays
        before = relay.counters.batches
        async with asyncio.timeout(30):
            while relay.counters.batches == before:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)

    async def away(self) -> None:
        """Until the sink knows."""
        async with asyncio.timeout(30):
            while self.is_up():  # noqa: ASYNC110 - the sink tells nobody else
                await asyncio.sleep(0.01)

    def is_up(self) -> bool:
        relay: Any = self.relays._relays[0]
        return relay._delivery.sink._sink._standing.presence is not None
