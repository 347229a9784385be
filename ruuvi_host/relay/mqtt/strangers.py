"""Who answers in the place of a broker, told by the first bytes of the answer. Pure."""

from ruuvi_host.config.mqtt_target import Transport
from ruuvi_host.logs import printable
from ruuvi_host.relay.mqtt.refusals import NoConnectionError, Step

_CONNACK = 0x20
_SHOWN = 40
"""Bytes of an answer, or characters of its first line."""


def stranger(server: str, transport: Transport, first: bytes) -> NoConnectionError | None:
    """What is said of one that answers so; None: nothing has come, or it is a CONNACK that can be
    understood."""
    if not first or connack_code(first) is not None:
        return None
    text = f"{server} {_who(transport, first)}"
    return NoConnectionError(Step.NO_MQTT, text, fix=True)


def connack_code(first: bytes) -> int | None:
    """The code of a CONNACK that says no; None: it is none. first: how an answer begins."""
    if not first or first[0] != _CONNACK:
        return None
    place = 1
    while place < min(5, len(first)) and first[place] & 0x80:
        place += 1
    code = first[place + 2 : place + 3]
    return code[0] if code and code[0] else None


def _who(transport: Transport, first: bytes) -> str:
    line = printable(first.partition(b"\n")[0].strip().decode("ascii", "replace"), _SHOWN)
    if first.startswith(b"HTTP/"):
        ours = "WSS" if transport.is_tls else "WS"
        return (
            f"is a web server ({line}), and no broker: set the port to that of the broker, or the "
            f"transport to {ours} if it takes MQTT over WebSockets"
        )
    if first[0] in (0x15, 0x16) and first[1:2] == b"\x03":
        return (
            "wants TLS: set the transport to SSL (WSS: over WebSockets), or the port to that of "
            "the broker without TLS"
        )
    if first[0] == _CONNACK:
        return f"answers with a CONNACK that is none ({first[:_SHOWN].hex(' ')}): is it a broker?"
    is_text = all(32 <= byte < 127 or byte in b"\r\n\t" for byte in first[:_SHOWN])
    shown = repr(line) if is_text else first[:8].hex(" ")
    return f"answers with {shown}, which is no MQTT: set the port to that of the broker"
