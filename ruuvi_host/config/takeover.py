"""What is taken over from another program's configuration: our keys, and why others are not."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any
from urllib.parse import urlsplit

from ruuvi_host.config.arrays import ARRAYS, Tables
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import BY_NAME
from ruuvi_host.config.gateway_values import from_text
from ruuvi_host.config.problems import Problems
from ruuvi_host.config.sensor_tables import SENSORS, SensorTables
from ruuvi_host.config.sensors import ADDRESS_PATTERN
from ruuvi_host.config.yaml_text import Yaml
from ruuvi_host.logs import printable

Section = Mapping[str, Yaml]

EMPTY = "is empty there"
UNKNOWN = "is no key of that program that is known here"
SWITCHED_OFF = "is switched off there"

LOG_LEVELS = {
    "trace": "debug",
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
    "fatal": "error",
    "panic": "error",
}
"""Theirs → ours; both programs have the same."""

LOGGING = {"logging.level": ("log.level",)}
LOGGING_LEFT = {
    "logging.type": "see log.format: lines for people, or JSON",
    "logging.timestamps": "under systemd the journal adds them; elsewhere lines have their time",
    "logging.with_caller": "there is nothing like it",
    "debug": "see log.level",
}

MQTT = {
    "broker_url": ("mqtt_transport", "mqtt_server", "mqtt_port"),
    "broker_address": ("mqtt_server",),
    "broker_port": ("mqtt_port",),
    "client_id": ("mqtt_client_id",),
    "username": ("mqtt_user",),
    "password": ("mqtt_pass",),
    "topic_prefix": ("mqtt_prefix",),
}
"""Of a broker that is published to, in both programs."""

_TRANSPORTS = {
    "tcp": ("TCP", 1883),
    "mqtt": ("TCP", 1883),
    "ssl": ("SSL", 8883),
    "tls": ("SSL", 8883),
    "mqtts": ("SSL", 8883),
    "tcps": ("SSL", 8883),
    "ws": ("WS", 80),
    "wss": ("WSS", 443),
}
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{0,9})?(?:h|ms|m|s|us|µs|ns))+")
_PART = re.compile(r"([0-9.]+)(h|ms|m|s|us|µs|ns)")


@dataclass(slots=True)
class Takeover:
    """What has been found so far. Values are in `pairs` alone, and are never shown."""

    program: str
    pairs: dict[str, str] = field(default_factory=dict)
    """Our keys, as `config set` takes them."""
    taken: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """Their key → ours."""
    left: list[tuple[str, str]] = field(default_factory=list)
    """Their key, and why it has nothing to become."""
    _sensors: SensorTables = field(default_factory=SensorTables)

    def take(self, theirs: str, ours: Mapping[str, str]) -> bool:
        """Take keys of a gateway, or log.level; if one of them cannot be used, none."""
        if why := _why_not({**self.pairs, **ours}, ours):
            self.leave(theirs, why)
            return False
        self.pairs |= ours
        self.taken.append((theirs, tuple(ours)))
        return True

    def imply(self, ours: Mapping[str, str]) -> None:
        """Take keys that nothing there says, but that make the same of ours."""
        self.pairs |= ours

    def leave(self, theirs: str, why: str) -> None:
        self.left.append((printable(theirs, 80), why))

    def is_told(self, theirs: str) -> bool:
        return any(key == printable(theirs, 80) for key, _ in (*self.taken, *self.left))

    def leave_others(
        self, section: str, table: Section, reasons: Mapping[str, str], otherwise: str = UNKNOWN
    ) -> None:
        """Those of a section that nothing has been told of. reasons: by their whole name."""
        for name in table:
            if not self.is_told(where := f"{section}.{name}"):
                self.leave(where, reasons.get(where, otherwise))

    def leave_all(self, section: str, table: Section, why: str) -> None:
        for name in table:
            self.leave(f"{section}.{name}", why)

    def take_target(
        self, name: str, fixed: Mapping[str, str], keys: Mapping[str, Mapping[str, str]]
    ) -> None:
        """A table [[target]]. fixed: what nothing there says; keys: their key → keys of the table.
        One that cannot be used is left as a whole."""
        [array] = (a for a in ARRAYS if a.name == "target")
        tables, problems = Tables(array), Problems()
        values = {key: text for of_one in (fixed, *keys.values()) for key, text in of_one.items()}
        for key, text in values.items():
            tables.set(name, key, text, problems)
        if (table := tables.table(name)) is not None and not problems.found:
            tables.make(table, problems)
        for problem in problems.found[:1]:
            for theirs in keys:
                self.leave(theirs, f"no target: {problem.key.rpartition('.')[2]} {problem.why}")
            return
        self.pairs |= {f"target.{name}.{key}": text for key, text in values.items()}
        for theirs, ours in keys.items():
            self.taken.append((theirs, tuple(f"target.{name}.{key}" for key in ours)))

    def take_name(self, theirs: str, address: str, name: str) -> None:
        """The name of a sensor. address: with or without colons."""
        problems = Problems()
        where = with_colons(address)
        key = f"{SENSORS}.{where}.name"
        if self._sensors.set(key, name, problems) is not None and not problems.found:
            self._sensors.make(where, problems)
        for problem in problems.found[:1]:
            self.leave(theirs, problem.why)
            self._sensors.found.pop(where, None)
            return
        self.pairs[key] = name
        self.taken.append((theirs, (key,)))

    def take_log_level(self, table: Section) -> None:
        level = table.get("level")
        if isinstance(level, str) and level in LOG_LEVELS:
            self.take("logging.level", {"log.level": LOG_LEVELS[level]})
        elif "level" in table:
            self.leave("logging.level", "is no level that is known there")

    def take_broker(self, section: str, table: Section) -> bool:
        """A broker that is published to. False: there is none that can be used."""
        url, where = text_of(table, "broker_url"), f"{section}.broker_url"
        found = True
        if url:
            found = self._take_broker_url(where, url)
            for old in ("broker_address", "broker_port"):
                if old in table:
                    self.leave(f"{section}.{old}", "does not count beside broker_url")
        else:
            if "broker_url" in table:
                self.leave(where, EMPTY)
            server = {"mqtt_server": text_of(table, "broker_address") or "localhost"}
            where = f"{section}.broker_address"
            if "broker_address" in table:
                found = self.take(where, server)
            else:
                self.imply(server)
            if "broker_port" in table:
                port = text_of(table, "broker_port")
                self.take(f"{section}.broker_port", {"mqtt_port": "1883" if port == "0" else port})
        if not found:
            return False
        for theirs, [ours] in ((k, v) for k, v in MQTT.items() if not k.startswith("broker")):
            if theirs in table:
                text = text_of(table, theirs)
                if theirs == "topic_prefix":  # there a slash stands between it and the address
                    text += "/"
                if text:
                    self.take(f"{section}.{theirs}", {ours: text})
                else:
                    self.leave(f"{section}.{theirs}", EMPTY)
        return True

    def _take_broker_url(self, theirs: str, url: str) -> bool:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:  # its text may hold a password
            self.leave(theirs, "its host or port is malformed")
            return False
        if parts.scheme not in _TRANSPORTS or not parts.hostname:
            self.leave(theirs, "is no address as tcp://host:1883 (tcp, ssl, ws or wss)")
            return False
        if "@" in parts.netloc:
            self.leave(theirs, "has a user in it, who has keys of his own: username, password")
            return False
        transport, usual = _TRANSPORTS[parts.scheme]
        ours = {
            "mqtt_transport": transport,
            "mqtt_server": parts.hostname,
            "mqtt_port": str(port or usual),
        }
        if transport in ("WS", "WSS") and parts.path:
            ours["mqtt.websocket_path"] = parts.path
        return self.take(theirs, ours)


def text_of(table: Section, name: str) -> str:
    """Its text; empty: it has none."""
    value = table.get(name)
    return value if isinstance(value, str) else ""


def table_of(document: Section, name: str) -> Section | None:
    """The table of that name; None: there is none."""
    value = document.get(name)
    return value if isinstance(value, dict) else None


def is_true(table: Section, name: str, *, default: bool) -> bool:
    text = text_of(table, name).lower()
    return text in ("true", "yes", "on", "y") if text else default


def seconds(text: str) -> int | None:
    """A time as Go writes it, 1m30s, in whole seconds, rounded up; None: it is none."""
    if text == "0":
        return 0
    if not _DURATION.fullmatch(text):
        return None
    return ceil(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)))


def is_address(text: str) -> bool:
    """With or without colons."""
    return re.fullmatch(ADDRESS_PATTERN, with_colons(text)) is not None


def with_colons(address: str) -> str:
    """AABBCCDDEEFF as AA:BB:CC:DD:EE:FF; everything else as it is, in capitals."""
    if re.fullmatch(r"[0-9A-Fa-f]{12}", address):
        address = ":".join(re.findall("..", address))
    return address.upper()


def _why_not(all_keys: Mapping[str, str], names: Iterable[str]) -> str:
    """Why one of these keys of a gateway cannot be used, as the others are; empty: all can."""
    gateway, problems = GatewayConfig(), Problems()
    # Keys of a server count only with one that is on.
    given: dict[str, Any] = {"use_http": True, "http_url": "http://localhost/"}
    given |= {k: from_text(BY_NAME[k], text) for k, text in all_keys.items() if k in BY_NAME}
    gateway.update(given | {"use_http": True}, problems, own=True)
    found = (p for p in problems.found if p.key in names)
    return next((f"{p.key} {p.why}" for p in found), "")
