"""Has Home Assistant forget sensors: takes back at the broker what it was told of them."""

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.homeassistant import PREFIX
from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.errors import SinkError
from ruuvi_host.jobs.check import NOBODY
from ruuvi_host.relay.mqtt.announced import load, path_of
from ruuvi_host.relay.mqtt.discovery import QOS, sensor_topic
from ruuvi_host.relay.mqtt.kind import MISSING
from ruuvi_host.relay.mqtt.parameters import connect_of
from ruuvi_host.relay.mqtt.refusals import NoConnectionError

REFUSED = 128
"""Reason codes from here on: the broker does not take it."""


def topics_of(target: MqttTarget, sensors: Iterable[bytes], prefix: str | None = None) -> list[str]:
    """sensors: addresses. prefix: of discovery; None: as configured."""
    told = target.extras.homeassistant
    prefix = prefix or (told.prefix if told else PREFIX)
    return [sensor_topic(prefix, sensor) for sensor in sensors]


def announced_topics(folder: Path, target: str) -> list[str]:
    """All that this host has told Home Assistant of by a target. folder: of the state."""
    return sorted(load(path_of(folder, target)))


async def forget_at(target: MqttTarget, gateway: DeviceId | None, topics: Sequence[str]) -> None:
    """gateway: who we are; None: not known. Raises SinkError, which says why the broker does not
    have it."""
    if find_spec("aiomqtt") is None:
        raise SinkError(target.name, MISSING)
    from ruuvi_host.relay.mqtt.client import connect

    codes: list[int] = []
    try:
        connection = await connect(target, connect_of(target, (gateway or NOBODY).addr, check=True))
        try:
            for topic in topics:
                await connection.room()
                connection.publish(topic, b"", qos=QOS, retain=target.retains, then=codes.append)
            while len(codes) < len(topics):
                await connection.settles()
        finally:
            await connection.close()
    except NoConnectionError as error:
        raise SinkError(target.name, str(error)) from None
    if refused := [code for code in codes if code >= REFUSED]:
        why = f"the broker does not take {len(refused)} of {len(topics)} (reason {refused[0]})"
        raise SinkError(target.name, why)
