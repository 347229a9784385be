"""The broker of a gateway's configuration: keys mqtt_* and [mqtt], and what is wrong with them."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import ip_address

from ruuvi_host.config.broker_options import BrokerOptions
from ruuvi_host.config.gateway_config import SHORTEST_POLITE_PERIOD, GatewayConfig
from ruuvi_host.config.homeassistant import Extras, in_the_way
from ruuvi_host.config.host_values import HostValues
from ruuvi_host.config.mqtt_target import (
    MQTT_FORMATS,
    Backlog,
    Broker,
    MqttLogin,
    MqttTarget,
    Transport,
    mqtt_problems,
)
from ruuvi_host.config.problems import Problems, Severity
from ruuvi_host.config.target_parts import MAX_PERIOD, MQTT, TlsFiles

_WITHOUT_TIMES = "all: with ntp_use false nobody could tell late messages from new ones"
_AT_HOME = (".local", ".lan", ".home", ".internal", ".home.arpa", ".localhost", ".fritz.box")
"""Ends of names that no public server has."""


def gateway_target(
    gateway: GatewayConfig,
    host: HostValues,
    problems: Problems,
    tls: Callable[[], TlsFiles],
    fault: Callable[[str, str], None],
) -> MqttTarget | None:
    """What the keys of a gateway come down to. None: it cannot work, which `fault` was told: the
    key, and why.

    tls: the files of certificates, as the keys want them.
    """
    transport = Transport(gateway["mqtt_transport"])
    target = MqttTarget(
        MQTT,
        Broker(
            *(gateway["mqtt_server"], gateway["mqtt_port"], transport),
            tls() if transport.is_tls else TlsFiles(),
            host["mqtt.websocket_path"],
            host["mqtt.version"],
        ),
        MqttLogin(gateway["mqtt_client_id"], gateway["mqtt_user"], gateway["mqtt_pass"]),
        gateway["mqtt_prefix"],
        MQTT_FORMATS[gateway["mqtt_data_format"]],
        _period(gateway, problems),
        retains=not gateway["mqtt_disable_retained_messages"],
        qos=host["mqtt.qos"],
        backlog=_backlog(gateway, host, problems),
        drain_rate=host["mqtt.drain_rate"],
        extras=Extras.from_keys(lambda key: host[f"mqtt.{key}"]),
        options=BrokerOptions.from_keys(lambda key: host[f"mqtt.{key}"]),
    )
    works = True
    for key, why in mqtt_problems(target):
        works = False
        if key == "websocket_path":
            origin = host.origins["mqtt.websocket_path"]
            problems.add(f"mqtt.{key}", why, severity=Severity.ERROR, source=origin)
        else:
            fault(f"mqtt_{key}", why)
    if not works:
        return None
    for key, why, instead in notes(target):
        problems.add(f"mqtt_{key}", why, instead, source=gateway.origins.get(f"mqtt_{key}", ""))
    return replace(
        target,
        extras=_possible(target, host, problems),
        options=_together(target, host, problems),
    )


def look_at_unused(gateway: GatewayConfig, host: HostValues, problems: Problems) -> None:
    """What is set for a gateway's broker, and there is none."""
    key = "mqtt.homeassistant.enabled"
    if host[key] and not gateway["use_mqtt"]:
        why = "use_mqtt is off, so there is no broker by which it could be told"
        problems.add(key, why, source=host.origins[key])


def look_at_discovery(targets: Iterable[object], problems: Problems) -> None:
    """Two that tell the same Home Assistant of the same sensors would take turns."""
    known: dict[tuple[str, int, str], str] = {}
    for target in targets:
        if isinstance(target, MqttTarget) and (told := target.extras.homeassistant):
            broker = target.broker
            first = known.setdefault((broker.server, broker.port, told.prefix), target.name)
            if first != target.name:
                where = f"target.{target.name}.homeassistant.enabled"
                why = f"the target {first} tells the same Home Assistant, and the last one counts"
                problems.add(where, why, "switch it off for one of them", source="")


def look_at_shared_brokers(targets: Iterable[object], problems: Problems) -> None:
    """Two at one broker that take each other's place there."""
    ids: dict[tuple[str, int, str], str] = {}
    prefixes: dict[tuple[str, int, str], str] = {}
    for target in targets:
        if not isinstance(target, MqttTarget):
            continue
        at = (target.broker.server.lower(), target.broker.port)
        where, login = f"target.{target.name}", target.login
        if (first := ids.setdefault((*at, login.client_id), target.name)) != target.name:
            why = f"is that of the target {first} at the same broker, which lets one of them in"
            problems.add(f"{where}.client_id", why, "give each one of its own", source="")
        if (first := prefixes.setdefault((*at, target.prefix), target.name)) != target.name:
            why = f"is that of the target {first} at the same broker: each message comes twice"
            problems.add(f"{where}.prefix", why, "give each one of its own", source="")


def _possible(target: MqttTarget, host: HostValues, problems: Problems) -> Extras:
    """What can be had of it. A gateway's file may change, and must not keep the host from
    running."""
    extras = target.extras
    for key, why in in_the_way(target.prefix, target.data_format, extras, named="mqtt_"):
        name = f"mqtt.{key}"
        origin = host.origins[name]
        problems.add(name, why, "it is off", severity=Severity.FAULT, source=origin)
        extras = extras.without(key)
    return extras


def _together(target: MqttTarget, host: HostValues, problems: Problems) -> BrokerOptions:
    """The same of options."""
    options = target.options
    for key, why in target.at_odds:
        name = f"mqtt.{key}"
        problems.add(name, why, "it is off", severity=Severity.FAULT, source=host.origins[name])
        options = options.without(key)
    return options


def looked_at(target: MqttTarget, problems: Problems, *, timed: bool) -> MqttTarget:
    """A broker of [[target]], as far as it can be had so. timed: reports have times."""
    where = f"target.{target.name}"
    for key, why, instead in notes(target):
        problems.add(f"{where}.{key}", why, instead)
    if target.backlog is Backlog.ALL and not timed:
        problems.add(f"{where}.backlog", _WITHOUT_TIMES, "taking newest")
        return replace(target, backlog=Backlog.NEWEST)
    return target


def notes(target: MqttTarget) -> list[tuple[str, str, str]]:
    """What may not be meant: key without prefix, why, and what to do."""
    found = []
    if target.prefix and not target.prefix.endswith("/"):
        why = f"does not end in /: topics are {target.prefix}AA:BB:CC:DD:EE:FF"
        found.append(("prefix", why, "put a / behind it if that is not meant"))
    plain = target.login.password and not target.broker.transport.is_tls
    if plain and not is_private(target.broker.server):
        why = "is sent without TLS over a network that others may listen to"
        found.append(("pass", why, "use transport SSL or WSS"))
    return found


def is_private(server: str) -> bool:
    """Is it this machine, or one of a private network, as far as its name tells?"""
    try:
        address = ip_address(server.partition("%")[0])
    except ValueError:
        name = server.lower().rstrip(".")
        return "." not in name or name.endswith(_AT_HOME)
    return address.is_private or address.is_loopback or address.is_link_local


def _period(gateway: GatewayConfig, problems: Problems) -> int:
    key = "mqtt_sending_interval"
    period: int = gateway[key]
    origin = gateway.origins[key]
    if period > MAX_PERIOD:
        why = f"longer than {MAX_PERIOD} s"
        problems.add(key, why, f"taking {MAX_PERIOD}", value=period, source=origin)
        return MAX_PERIOD
    if 0 < period < SHORTEST_POLITE_PERIOD:
        why = f"shorter than the {SHORTEST_POLITE_PERIOD} s a gateway offers"
        problems.add(key, why, "taken", value=period, source=origin)
    return period


def _backlog(gateway: GatewayConfig, host: HostValues, problems: Problems) -> Backlog:
    backlog = Backlog(host["mqtt.backlog"])
    if backlog is Backlog.ALL and not gateway["ntp_use"]:
        origin = host.origins["mqtt.backlog"]
        problems.add("mqtt.backlog", _WITHOUT_TIMES, "taking newest", source=origin)
        return Backlog.NEWEST
    return backlog
