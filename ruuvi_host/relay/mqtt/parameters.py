"""Who we are to a broker, and what it says when we are gone: the content of CONNECT. Pure.

Source: ruuvi.gateway_esp.c mqtt.c.
"""

from dataclasses import dataclass, field

from firmware_protocol.messages import address_text
from ruuvi_host.config.mqtt_target import MqttTarget
from ruuvi_host.relay.mqtt.messages import OFFLINE, Message, status_topic

KEEP_ALIVE = 120
"""Seconds."""
OF_A_CHECK = "-check"
"""Behind the client id: with the same one the broker would end the connection of the relay."""


@dataclass(frozen=True, slots=True)
class Connect:
    """What CONNECT says. The session is always a clean one."""

    client_id: str
    user: str | None
    """None: there is neither user nor password."""
    password: str | None = field(repr=False)
    will: Message | None
    """With QoS 1, retained."""


def connect_of(
    target: MqttTarget, gateway: bytes, *, check: bool = False, same_id: bool = False
) -> Connect:
    """gateway: its address. check: only to see whether we may connect; same_id: and whether with
    the very client id, which ends the connection of a host that is running."""
    login = target.login
    client_id = login.client_id or address_text(gateway)
    # A password without a user name is no MQTT 3.1.1: the name is there, and empty.
    user = login.user if login.user or login.password else None
    will = None
    if target.retains and not check:
        will = Message(status_topic(target.prefix, gateway), OFFLINE)
    if check and not same_id:
        client_id += OF_A_CHECK
    return Connect(client_id, user, login.password or None, will)
