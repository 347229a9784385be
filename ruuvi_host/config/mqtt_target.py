"""A target of kind "mqtt": a broker, and what it is told."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from ruuvi_host.config.broker_options import BrokerOptions, at_odds, option_keys
from ruuvi_host.config.homeassistant import Extras, extra_keys, in_the_way
from ruuvi_host.config.keys import HostKey, choice, flag, path, text, whole
from ruuvi_host.config.target_parts import (
    MAX_PERIOD,
    DataFormat,
    TlsFiles,
    checked_name,
    first_keys,
)
from ruuvi_host.errors import ConfigError

VERSIONS = ("3.1.1", "5")
"""Of MQTT."""


class Transport(Enum):
    """How MQTT is carried. The values are those of `mqtt_transport`."""

    TCP = "TCP"
    SSL = "SSL"
    WS = "WS"
    WSS = "WSS"

    @property
    def is_tls(self) -> bool:
        return self in (Transport.SSL, Transport.WSS)

    @property
    def is_websocket(self) -> bool:
        return self in (Transport.WS, Transport.WSS)


class Backlog(Enum):
    """What is sent of the time in which a broker was away."""

    NEWEST = "newest"
    """The newest message of each sensor."""
    ALL = "all"
    """Every message, in order."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where an MQTT broker is, and how it is reached."""

    server: str
    """A host name or an IP address."""
    port: int = 1883
    transport: Transport = Transport.TCP
    tls: TlsFiles = field(default_factory=TlsFiles)
    """For SSL and WSS."""
    websocket_path: str = "/"
    """For WS and WSS."""
    version: str = "3.1.1"
    """Of MQTT. 5: and 3.1.1 with a broker that does not know it."""


@dataclass(frozen=True, slots=True)
class MqttLogin:
    """Who we are to a broker."""

    client_id: str = ""
    """Empty: the gateway's address."""
    user: str = ""
    password: str = field(default="", repr=False)


MQTT_FORMATS = {
    "ruuvi_raw": DataFormat.RAW,
    "ruuvi_raw_and_decoded": DataFormat.RAW_AND_DECODED,
    "ruuvi_decoded": DataFormat.DECODED,
}
"""The values of `mqtt_data_format`, the first one being the default."""
DRAIN_RATE = 200
"""Messages a second."""
MOST_A_SECOND = 10_000


@dataclass(frozen=True, slots=True)
class MqttTarget:
    """An MQTT broker that gets a message for each sensor."""

    KIND: ClassVar[str] = "mqtt"
    KEYS: ClassVar[tuple[HostKey, ...]] = (
        *first_keys(KIND),
        text("server", "", "Host name or IP address of the broker.", required="broker.example"),
        whole("port", 1883, "Its port; 1883 is usual for TCP, 8883 for SSL.", 1, 65535),
        choice("transport", ("TCP", "SSL", "WS", "WSS"), "As `mqtt_transport`."),
        choice("data_format", tuple(MQTT_FORMATS), "As `mqtt_data_format`."),
        whole(
            "sending_interval",
            0,
            "Seconds between two rounds of messages; 0: each change at once.",
            0,
            MAX_PERIOD,
        ),
        text(
            "prefix",
            "",
            "What stands before the address of a sensor in its topic; by default ruuvi/ADDRESS OF "
            "THE GATEWAY/.",
        ),
        text("client_id", "", "By default the address of the gateway."),
        text("user", "", "User name; empty: none is sent."),
        text("pass", "", "Password; empty: none is sent.", secret=True),
        flag(
            "disable_retained_messages",
            False,
            "The state is not retained, and there is no will: for brokers that refuse that.",
        ),
        path("srv_cert", "", "PEM; trust only these certificates. By default the system's."),
        path("cli_cert", "", "PEM; the client certificate."),
        path("cli_key", "", "PEM; its key."),
        text("client_key_password", "", "Password of an encrypted `cli_key`.", secret=True),
        text("websocket_path", "/", "Path for WS and WSS."),
        choice("version", VERSIONS, "Of MQTT; with 5, a broker that only knows 3.1.1 gets that."),
        whole("qos", 1, "1: the broker confirms each message. 0: as a gateway sends.", 0, 1),
        choice(
            "backlog",
            ("newest", "all"),
            "What is sent of the time in which the broker was away: the newest message of each "
            "sensor, or every message.",
        ),
        whole(
            "drain_rate",
            DRAIN_RATE,
            "Messages a second, beyond those that come in meanwhile, when the broker is back.",
            1,
            MOST_A_SECOND,
        ),
        *option_keys(),
        *extra_keys(),
    )

    name: str
    broker: Broker
    login: MqttLogin = MqttLogin()
    prefix: str = ""
    """Of the topics; empty: ruuvi/ADDRESS OF THE GATEWAY/."""
    data_format: DataFormat = DataFormat.RAW
    period: int = 0
    """Seconds, 0..3600; 0: each change is sent at once."""
    retains: bool = True
    """The state is retained, and there is a will."""
    qos: int = 1
    backlog: Backlog = Backlog.NEWEST
    drain_rate: int = DRAIN_RATE
    extras: Extras = field(default_factory=Extras)
    options: BrokerOptions = field(default_factory=BrokerOptions)

    @classmethod
    def from_table(cls, values: Mapping[str, Any]) -> "MqttTarget":
        """What a table of those keys comes down to. Raises ConfigError naming the key."""
        given = {key.name: values.get(key.name, key.default) for key in cls.KEYS}
        for key, whose in (("cli_cert", "cli_key"), ("cli_key", "cli_cert")):
            if given[key] and not given[whose]:
                raise ConfigError(whose, f"is missing: {key} needs it")
        tls = TlsFiles(
            given["cli_cert"] or None,
            given["cli_key"] or None,
            given["client_key_password"] or None,
            given["srv_cert"] or None,
        )
        target = cls(
            checked_name(given["name"]),
            Broker(
                *(given["server"], given["port"], Transport(given["transport"]), tls),
                websocket_path=given["websocket_path"],
                version=given["version"],
            ),
            MqttLogin(given["client_id"], given["user"], given["pass"]),
            given["prefix"],
            MQTT_FORMATS[given["data_format"]],
            given["sending_interval"],
            retains=not given["disable_retained_messages"],
            qos=given["qos"],
            backlog=Backlog(given["backlog"]),
            drain_rate=given["drain_rate"],
            extras=Extras.from_keys(given.__getitem__),
            options=BrokerOptions.from_keys(given.__getitem__),
        )
        problems = in_the_way(target.prefix, target.data_format, target.extras)
        for key, why in [*mqtt_problems(target), *target.at_odds, *problems]:
            raise ConfigError(key, why)
        return target

    @property
    def at_odds(self) -> list[tuple[str, str]]:
        """Of the options, what cannot be had with the other settings."""
        is_5 = self.broker.version == "5"
        return [*at_odds(self.options, self.prefix, is_5=is_5, retains=self.retains)]

    @property
    def address(self) -> str:
        """URL of the receiver; empty: the data stays on this machine."""
        scheme = {"TCP": "mqtt", "SSL": "mqtts", "WS": "mqttws", "WSS": "mqttwss"}
        server = f"[{self.broker.server}]" if ":" in self.broker.server else self.broker.server
        return f"{scheme[self.broker.transport.value]}://{server}:{self.broker.port}"


_LONGEST_MQTT = {"server": 255, "prefix": 256, "client_id": 50, "user": 128, "pass": 256}
"""Bytes, as on the gateway."""


def mqtt_problems(target: MqttTarget) -> Iterator[tuple[str, str]]:
    """What no broker can be told: the key, without its prefix, and why."""
    login = target.login
    texts = {
        "server": target.broker.server,
        "prefix": target.prefix,
        "client_id": login.client_id,
        "user": login.user,
        "pass": login.password,
        "websocket_path": target.broker.websocket_path,
    }
    for key, value in texts.items():
        if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
            yield key, "has a character that MQTT does not allow"
        elif len(value.encode()) > _LONGEST_MQTT.get(key, 255):
            yield key, f"is longer than {_LONGEST_MQTT.get(key, 255)} bytes"
    if not target.broker.server:
        yield "server", "is empty: there is no broker to connect to"
    elif not _SERVER.fullmatch(target.broker.server):
        yield "server", "must be a host name or an IP address, without mqtt://, port and path"
    if not 1 <= target.broker.port <= 65535:
        yield "port", "must be a number from 1 to 65535"
    if any(c in target.prefix for c in "+#"):
        yield "prefix", "must not have + or # in it: brokers end the connection at such a topic"
    if not _PATH.fullmatch(target.broker.websocket_path):
        yield "websocket_path", "must begin with / and have no white space"


_SERVER = re.compile(r"[^\s/@?#\[\]:]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")
_PATH = re.compile(r"/[!-~]*")
