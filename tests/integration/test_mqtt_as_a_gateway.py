"""Packets of a gateway, octet for octet: CONNECT, and with QoS 0 each message, over a real socket.

Source: compiled code of ruuvi.gateway_esp.c 5d0ab90, see `sources` in tests/vectors/mqtt.json.
"""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import load_vectors
from mqtt_peer import Peer, peer

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.load import load
from ruuvi_host.config.model import Config
from ruuvi_host.config.mqtt_target import MqttTarget, Transport
from ruuvi_host.config.sources import Inputs
from ruuvi_host.config.target_parts import TlsFiles
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.relay.kinds import SinkContext, kind_of
from ruuvi_host.relay.mqtt import attempt, client, connection, pauses
from ruuvi_host.relay.mqtt.parameters import KEEP_ALIVE
from ruuvi_host.relay.sink import Outcome, Verdict

VECTORS = load_vectors("mqtt.json")
TIMING = {case["name"]: case for case in VECTORS["timing"]}
NOW = 1_795_000_000


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def configured(folder: Path, keys: dict[str, Any], port: int) -> tuple[MqttTarget, Config]:
    """As from a gateway's file; to the broker of a test."""
    path = folder / "gw_cfg.json"
    off = {"use_http": False, "use_http_ruuvi": False, "use_http_stat": False}
    path.write_text(json.dumps({**off, "use_mqtt": True, **keys}), "utf-8")
    config = load(Inputs(config=path)).config
    [target] = config.targets
    assert isinstance(target, MqttTarget)
    tcp = replace(target.broker, server="127.0.0.1", port=port, transport=Transport.TCP)
    return replace(target, broker=replace(tcp, tls=TlsFiles()), qos=0), config


async def deliver(
    there: Peer, case: dict[str, Any], folder: Path, *reports: Advertisement, utc: float = NOW
) -> None:
    target, config = configured(folder, case["config"], there.port)
    gateway = DeviceId(bytes(8), mac(case["gateway"]["mac"]))

    async def known(other_than: DeviceId | None) -> DeviceId:
        if other_than:
            await asyncio.Event().wait()
        return gateway

    sink = kind_of(target).make_sink(target, SinkContext(config, gateway=known))
    running = asyncio.create_task(sink.run())
    batch = Batch(1, gateway, reports, counted=not config.use_timestamps)
    assert await sink.deliver(batch, utc) == Outcome(Verdict.ACCEPTED)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await sink.close()
    await there.until(lambda peer: peer.ended)
    assert there.ended == ["DISCONNECT"]


def limited(part: Coroutine[Any, Any, None]) -> None:
    async def within() -> None:
        async with asyncio.timeout(30):
            await part

    asyncio.run(within())


@pytest.mark.parametrize("case", VECTORS["connect"], ids=lambda case: case["name"])
def test_connect(case: dict[str, Any], tmp_path: Path) -> None:
    async def main() -> None:
        async with peer() as there:
            await deliver(there, case, tmp_path)
            assert [packet.hex().upper() for packet in there.connects] == [case["packet"]]
            online, offline = there.published
            [wanted] = case["publish_after_connack"]
            assert (online.topic, online.payload.decode()) == (wanted["topic"], wanted["payload"])
            assert (online.number, online.retained) == (wanted["qos"], wanted["retain"])
            assert offline == online._replace(payload=b'{"state": "offline"}')

    limited(main())


@pytest.mark.parametrize("case", VECTORS["message"], ids=lambda case: case["name"])
def test_messages(case: dict[str, Any], tmp_path: Path) -> None:
    said = case["report"]
    report = Advertisement(
        *(mac(said["mac"]), bytes.fromhex(said["data"]), said["rssi"], 1, 0, 37, None),
        received=0.0,
        timestamp=said["stamp"],
    )

    async def main() -> None:
        async with peer() as there:
            await deliver(there, case, tmp_path, report, utc=case["now"])
            _, message, _ = there.published
            wanted = case["publish"]
            assert message.topic == wanted["topic"]
            assert message.payload == wanted["payload"].encode()
            assert (message.number, message.retained) == (wanted["qos"], wanted["retain"])
            assert not message.duplicate

    limited(main())


def test_times() -> None:
    assert TIMING["network_time_limit"]["limit_s"] == attempt.STEP
    assert TIMING["check_limit"]["limit_s"] == client.WHOLE
    assert TIMING["ping_after_idle"]["no_pingresp_disconnect_after_s"] == KEEP_ALIVE
    assert TIMING["reconnect"]["after_s"] == pauses.FIRST
    assert TIMING["stop"]["wait_ms"] == connection.DISCONNECTING * 1000
