"""Simulated hosts for tools/fleet.py: the packets of MQTT 3.1.1 that a host sends, and no more.

Not the product: of that a process takes thirty megabytes, and a thousand of them a large machine.
What matters to a broker is the same: CONNECT with a will, the state, one message per sensor with a
PUBACK each, and the product's own pauses between attempts (`relay/mqtt/pauses.py`).
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import time

from ruuvi_host.config.target_parts import DataFormat
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.relay.mqtt.messages import OFFLINE, ONLINE, MessageMaker, status_topic
from ruuvi_host.relay.mqtt.parameters import KEEP_ALIVE
from ruuvi_host.relay.mqtt.pauses import Pauses

CONNACK, PUBACK, PINGREQ, DISCONNECT = 0x20, 0x40, b"\xc0\x00", b"\xe0\x00"
STEP = 9.0
"""Seconds until an attempt is given up."""
NEWS = 1.285
"""Seconds after which a sensor of format 5 has news."""
IN_FLIGHT = 20
"""Messages that a host leaves unconfirmed."""
BEGINNING = bytes.fromhex("0201061BFF99040512FC5394C37C0004FFFC040CAC3642")
"""Advertising data of format 5, up to the number of the measurement."""


def packet(first: int, body: bytes) -> bytes:
    """With its length in front."""
    length, rest = b"", len(body)
    while True:
        rest, low = rest >> 7, rest & 127
        length += bytes([low | 128 if rest else low])
        if not rest:
            return bytes([first]) + length + body


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2, "big") + data


def connect_packet(client_id: str, will_topic: str, will: bytes) -> bytes:
    """A clean session with a retained will of QoS 1."""
    head = text("MQTT") + b"\x04\x2e" + KEEP_ALIVE.to_bytes(2, "big")
    return packet(0x10, head + text(client_id) + text(will_topic) + text(will))


def publish_packet(topic: str, payload: bytes, number: int, *, retain: bool = False) -> bytes:
    """number: of the packet; 0: QoS 0."""
    first = 0x30 | (2 if number else 0) | retain
    return packet(first, text(topic) + (number.to_bytes(2, "big") if number else b"") + payload)


@dataclass
class Tally:
    """What all hosts have done."""

    connects: int = 0
    """CONNECTs that were answered with 0."""
    refused: int = 0
    """Attempts that came to nothing."""
    lost: int = 0
    """Connections that have ended."""
    sent: int = 0
    bytes_sent: int = 0
    """Of PUBLISH packets with readings."""
    acknowledged: int = 0
    skipped: int = 0
    """Readings that there was no connection for, or that the broker was too slow for."""
    connecting: list[float] = field(default_factory=list)
    """Seconds from an attempt to its CONNACK."""
    delays: list[float] = field(default_factory=list)
    """Seconds from PUBLISH to PUBACK."""


class Link(asyncio.Protocol):
    """One connection of one host."""

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self.up: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()
        self.in_flight: dict[int, float] = {}
        self._next = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._host.connect)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        while len(data) >= 2 and len(data) >= 2 + data[1]:
            self._packet(data[0], data[2 : 2 + data[1]])
            data = data[2 + data[1] :]
        self._rest = data

    def _packet(self, first: int, body: bytes) -> None:
        tally = self._host.tally
        if first == CONNACK and not self.up.done():
            self.up.set_result(body[1] == 0)
        elif first == PUBACK:
            sent_at = self.in_flight.pop(int.from_bytes(body[:2], "big"), None)
            if sent_at is not None:
                tally.acknowledged += 1
                tally.delays.append(asyncio.get_running_loop().time() - sent_at)
                self._host.send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.up.done():
            self.up.set_result(False)
        self.gone.set()

    def publish(self, topic: str, payload: bytes, qos: int) -> int:
        """Its bytes."""
        assert self._transport
        number = 0
        if qos:
            number = self._next = self._next % 0xFFFF + 1
            self.in_flight[number] = asyncio.get_running_loop().time()
        written = publish_packet(topic, payload, number)
        self._transport.write(written)
        return len(written)

    @property
    def is_open(self) -> bool:
        """False: it is known to have ended, or will be in a moment."""
        return self._transport is not None and not self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if self._transport and self.is_open:
            self._transport.write(data)

    def close(self) -> None:
        if self._transport:
            self._transport.close()


def _same(link: Link) -> Link:
    return link


@dataclass
class Plan:
    """What each host does."""

    port: int
    sensors: int
    interval: float
    """Seconds between two rounds; 0: news are sent at once."""
    data_format: DataFormat
    qos: int
    scale: float
    """Pauses between attempts are so many times shorter than they are."""
    fixed: bool
    """The firmware's pauses: 10 s, looked at every 5 s."""


class Host:
    """One host: it connects, for ever, and publishes whenever it is connected."""

    def __init__(self, number: int, plan: Plan, tally: Tally, changed: Callable[[], None]) -> None:
        address = b"\xc8\x25" + number.to_bytes(4, "big")
        client_id = address.hex(":").upper()
        self.connect = connect_packet(client_id, status_topic("", address), OFFLINE)
        self.tally = tally
        self.link: Link | None = None
        """While it is connected."""
        self._online = publish_packet(status_topic("", address), ONLINE, 0, retain=True)
        self._address = address
        self._plan = plan
        self._changed = changed
        self._maker = MessageMaker("", plan.data_format, "")
        self._measured = 0
        self._waiting: deque[int] = deque()
        """Sensors that have news."""

    async def run(self) -> None:
        """Stay connected, until cancelled."""
        pauses, loop, plan = Pauses(), asyncio.get_running_loop(), self._plan
        while True:
            link = Link(self)
            began, up = loop.time(), False
            try:
                async with asyncio.timeout(STEP):
                    same: Callable[[], Link] = partial(_same, link)
                    await loop.create_connection(same, "127.0.0.1", plan.port)
                    up = await link.up
            except (OSError, TimeoutError):
                pass
            since = loop.time()
            try:
                if up:
                    self.tally.connects += 1
                    self.tally.connecting.append(since - began)
                    link.write(self._online)
                    self.link = link
                    self._changed()
                    await link.gone.wait()
                    self.tally.lost += 1
                else:
                    self.tally.refused += 1
            finally:
                self.link = None
                self._changed()
                link.close()
            pauses.held((loop.time() - since) * plan.scale if up else 0.0)
            pause = pauses.failed()
            if plan.fixed:
                pause = random.uniform(10.0, 15.0)
            await asyncio.sleep(pause / plan.scale)

    async def measure(self) -> None:
        """A message of each sensor in each interval, until cancelled. Hosts send in rounds, each
        at its own time; with interval 0, sensors have news one after the other."""
        plan = self._plan
        rounds = plan.interval > 0
        pause = plan.interval if rounds else NEWS / plan.sensors
        loop = asyncio.get_running_loop()
        due = loop.time() + random.random() * (plan.interval or NEWS)
        sensor = 0
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            due += pause
            if rounds:
                self.tally.skipped += len(self._waiting)
                self._waiting = deque(range(plan.sensors))
            else:
                self._waiting.append(sensor)
                sensor = (sensor + 1) % plan.sensors
                if len(self._waiting) > plan.sensors:  # its newer values take its place
                    self._waiting.popleft()
                    self.tally.skipped += 1
            self.send()

    def send(self) -> None:
        """What waits, as long as not too much is unconfirmed."""
        link, tally, plan = self.link, self.tally, self._plan
        while link and link.is_open and self._waiting and len(link.in_flight) < IN_FLIGHT:
            sensor = self._waiting.popleft()
            self._measured = (self._measured + 1) % 0xFFFF
            utc = int(time())
            address = b"\xf4" + self._address[2:] + bytes([sensor])
            data = BEGINNING + self._measured.to_bytes(2, "big") + address
            report = Advertisement(address, data, -60, 1, 15, 37, None, 0.0, utc)
            message = self._maker.message(report, self._address, utc)
            tally.bytes_sent += link.publish(message.topic, message.payload, plan.qos)
            tally.sent += 1
