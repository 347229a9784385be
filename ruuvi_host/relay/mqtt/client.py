"""Connecting to a broker, by aiomqtt: the one module that knows it, and paho below it.

What aiomqtt keeps from us comes from paho's callbacks: with which code a PUBACK came, and a
CONNACK, and that the broker has hung up without one. And it waits for each message with a coroutine
of its own; here a message is a call, and its confirmation is another one. Connecting happens in a
thread.

A client is used for one connection, so that nothing of one comes up in the next.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import aiomqtt
from aiomqtt import ProtocolVersion
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, WebsocketConnectionError
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ruuvi_host.config.targets import MqttTarget
from ruuvi_host.relay.http.outcome import NotDelivered
from ruuvi_host.relay.http.tls import Tls
from ruuvi_host.relay.mqtt.attempt import STEP, Attempt, NotWebSocketError, look_up, why_not
from ruuvi_host.relay.mqtt.connection import MOST_IN_FLIGHT, Connection
from ruuvi_host.relay.mqtt.messages import Message
from ruuvi_host.relay.mqtt.parameters import KEEP_ALIVE, Connect
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, Step

WHOLE = 30.0
"""Seconds for all steps of connecting."""
_BY_DEFAULT = MQTT_CLEAN_START_FIRST_ONLY
"""What paho wants to hear where there is no such thing."""

_silent = logging.getLogger(__name__)
_silent.setLevel(logging.CRITICAL)
"""What happens is told in our own words."""


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
            if not (refused or error.step in (Step.CLOSED, Step.NO_MQTT)):
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
        except NotDelivered as error:
            raise NoConnectionError(Step.HERE, str(error), fix=True) from None
    client = _client(target, hello, tls.context if tls else None, version)
    attempt = Attempt(client._client, permits)
    if tls:
        attempt.opening.with_tls(tls.context)
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        # paho 2.1 raises at what it does not understand, and then nothing ends but the second.
        ends: set[asyncio.Future[Any]] = {entering, client._disconnected, attempt.ended}
        await asyncio.wait(ends, timeout=WHOLE, return_when=asyncio.FIRST_COMPLETED)
        if entering.done():
            entering.result()
            attempt.first.stop()
            is_311 = client._client.protocol == MQTTProtocolVersion.MQTTv311
            said = attempt.told.json() if attempt.told else {}
            return Connection(client, server, said, None if is_311 else _properties)
        cause: BaseException = TimeoutError()
        if client._disconnected.done():
            client._disconnected.exception()  # it is told in our own words
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
