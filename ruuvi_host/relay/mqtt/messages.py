"""Topics and texts, byte for byte as the Ruuvi Gateway publishes them. Pure.

Source: ruuvi.gateway_esp.c mqtt.c, mqtt_json.c.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from firmware_protocol.messages import address_text
from ruuvi_host.config.targets import DataFormat
from ruuvi_host.intake.advertisement import Advertisement

ONLINE, OFFLINE = b'{"state": "online"}', b'{"state": "offline"}'
"""Subscribers compare these texts."""

DECODED = frozenset({"5", "6", "225"})
"""The data formats whose meaning a message tells; a post tells more."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is published."""

    topic: str
    payload: bytes
    data_format: int | None = None
    """Of the values in it; None: there are none."""


class Said(NamedTuple):
    """What a message tells of a report."""

    text: str
    """Members as JSON, each with a comma before it."""
    data_format: int | None


UNKNOWN = Said("", None)
"""Of what is not decoded."""
Members = Callable[[bytes, bytes], Said]
"""Address of the sender and advertising data → what they say."""


def prefix_of(prefix: str, gateway: bytes) -> str:
    """What topics begin with. prefix: as configured. gateway: its address."""
    return prefix or f"ruuvi/{address_text(gateway)}/"


def status_topic(prefix: str, gateway: bytes) -> str:
    """Where the state of the connection is told."""
    return f"{prefix_of(prefix, gateway)}gw_status"


class MessageMaker:
    """Makes the message of one report.

    prefix: of the topics, as configured. coordinates: as configured, at most 63 bytes. members: of
    what is decoded. None: those of a gateway.
    """

    def __init__(
        self,
        prefix: str,
        data_format: DataFormat,
        coordinates: str,
        members: Members | None = None,
    ) -> None:
        self._prefix = prefix
        self._has_data = data_format is not DataFormat.DECODED
        self._members = None
        if data_format is not DataFormat.RAW:
            self._members = members or gateway_form()
        quoted = json.dumps(coordinates, ensure_ascii=False)
        self._tail = f',"coords":{quoted}}}'

    def message(
        self, report: Advertisement, gateway: bytes, utc: int, *, counted: bool = False
    ) -> Message:
        """utc: when it is sent, in whole seconds. counted: its timestamp is a running number."""
        address, data, timestamp = report.address, report.data, report.timestamp
        when = f'"cnt":{timestamp}' if counted else f'"gwts":{utc},"ts":{timestamp}'
        text = f'{{"gw_mac":"{address_text(gateway)}","rssi":{report.rssi},"aoa":[],{when}'
        if self._has_data:
            text += f',"data":"{data.hex().upper()}"'
        said = self._members(address, data) if self._members else UNKNOWN
        payload = (text + said.text + self._tail).encode("utf-8", "replace")
        topic = prefix_of(self._prefix, gateway) + address_text(address)
        return Message(topic, payload, said.data_format)


def gateway_form() -> Members:
    """As a gateway says it. Imported only when something is decoded: it is half a megabyte."""
    from ruuvi_host.formats.gateway import gateway_members

    def members(_: bytes, data: bytes) -> Said:
        decoded = gateway_members(data)
        if not decoded or decoded[0][1] not in DECODED:
            return UNKNOWN
        text = "".join([f',"{name}":{value}' for name, value in decoded])
        return Said(text, int(decoded[0][1]))

    return members
