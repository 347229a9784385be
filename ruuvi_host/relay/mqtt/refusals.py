"""What went wrong with a connection: its kind, and a sentence."""

from enum import Enum
from typing import Final

CONNACK: Final = {
    1: ("MQTT_CONNECTION_REFUSE_PROTOCOL", "does not speak MQTT 3.1.1"),
    2: ("MQTT_CONNECTION_REFUSE_ID_REJECTED", "does not take the client id"),
    3: ("MQTT_CONNECTION_REFUSE_SERVER_UNAVAILABLE", "says that it cannot serve now"),
    4: ("MQTT_CONNECTION_REFUSE_BAD_USERNAME", "does not take user and password"),
    5: ("MQTT_CONNECTION_REFUSE_NOT_AUTHORIZED", "does not let this client in"),
}
"""Code → name in the gateway's firmware, and what the broker means."""
REASONS: Final = {
    128: "unspecified error",
    129: "malformed packet",
    130: "protocol error",
    131: "implementation specific error",
    135: "not authorized",
    137: "server busy",
    138: "banned",
    139: "server shutting down",
    140: "bad authentication method",
    141: "keep alive timeout",
    142: "another client has the same client id",
    144: "topic name invalid",
    145: "packet identifier in use",
    147: "receive maximum exceeded",
    149: "packet too large",
    150: "message rate too high",
    151: "quota exceeded",
    152: "administrative action",
    153: "payload format invalid",
    154: "retain not supported: set mqtt_disable_retained_messages",
    155: "QoS not supported",
    156: "use another server",
    157: "server moved",
    159: "connection rate exceeded",
    160: "maximum connect time",
}
"""Reason code of MQTT 5 → its name there, and what helps."""
NOT_AUTHORIZED = frozenset({4, 5})
_TAKEN = frozenset({0, 16})
"""Of a PUBACK: success, and nobody has subscribed. All others are refusals, whatever they mean."""


_NEED_A_PERSON = frozenset({1, 2, 138, 140, 154, 155, 156, 157})


class Step(Enum):
    """Where a connection has ended."""

    HERE = "here"
    """Nothing was sent: something is missing on this machine."""
    NAME = "name"
    NEAR = "near"
    """Nothing was sent: a check may not go to where the name leads."""
    CONNECT = "connect"
    TLS = "TLS"
    WEBSOCKET = "WebSocket"
    SILENT = "answer"
    """Connected, and no CONNACK came."""
    CLOSED = "closed"
    """Connected, and the broker has hung up without CONNACK."""
    NO_MQTT = "MQTT"
    """What answers is no broker."""
    REFUSED = "CONNACK"
    LOST = "connection"


class NoConnectionError(Exception):
    """There is no connection, or it has ended. Its text is for people."""

    def __init__(
        self,
        step: Step,
        reason: str,
        *,
        code: int | None = None,
        fix: bool = False,
        by_network: bool = False,
    ) -> None:
        super().__init__(reason)
        self.step = step
        self.code = code
        """Of CONNACK."""
        self.fix = fix
        """A person has to do something about it."""
        self.by_network = by_network
        """It has ended by an error of the network."""

    @property
    def reached(self) -> bool:
        """It is proof that the broker's machine can be reached."""
        return self.step in _REACHED


_REACHED = frozenset(
    {Step.REFUSED, Step.TLS, Step.WEBSOCKET, Step.SILENT, Step.CLOSED, Step.NO_MQTT}
)


def refusal(server: str, code: int) -> NoConnectionError:
    """What a CONNACK says that is no consent."""
    _, what = CONNACK.get(code, ("", f"refuses the connection: {reason(code)}"))
    fix = code in NOT_AUTHORIZED or code in _NEED_A_PERSON
    return NoConnectionError(Step.REFUSED, f"{server} {what} (CONNACK {code})", code=code, fix=fix)


def is_taken(code: int) -> bool:
    """Does the broker take the message? code: of its PUBACK."""
    return code in _TAKEN


def reason(code: int) -> str:
    """The name of a reason code of MQTT 5."""
    return REASONS.get(code, f"reason code {code}")
