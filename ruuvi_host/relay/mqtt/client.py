"""A connection to a broker, by aiomqtt: the one module that knows it, and paho below it.

What aiomqtt keeps from us comes from paho's callbacks: with which code a PUBACK came, and a
CONNACK, and that the broker has hung up without one. And it waits for each message with a coroutine
of its own; here a message is a call, and its confirmation is another one. Connecting happens in a
thread.

A client is used for one connection, so that nothing of one comes up in the next.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any

import aiomqtt
from aiomqtt import ProtocolVersion
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, WebsocketConnectionError
from paho.mqtt.client import Client as Paho
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ruuvi_host.config.targets import MqttTarget
from ruuvi_host.relay.http.outcome import NotDelivered
from ruuvi_host.relay.http.tls import Tls
from ruuvi_host.relay.mqtt.attempt import STEP, Attempt, NotWebSocketError, drop, look_up, why_not
from ruuvi_host.relay.mqtt.messages import Message
from ruuvi_host.relay.mqtt.parameters import KEEP_ALIVE, Connect
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, Step

WHOLE = 30.0
"""Seconds for all steps of connecting."""
DISCONNECTING = 0.5
"""Seconds for DISCONNECT."""
MOST_IN_FLIGHT = 20
"""Messages that are not confirmed; so many every broker takes."""
UNANSWERED = 30.0
"""Seconds that a message may wait for its confirmation; then the connection ends."""
_BY_DEFAULT = MQTT_CLEAN_START_FIRST_ONLY
"""What paho wants to hear where there is no such thing."""
_AROUND = 200
"""Bytes of a packet around topic and payload, at most: lengths, and our properties."""

_silent = logging.getLogger(__name__)
_silent.setLevel(logging.CRITICAL)
"""What happens is told in our own words."""

Settled = Callable[[int], None]
"""Told what became of a message: the reason code of its PUBACK; 128 and more: the broker does not
take it. With MQTT 3.1.1 it is always 0; with QoS 0, too, when the message was sent."""


def _nobody(topic: str, payload: bytes) -> None:
    """Nobody waits for messages."""


class Connection:
    """One connection, from CONNACK to its end. `connect` makes it.

    Who publishes waits until there is `room` before each message.
    """

    def __init__(self, client: aiomqtt.Client, paho: Paho, server: str, told: Any) -> None:
        self.server = server
        self.version = "3.1.1" if paho.protocol == MQTTProtocolVersion.MQTTv311 else "5"
        """Of MQTT."""
        # paho does not obey what a broker says of itself, but for the time of the pings.
        said = told.json() if told else {}
        self._longest: int = said.get("MaximumPacketSize", 0)
        """Bytes of a packet; 0: any."""
        self._most = min(MOST_IN_FLIGHT, said.get("ReceiveMaximum", MOST_IN_FLIGHT))
        self._qos: int = said.get("MaximumQoS", 1)
        self._retains = bool(said.get("RetainAvailable", 1))
        self.lost: asyncio.Future[NoConnectionError] = asyncio.get_running_loop().create_future()
        """Why it has ended; not done: it has not."""
        self.received: Callable[[str, bytes], None] = _nobody
        """Called with topic and payload of each message that comes, see `subscribe`."""
        self._client = client
        self._paho = paho
        self._in_flight: dict[int, Settled | None] = {}
        """By its number: who is to be told what becomes of a message."""
        self._waiting: list[asyncio.Future[None]] = []
        """For the next one to be settled, or for the end."""
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

    def takes(self, topic: str, payload: bytes) -> bool:
        """Is such a message not too long for this broker?"""
        return not self._longest or len(topic.encode()) + len(payload) + _AROUND <= self._longest

    async def room(self) -> None:
        """Wait until one more message may be sent. Raises NoConnectionError."""
        while len(self._in_flight) >= self._most:
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
        properties = None if self.version == "3.1.1" else _properties(tuple(said), expiry)
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
        except aiomqtt.MqttError:
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
            with suppress(aiomqtt.MqttError, TimeoutError, OSError):
                async with asyncio.timeout(DISCONNECTING):
                    await self._client.__aexit__(None, None, None)
        self.end("is not needed any more")

    def _on_publish(
        self, client: Paho, data: object, number: int, code: Any, properties: object
    ) -> None:
        then = self._in_flight.pop(number, None)
        if then:
            then(code.value)
        self._release()

    def _on_message(self, client: Paho, data: object, message: Any) -> None:
        self.received(message.topic, message.payload)

    def _on_lost(self, ended: "asyncio.Future[None]") -> None:
        error = None if ended.cancelled() else ended.exception()
        by_network = isinstance(error, OSError)
        why = f"connection lost: {error}" if by_network else "has ended the connection"
        text = f"{self.server}: {why}" if by_network else f"{self.server} {why}"
        self._lose(NoConnectionError(Step.LOST, text, by_network=by_network))

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


async def connect(
    target: MqttTarget, hello: Connect, *, permits: Callable[[str], bool] | None = None
) -> Connection:
    """Raises NoConnectionError. permits: to which IP addresses; None: to all."""
    if permits:
        await look_up(target, permits)
    if target.broker.version == "5":
        try:
            return await _connect(target, hello, permits, version=ProtocolVersion.V5)
        except NoConnectionError as error:
            # One that knows only the older version refuses, answers in it, or just hangs up.
            refused = error.step is Step.REFUSED and error.code == 1
            if not (refused or error.step is Step.CLOSED):
                raise
    return await _connect(target, hello, permits, version=ProtocolVersion.V311)


async def _connect(
    target: MqttTarget,
    hello: Connect,
    permits: Callable[[str], bool] | None,
    *,
    version: ProtocolVersion,
) -> Connection:
    broker = target.broker
    server = f"{broker.server}:{broker.port}"
    tls = None
    if broker.transport.is_tls:
        try:
            tls = await asyncio.to_thread(Tls, broker.tls, resume=False)
            tls.context.sslsocket_class = _Closing
        except NotDelivered as error:
            raise NoConnectionError(Step.HERE, str(error), fix=True) from None
    client = _client(target, hello, tls.context if tls else None, version)
    attempt = Attempt(client._client, permits)
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        both: set[asyncio.Future[Any]] = {entering, attempt.ended}
        await asyncio.wait(both, timeout=WHOLE, return_when=asyncio.FIRST_COMPLETED)
        if entering.done():
            entering.result()
            return Connection(client, client._client, server, attempt.told)
        cause: BaseException = TimeoutError()
    except (aiomqtt.MqttError, OSError, ValueError, WebsocketConnectionError) as error:
        cause = error.__cause__ or error.__context__ or error
        if isinstance(cause, WebsocketConnectionError):
            cause = NotWebSocketError(str(cause))
    except BaseException:
        await attempt.abandon(entering)
        raise
    await attempt.abandon(entering)
    raise why_not(cause, attempt, server, tls, target)


def _client(
    target: MqttTarget, hello: Connect, tls: ssl.SSLContext | None, version: ProtocolVersion
) -> aiomqtt.Client:
    broker, will = target.broker, hello.will
    is_5 = version is ProtocolVersion.V5
    delay = target.options.will_delay if is_5 and will else 0
    return aiomqtt.Client(
        *(broker.server, broker.port),
        identifier=hello.client_id,
        username=hello.user,
        password=hello.password,
        logger=_silent,
        protocol=version,
        will=_will(will, delay) if will else None,
        clean_session=None if is_5 else True,
        # A will waits only as long as the session lives, and nobody begins a new one.
        clean_start=not delay if is_5 else _BY_DEFAULT,
        properties=_session(delay) if delay else None,
        transport="websockets" if broker.transport.is_websocket else "tcp",
        timeout=STEP,
        keepalive=KEEP_ALIVE,
        tls_context=tls,
        websocket_path=broker.websocket_path if broker.transport.is_websocket else None,
        max_inflight_messages=MOST_IN_FLIGHT,
    )


def _will(will: Message, delay: int) -> aiomqtt.Will:
    properties = None
    if delay:
        make: Any = Properties
        properties = make(PacketTypes.WILLMESSAGE)
        properties.WillDelayInterval = delay
    return aiomqtt.Will(will.topic, will.payload, 1, True, properties)


def _session(seconds: int) -> Properties:
    """One that lives for so long without a connection."""
    make: Any = Properties
    properties = make(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = seconds
    made: Properties = properties
    return made


class _Closing(ssl.SSLSocket):
    """Closes itself when its handshake fails, which paho does not do."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


@lru_cache(16)
def _properties(said: tuple[tuple[str, str], ...], expiry: int) -> Properties:
    """Of a message that is JSON."""
    make: Any = Properties
    properties = make(PacketTypes.PUBLISH)
    properties.PayloadFormatIndicator = 1
    if expiry:
        properties.MessageExpiryInterval = expiry
    properties.ContentType = "application/json"
    if said:
        properties.UserProperty = list(said)
    made: Properties = properties
    return made
