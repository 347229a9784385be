"""A connection to a broker, by aiomqtt: the one module that knows it, and paho below it.

What aiomqtt keeps from us comes from paho's callbacks: with which code a PUBACK came, and a
CONNACK, and that the broker has hung up without one. And it waits for each message with a coroutine
of its own; here a message is a call, and its confirmation is another one. Connecting happens in a
thread.

A client is used for one connection, so that nothing of one comes up in the next.
"""

import asyncio
import logging
import socket
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
from ruuvi_host.config.url import Address
from ruuvi_host.relay.http.outcome import NotDelivered
from ruuvi_host.relay.http.tls import Tls
from ruuvi_host.relay.mqtt.parameters import KEEP_ALIVE, Connect
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, Step, refusal

STEP = 9.0
"""Seconds for each step of connecting: as on the gateway."""
WHOLE = 30.0
"""Seconds for all of them."""
DISCONNECTING = 0.5
"""Seconds for DISCONNECT."""
MOST_IN_FLIGHT = 20
"""Messages that are not confirmed; so many every broker takes."""
_PROTOCOL_ERROR = 130
_BY_DEFAULT = MQTT_CLEAN_START_FIRST_ONLY
"""What paho wants to hear where there is no such thing."""
_AROUND = 200
"""Bytes of a packet around topic and payload, at most: lengths, and our properties."""
_NEAR = "only this machine, or its neighbours on the wire, can reach what this name leads to"
_CODES = {132: 1, 133: 2, 136: 3, 134: 4, 135: 5}
"""paho tells refusals of MQTT 3.1.1 in the numbers of MQTT 5."""

_silent = logging.getLogger(__name__)
_silent.setLevel(logging.CRITICAL)
"""What happens is told in our own words."""


class Connection:
    """One connection, from CONNACK to its end. `connect` makes it.

    acknowledged: called with the number of each message that is settled, and whether the broker
    has it. With QoS 0 that is so when it was sent.
    """

    def __init__(self, client: aiomqtt.Client, paho: Paho, server: str, told: Any) -> None:
        self.server = server
        self.version = "3.1.1" if paho.protocol == MQTTProtocolVersion.MQTTv311 else "5"
        """Of MQTT."""
        # paho does not obey what a broker says of itself, but for the time of the pings.
        said = told.json() if told else {}
        self.longest: int = said.get("MaximumPacketSize", 0)
        """Bytes of a packet; 0: any."""
        most: int = said.get("ReceiveMaximum", MOST_IN_FLIGHT)
        self.acknowledged: Callable[[int, bool], None] = lambda number, taken: None
        self.most_in_flight = min(MOST_IN_FLIGHT, most)
        self.lost: asyncio.Future[NoConnectionError] = asyncio.get_running_loop().create_future()
        """Why it has ended; not done: it has not."""
        self._client = client
        self._paho = paho
        paho.on_publish = self._on_publish
        client._disconnected.add_done_callback(self._on_lost)

    @property
    def is_up(self) -> bool:
        return not self.lost.done()

    def takes(self, topic: str, payload: bytes) -> bool:
        """Is such a message not too long for this broker?"""
        return not self.longest or len(topic.encode()) + len(payload) + _AROUND <= self.longest

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool = False,
        said: Iterable[tuple[str, str]] = (),
    ) -> int:
        """Send one message; returns its number. Raises NoConnectionError.

        said: user properties, for those who speak MQTT 5.
        """
        if not self.is_up:
            raise self.lost.result()
        properties = None if self.version == "3.1.1" else _properties(tuple(said))
        info = self._paho.publish(topic, payload, qos, retain, properties)
        if info.rc != 0:
            self.end("cannot be written to")
            raise self.lost.result()
        return int(info.mid)

    def end(self, why: str) -> None:
        """It is of no use any more."""
        self._lose(NoConnectionError(Step.LOST, f"{self.server} {why}"))
        _drop(self._paho)

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
        self.acknowledged(number, not code.is_failure)

    def _on_lost(self, ended: "asyncio.Future[None]") -> None:
        error = None if ended.cancelled() else ended.exception()
        by_network = isinstance(error, OSError)
        why = f"connection lost: {error}" if by_network else "has ended the connection"
        text = f"{self.server}: {why}" if by_network else f"{self.server} {why}"
        self._lose(NoConnectionError(Step.LOST, text, by_network=by_network))

    def _lose(self, error: NoConnectionError) -> None:
        if not self.lost.done():
            self.lost.set_result(error)


async def connect(
    target: MqttTarget, hello: Connect, *, permits: Callable[[str], bool] | None = None
) -> Connection:
    """Raises NoConnectionError. permits: to which IP addresses; None: to all."""
    if permits:
        await _look_up(target, permits)
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
    attempt = _Attempt(client._client, permits)
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
    except BaseException:
        await attempt.abandon(entering)
        raise
    await attempt.abandon(entering)
    raise _why(cause, attempt, server, tls, target)


def _client(
    target: MqttTarget, hello: Connect, tls: ssl.SSLContext | None, version: ProtocolVersion
) -> aiomqtt.Client:
    broker, will = target.broker, hello.will
    is_5 = version is ProtocolVersion.V5
    return aiomqtt.Client(
        *(broker.server, broker.port),
        identifier=hello.client_id,
        username=hello.user,
        password=hello.password,
        logger=_silent,
        protocol=version,
        will=aiomqtt.Will(will.topic, will.payload, 1, True) if will else None,
        clean_session=None if is_5 else True,
        clean_start=True if is_5 else _BY_DEFAULT,
        transport="websockets" if broker.transport.is_websocket else "tcp",
        timeout=STEP,
        keepalive=KEEP_ALIVE,
        tls_context=tls,
        websocket_path=broker.websocket_path if broker.transport.is_websocket else None,
        max_inflight_messages=MOST_IN_FLIGHT,
    )


class _Closing(ssl.SSLSocket):
    """Closes itself when its handshake fails, which paho does not do."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


class _Attempt:
    """Listens to what paho tells while it connects."""

    def __init__(self, paho: Paho, permits: Callable[[str], bool] | None) -> None:
        self.is_open = False
        self.told: Properties | None = None
        """What the broker says of itself; with MQTT 5."""
        self.answer: int | None = None
        """Code of CONNACK."""
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The connection is closed again; paho's code for why."""
        self._paho = paho
        self._abandoned = False
        self._permits = permits
        self._loop = asyncio.get_running_loop()
        self._connected: Any = paho.on_connect
        self._disconnected: Any = paho.on_disconnect
        self._opened: Any = paho.on_socket_open
        paho.on_connect = self._on_connect
        paho.on_disconnect = self._on_disconnect
        paho.on_socket_open = self._on_socket_open

    async def abandon(self, entering: "asyncio.Future[Any]") -> None:
        """What is open is closed, and what may still be opened in its thread, too."""
        self._abandoned = True
        entering.cancel()
        _drop(self._paho)
        with suppress(Exception, asyncio.CancelledError):
            await entering

    def _on_connect(self, *told: Any) -> None:
        code = told[3].value
        self.answer = _CODES.get(code, code)
        self.told = told[4]
        self._connected(*told)

    def _on_disconnect(self, *told: Any) -> None:
        self._loop.call_soon_threadsafe(self._end, told[3].value)
        self._disconnected(*told)

    def _on_socket_open(self, client: Any, data: Any, sock: Any) -> None:
        """Called in the thread that connects."""
        if self._abandoned:
            sock.close()
            raise ConnectionAbortedError("nobody waits for it any more")
        if self._permits and not self._permits(_peer_of(sock)):
            sock.close()  # the name leads elsewhere than a moment ago
            raise ConnectionAbortedError(_NEAR)
        self.is_open = True
        self._opened(client, data, sock)

    def _end(self, code: int) -> None:
        if not self.ended.done():
            self.ended.set_result(code)


@lru_cache(16)
def _properties(said: tuple[tuple[str, str], ...]) -> Properties:
    """Of a message that is JSON."""
    make: Any = Properties
    properties = make(PacketTypes.PUBLISH)
    properties.PayloadFormatIndicator = 1
    properties.ContentType = "application/json"
    if said:
        properties.UserProperty = list(said)
    made: Properties = properties
    return made


async def _look_up(target: MqttTarget, permits: Callable[[str], bool]) -> None:
    """Raises NoConnectionError where the name of the broker leads to what is not permitted."""
    host, port = target.broker.server, target.broker.port
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoConnectionError(Step.NAME, f"{host}: {error}") from None
    if not all(permits(str(address[4][0])) for address in found):
        raise NoConnectionError(Step.NEAR, f"{host}: {_NEAR}")


def _peer_of(sock: Any) -> str:
    """The IP address at the other end. paho wraps the socket of WebSockets."""
    return str(getattr(sock, "_socket", sock).getpeername()[0])


def _drop(paho: Paho) -> None:
    """Close its socket, whatever the other side does."""
    with suppress(OSError, ValueError, RuntimeError):
        paho._sock_close()


def _why(
    cause: BaseException, attempt: _Attempt, server: str, tls: Tls | None, target: MqttTarget
) -> NoConnectionError:
    if attempt.answer:
        return refusal(server, attempt.answer)
    if attempt.ended.done():
        if attempt.ended.result() == _PROTOCOL_ERROR:  # paho keeps that CONNACK to itself
            return refusal(server, 1)
        why = f"{server} has closed the connection without an answer"
        return NoConnectionError(Step.CLOSED, why)
    if isinstance(cause, socket.gaierror):
        return NoConnectionError(Step.NAME, f"{target.broker.server}: {cause.strerror}")
    if isinstance(cause, ssl.SSLError) and tls:
        broker = target.broker
        address = Address("mqtts", broker.server, broker.port, "")
        failure = tls.failure(cause, address, established=False)
        fix = failure.outcome.verdict.value == "fix"
        return NoConnectionError(Step.TLS, str(failure), fix=fix)
    if isinstance(cause, WebsocketConnectionError):
        why = f"{server} does not answer as a broker on WebSockets does: {cause}"
        return NoConnectionError(Step.WEBSOCKET, why)
    if isinstance(cause, TimeoutError) and not attempt.is_open:
        return NoConnectionError(Step.CONNECT, f"{server}: no connection within {STEP:.0f} s")
    if isinstance(cause, TimeoutError):
        return NoConnectionError(Step.SILENT, f"{server} does not answer")
    if isinstance(cause, OSError):
        why = cause.strerror or str(cause)
        return NoConnectionError(Step.CONNECT, f"{server}: {why}")
    return NoConnectionError(Step.SILENT, f"{server} does not answer")
