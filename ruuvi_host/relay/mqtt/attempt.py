"""An attempt to connect to a broker: what is heard while it is made, and why it failed.

It hears what aiomqtt keeps from us, by the callbacks of the client below it. That client is handed
in: `client.py` alone knows the libraries.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.config.url import Address
from ruuvi_host.relay.http.tls import Tls
from ruuvi_host.relay.mqtt.incoming import FirstBytes
from ruuvi_host.relay.mqtt.opening import Opening
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, Step, refusal
from ruuvi_host.relay.mqtt.strangers import connack_code, stranger

STEP = 9.0
"""Seconds for each step of connecting: as on the gateway."""

_NEAR = "only this machine, or its neighbours on the wire, can reach what this name leads to"
_CODES = {132: 1, 133: 2, 136: 3, 134: 4, 135: 5}
"""paho tells refusals of MQTT 3.1.1 in the numbers of MQTT 5."""


class NotWebSocketError(Exception):
    """What answers speaks no WebSockets, or not here."""


class Attempt:
    """Listens to what paho tells while it connects."""

    def __init__(self, paho: Any, permits: Callable[[str], bool] | None) -> None:
        self.is_open = False
        self.told: Any = None
        """What the broker says of itself; with MQTT 5."""
        self.answer: int | None = None
        """Code of CONNACK."""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """The connection is closed again."""
        self.first = FirstBytes(paho)
        self._paho = paho
        self._permits = permits
        self.opening = Opening(paho)
        self._connected: Any = paho.on_connect
        self._disconnected: Any = paho.on_disconnect
        self._opened: Any = paho.on_socket_open
        paho.on_connect = self._on_connect
        paho.on_disconnect = self._on_disconnect
        paho.on_socket_open = self._on_socket_open

    async def abandon(self, entering: "asyncio.Future[Any]") -> None:
        """What is open is closed, and what may still be opened in its thread, too."""
        self.opening.give_up()
        entering.cancel()
        drop(self._paho)
        with suppress(Exception, asyncio.CancelledError):
            await entering

    def _on_connect(self, *told: Any) -> None:
        code = told[3].value
        self.answer = _CODES.get(code, code)
        self.told = told[4]
        self._connected(*told)

    def _on_disconnect(self, *told: Any) -> None:
        self.ended.get_loop().call_soon_threadsafe(self._end)
        self._disconnected(*told)

    def _on_socket_open(self, client: Any, data: Any, sock: Any) -> None:
        """Called in the thread that connects."""
        if self.opening.is_given_up:
            sock.close()
            raise ConnectionAbortedError("nobody waits for it any more")
        if self._permits and not self._permits(_peer_of(sock)):
            sock.close()  # the name leads elsewhere than a moment ago
            raise ConnectionAbortedError(_NEAR)
        self.is_open = True
        self._opened(client, data, sock)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


async def look_up(target: MqttTarget, permits: Callable[[str], bool]) -> None:
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


def drop(paho: Any) -> None:
    """Close its socket, whatever the other side does."""
    with suppress(OSError, ValueError, RuntimeError):
        paho._sock_close()


def why_not(
    cause: BaseException, attempt: Attempt, server: str, tls: Tls | None, target: MqttTarget
) -> NoConnectionError:
    first = attempt.first.heard
    # paho keeps some CONNACKs to itself: that of code 1, and those that it does not know.
    if answer := connack_code(first) or attempt.answer:
        return refusal(server, _CODES.get(answer, answer))
    if found := stranger(server, target.broker.transport, first):
        return found
    if attempt.ended.done():
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
    if isinstance(cause, NotWebSocketError):
        path = target.broker.websocket_path
        why = (
            f"{server} does not answer as a broker on WebSockets does, at the path {path}: {cause}"
        )
        return NoConnectionError(Step.WEBSOCKET, why)
    if isinstance(cause, TimeoutError) and not attempt.is_open:
        return NoConnectionError(Step.CONNECT, f"{server}: no connection within {STEP:.0f} s")
    if isinstance(cause, TimeoutError):
        return NoConnectionError(Step.SILENT, f"{server} does not answer")
    if isinstance(cause, OSError):
        why = cause.strerror or str(cause)
        return NoConnectionError(Step.CONNECT, f"{server}: {why}")
    return NoConnectionError(Step.SILENT, f"{server} does not answer")
