"""A connection to a broker, once it stands: messages go out, and what became of each comes back.

It is a client of aiomqtt, and paho below it; `client.py` makes it, and knows both.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from ruuvi_host.relay.mqtt.attempt import drop
from ruuvi_host.relay.mqtt.incoming import Incoming
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, Step

DISCONNECTING = 0.5
"""Seconds for DISCONNECT."""
MOST_IN_FLIGHT = 20
"""Messages that are not confirmed; so many every broker takes."""
UNANSWERED = 30.0
"""Seconds that a message may wait for its confirmation; then the connection ends."""
_AROUND = 3
"""Bytes of a packet besides its content, the number of the message and the length of what follows:
the type, and the length of the topic."""
_NUMBER = 2
"""Bytes, with QoS 1."""

Settled = Callable[[int], None]
"""Told what became of a message: the reason code of its PUBACK (see `is_taken`). With MQTT 3.1.1
it is always 0; with QoS 0, too, when the message was sent."""


def _nobody(topic: str, payload: bytes) -> None:
    """Nobody waits for messages."""


class Connection:
    """One connection, from CONNACK to its end. `connect` makes it.

    Who publishes waits until there is `room` before each message.

    client: of aiomqtt, connected. said: what the broker says of itself, in the names of MQTT 5.
    properties: makes those of a message, of user properties and seconds; None: it is MQTT 3.1.1.
    """

    def __init__(
        self,
        client: Any,
        server: str,
        said: Mapping[str, Any],
        properties: Callable[[tuple[tuple[str, str], ...], int], Any] | None,
    ) -> None:
        self.server = server
        self.version = "5" if properties else "3.1.1"
        """Of MQTT."""
        # paho does not obey what a broker says of itself, but for the time of the pings.
        self._longest: int = said.get("MaximumPacketSize", 0)
        """Bytes of a packet; 0: any."""
        self._most: int = min(MOST_IN_FLIGHT, said.get("ReceiveMaximum", MOST_IN_FLIGHT))
        self._qos: int = said.get("MaximumQoS", 1)
        self._retains = bool(said.get("RetainAvailable", 1))
        self.lost: asyncio.Future[NoConnectionError] = asyncio.get_running_loop().create_future()
        """Why it has ended; not done: it has not."""
        self.received: Callable[[str, bytes], None] = _nobody
        """Called with topic and payload of each message that comes, see `subscribe`."""
        self._client = client
        self._paho = paho = client._client
        self._properties = properties
        self._in_flight: dict[int, Settled | None] = {}
        """By its number: who is to be told what becomes of a message."""
        self._waiting: list[asyncio.Future[None]] = []
        """For the next one to be settled, or for the end."""
        self._incoming = Incoming(paho, is_5=properties is not None)
        paho.on_publish = self._on_publish
        paho.on_message = self._on_message
        client._disconnected.add_done_callback(self._on_lost)

    @property
    def is_up(self) -> bool:
        return not self.lost.done()

    @property
    def in_flight(self) -> int:
        """Messages that are sent, and not confirmed."""
        return len(self._in_flight)

    @property
    def has_room(self) -> bool:
        """May one more message be sent?"""
        return len(self._in_flight) < self._most

    def takes(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        expiry: int = 0,
        said: Iterable[tuple[str, str]] = (),
    ) -> bool:
        """Is such a message not too long for this broker? qos, expiry, said: as of `publish`."""
        if not self._longest:
            return True
        properties = self._properties(tuple(said), expiry).pack() if self._properties else b""
        length: int = len(topic.encode()) + len(properties) + len(payload) + _AROUND
        length += _NUMBER if min(qos, self._qos) else 0
        # The length of what follows the type is written in as many bytes as it needs.
        return length + (max(1, (length - 1).bit_length()) + 6) // 7 <= self._longest

    async def room(self) -> None:
        """Wait until one more message may be sent. Raises NoConnectionError."""
        while not self.has_room:
            await self.settles()

    async def settles(self) -> None:
        """Wait until one more message is settled. Raises NoConnectionError; the connection ends
        when that takes too long."""
        if self.is_up:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                async with asyncio.timeout(UNANSWERED):
                    await waiter
            except TimeoutError:
                self.end(f"has not confirmed a message within {UNANSWERED:.0f} s")
        if not self.is_up:
            raise self.lost.result()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool = False,
        expiry: int = 0,
        said: Iterable[tuple[str, str]] = (),
        then: Settled | None = None,
    ) -> None:
        """Send one message. Raises NoConnectionError.

        expiry: seconds after which the broker drops it, 0: never; and said: user properties; for
        those who speak MQTT 5.
        """
        if not self.is_up:
            raise self.lost.result()
        properties = self._properties(tuple(said), expiry) if self._properties else None
        qos, retain = min(qos, self._qos), retain and self._retains
        info = self._paho.publish(topic, payload, qos, retain, properties)
        if info.rc != 0:
            self.end("cannot be written to")
            raise self.lost.result()
        self._in_flight[info.mid] = then

    def subscribe(self, topic: str) -> None:
        """Have messages of this topic come, with QoS 1, to whom `received` says."""
        self._paho.subscribe(topic, 1)

    async def subscribed(self, topic: str, seconds: float) -> None:
        """The same; returns when the broker has agreed. Raises NoConnectionError, also when that
        takes longer than so many seconds."""
        try:
            codes = await self._client.subscribe(topic, 1, timeout=seconds)
        except Exception:  # of aiomqtt; what it says of itself is nothing for people
            self.end("has not answered to a subscription")
            raise self.lost.result() from None
        if any(code.is_failure for code in codes if not isinstance(code, int)):
            why = f"{self.server} does not let this client subscribe to {topic}"
            raise NoConnectionError(Step.REFUSED, why, fix=True)

    def end(self, why: str) -> None:
        """It is of no use any more."""
        self._lose(NoConnectionError(Step.LOST, f"{self.server} {why}"))
        drop(self._paho)

    async def close(self) -> None:
        """DISCONNECT, and the end. Whoever waits for its loss is told."""
        if self.is_up:
            with suppress(Exception):
                async with asyncio.timeout(DISCONNECTING):
                    await self._client.__aexit__(None, None, None)
        self.end("is not needed any more")

    def _on_publish(
        self, client: object, data: object, number: int, code: Any, properties: object
    ) -> None:
        then = self._in_flight.pop(number, None)
        if then:
            then(self._incoming.code(code.value))
        self._release()

    def _on_message(self, client: object, data: object, message: Any) -> None:
        self.received(message.topic, message.payload)

    def _on_lost(self, ended: "asyncio.Future[None]") -> None:
        error = None if ended.cancelled() else ended.exception()
        by_network = isinstance(error, OSError)
        text = f"{self.server} {self._incoming.why(error)}"
        if by_network:
            text = f"{self.server}: connection lost: {error}"
        self._lose(NoConnectionError(Step.LOST, text, by_network=by_network))
        drop(self._paho)  # paho 2.1 leaves it open when it raises

    def _lose(self, error: NoConnectionError) -> None:
        if not self.lost.done():
            self.lost.set_result(error)
            self._release()

    def _release(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                if not each.done():
                    each.set_result(None)
