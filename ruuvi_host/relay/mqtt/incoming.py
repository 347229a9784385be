"""What comes from a broker, seen before the client below sees it, and why a connection has ended.

paho ends a connection at a PUBACK with a number that it does not know, and keeps the first bytes of
an answer to itself when they are no CONNACK. The client is handed in: `client.py` alone knows the
libraries.
"""

from typing import Any

from ruuvi_host.relay.mqtt.refusals import reason

_LONGEST = 120
"""Bytes of an answer; of a web server the first line."""
_PUBACK, _DISCONNECT = 0x40, 0xE0
_KNOWN = frozenset({0, 16, 128, 131, 135, 144, 145, 151, 153})
"""Reason codes of a PUBACK in MQTT 5. paho raises at others, in 2.1, or ends the connection."""
_OTHER = 0x80
"""What paho is told in their place: "unspecified error"."""
_PROTOCOL_ERROR, _NO_PING = 130, 141
"""What paho says of packets that it does not understand, and of a PINGREQ without an answer."""
_UNSPECIFIED, _LOST = 128, "MQTT_CS_CONNECTION_LOST"
"""What paho 2.1 says of the first, too, and its state when it is none of them."""
_FOREIGN = "sends what is no MQTT"


class FirstBytes:
    """How the answer to CONNECT begins."""

    def __init__(self, paho: Any) -> None:
        self.heard = b""
        self._paho = paho
        self._receive: Any = paho._sock_recv
        paho._sock_recv = self._on_bytes

    def stop(self) -> None:
        """It is known who answers."""
        self._paho._sock_recv = self._receive

    def _on_bytes(self, size: int) -> Any:
        data = self._receive(size)
        if len(self.heard) < _LONGEST:
            self.heard += bytes(data[:_LONGEST])
        return data


class Incoming:
    """Listens at a connection that stands. is_5: it speaks MQTT 5."""

    def __init__(self, paho: Any, *, is_5: bool) -> None:
        self._paho = paho
        self._code: int | None = None
        """Of the PUBACK that is handled now, if paho does not know it."""
        self._end = ""
        self._told = 0
        """paho's code for the end."""
        self._handle: Any = paho._packet_handle
        self._disconnected: Any = paho.on_disconnect
        paho.on_disconnect = self._on_disconnect
        if is_5:
            paho._packet_handle = self._on_packet

    def code(self, told: int) -> int:
        """The reason code of the PUBACK that is handled now. told: by paho."""
        return told if self._code is None else self._code

    def why(self, error: BaseException | None) -> str:
        """Why the connection has ended. error: of the libraries, not one of the network."""
        if self._end:
            return self._end
        if self._told == _NO_PING:
            return "does not answer any more"
        # paho 2.1 may raise at what it does not understand.
        foreign = error is not None and not type(error).__module__.startswith("aiomqtt")
        lost = getattr(getattr(self._paho, "_state", None), "name", _LOST) == _LOST
        if foreign or self._told == _PROTOCOL_ERROR or (self._told == _UNSPECIFIED and not lost):
            return _FOREIGN
        return "has ended the connection"

    def _on_packet(self) -> Any:
        packet = self._paho._in_packet
        body, kind = packet["packet"], packet["command"] & 0xF0
        if kind == _DISCONNECT and body and body[0]:
            self._end = f"has ended the connection: {reason(body[0])}"
        if kind == _PUBACK and len(body) > 2 and body[2] not in _KNOWN:
            self._code = body[2]
            packet["packet"], packet["remaining_length"] = body[:2] + bytes([_OTHER]), 3
        try:
            return self._handle()
        finally:
            self._code = None

    def _on_disconnect(self, *told: Any) -> None:
        self._told = told[3].value
        self._disconnected(*told)
