"""A sink that runs against a stand-in for a broker, and batches for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mqtt_peer import Peer

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.mqtt_target import Broker, MqttTarget
from ruuvi_host.config.target_parts import DataFormat
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.mqtt.companions import Companion
from ruuvi_host.relay.mqtt.messages import MessageMaker
from ruuvi_host.relay.mqtt.seat import Seat
from ruuvi_host.relay.mqtt.sink import MqttSink
from ruuvi_host.relay.mqtt.standing import Standing

GATEWAY = DeviceId(id=b"\x00\x11\x22\x33\x44\x55\x66\x77", addr=bytes.fromhex("AACCEE001122"))
STATUS = "ruuvi/AA:CC:EE:00:11:22/gw_status"
NOW = 1_795_000_000


def target(port: int, *, version: str = "3.1.1", **settings: Any) -> MqttTarget:
    return MqttTarget("mqtt", Broker("127.0.0.1", port, version=version), **settings)


def batch(count: int, first: int = 0, age: int = 0) -> Batch:
    reports = [
        Advertisement(
            number.to_bytes(6, "big"), b"\x02\x01\x06", -70, 1, 15, 37, None, 0.0, NOW - age
        )
        for number in range(first, first + count)
    ]
    return Batch(1, GATEWAY, tuple(reports))


def tags(there: Peer) -> list[int]:
    return [
        int(p.topic.rpartition("/")[2].replace(":", ""), 16)
        for p in there.published
        if not p.topic.endswith("/gw_status")
    ]


@asynccontextmanager
async def running(at: MqttTarget, *companions: Companion) -> AsyncIterator[MqttSink]:
    """A sink that knows who we are from the first batch."""

    async def known(other_than: DeviceId | None) -> DeviceId:
        if other_than:
            await asyncio.Event().wait()
        return GATEWAY

    maker = MessageMaker(at.prefix, DataFormat.RAW, "")
    sink = MqttSink(at, maker, Seat(), lambda: Standing(at, companions, known))
    async with running_sink(sink):
        yield sink


@asynccontextmanager
async def running_sink(sink: MqttSink) -> AsyncIterator[None]:
    """Until it is left; then it is closed."""
    task = asyncio.create_task(sink.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await sink.close()


def run(part: Any) -> None:
    async def limited() -> None:
        async with asyncio.timeout(50):
            await part

    asyncio.run(limited())
