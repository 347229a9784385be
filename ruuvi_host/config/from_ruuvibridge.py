"""The configuration of RuuviBridge, which reads gateways and writes into databases, in our keys.

Source of the keys: Scrin/RuuviBridge, config/config.go and what uses it.
"""

import json

from ruuvi_host.config.build import MAX_FILTER_ADDRESSES
from ruuvi_host.config.homeassistant import wrong_with_prefix
from ruuvi_host.config.takeover import (
    EMPTY,
    LOGGING,
    LOGGING_LEFT,
    MQTT,
    SWITCHED_OFF,
    UNKNOWN,
    Section,
    Takeover,
    is_address,
    is_true,
    seconds,
    table_of,
    text_of,
    with_colons,
)
from ruuvi_host.config.targets import MAX_PERIOD

PROGRAM = "RuuviBridge"

SOURCES = ("gateway_polling", "mqtt_listener", "http_listener")
"""Where it takes readings from."""
OWN = (
    *SOURCES,
    *("processing", "influxdb_publisher", "influxdb3_publisher", "prometheus"),
    *("mqtt_publisher", "tag_names"),
)
"""Keys of the first level that ruuvi-go-gateway does not have."""

TARGETS = {"influxdb_publisher": "ruuvibridge", "influxdb3_publisher": "ruuvibridge3"}
"""Section → name of the table [[target]] that it becomes."""
_URL, _BUCKET, _MEASUREMENT = "https://localhost:8086", "ruuvi", "ruuvi_measurements"
"""What it takes for an empty key."""

_OF_TARGETS = {
    "url": "url",
    "auth_token": "token",
    "measurement": "measurement",
    "additional_tags": "tags",
    "minimum_interval": "interval",
}
_OF_TARGET = {
    "influxdb_publisher": {**_OF_TARGETS, "org": "org", "bucket": "bucket"},
    "influxdb3_publisher": {**_OF_TARGETS, "database": "bucket"},
}
_DISCOVERY = ("mqtt.homeassistant.enabled", "mqtt.homeassistant.prefix")
_ALLOWED, _LIST = "scan_filter_allow_listed", "scan_filter_list"

TAKEN: dict[str, tuple[str, ...]] = {
    "processing.filter_mode": (_ALLOWED, _LIST),
    "processing.filter_list": (_LIST,),
    **{
        f"{section}.{theirs}": (f"target.{TARGETS[section]}.{ours}",)
        for section, keys in _OF_TARGET.items()
        for theirs, ours in keys.items()
    },
    "mqtt_publisher.enabled": ("use_mqtt",),
    **{f"mqtt_publisher.{name}": ours for name, ours in MQTT.items()},
    "mqtt_publisher.minimum_interval": ("mqtt_sending_interval",),
    "mqtt_publisher.homeassistant_discovery_prefix": _DISCOVERY,
    "tag_names": ("sensors.ADDRESS.name",),
    **LOGGING,
}
_LWT = "the topic of the status is the prefix with gw_status, its texts are a gateway's"
LEFT = {
    "gateway_polling": "readings come from the coprocessor. RuuviBridge may go on asking, but this "
    "host: set api.listen here, and its address and a key there",
    "mqtt_listener": "readings come from the coprocessor. To feed RuuviBridge go on with its own "
    "source, gateway_polling or http_listener",
    "http_listener": "readings come from the coprocessor. RuuviBridge may go on receiving: set "
    "use_http and http_url to its port",
    "processing.extended_values": "schema ruuvibridge always has the computed values",
    "influxdb_publisher.enabled": "a target that is off is not made",
    "influxdb3_publisher.enabled": "a target that is off is not made",
    "prometheus": "metrics have other names here, and are part of the local API: /metrics; set "
    "api.listen",
    "mqtt_publisher.lwt_topic": _LWT,
    "mqtt_publisher.lwt_online_payload": _LWT,
    "mqtt_publisher.lwt_offline_payload": _LWT,
    **LOGGING_LEFT,
}


def take_over(document: Section) -> Takeover:
    """What is in it. document: of a config.yml."""
    taken = Takeover(PROGRAM)
    for name, value in document.items():
        table = table_of(document, name)
        if name == "debug":
            taken.leave(name, LEFT[name])
        elif name not in OWN and name != "logging":
            taken.leave(name, UNKNOWN)
        elif table is None:
            taken.leave(name, EMPTY if value is None else "is no table there")
        elif name in ("logging", "processing", "tag_names"):
            _OTHERS[name](taken, table, document)
        elif not is_true(table, "enabled", default=True):
            taken.leave_all(name, table, SWITCHED_OFF)
        elif name in TARGETS:
            _take_target(taken, name, table)
        elif name == "mqtt_publisher":
            _take_mqtt(taken, table)
        else:
            taken.leave(name, LEFT[name])
    return taken


def _take_logging(taken: Takeover, table: Section, _: Section) -> None:
    taken.take_log_level(table)
    taken.leave_others("logging", table, LEFT)


def _take_names(taken: Takeover, table: Section, _: Section) -> None:
    for address, name in table.items():
        theirs = f"tag_names.{address}"
        if isinstance(name, str) and name.strip():
            taken.take_name(theirs, address, name)
        else:
            taken.leave(theirs, EMPTY if name is None else "is no text")


def _take_processing(taken: Takeover, table: Section, document: Section) -> None:
    """Which sensors pass: there for all sinks, and here for the whole host."""
    mode = text_of(table, "filter_mode") or "none"
    listed = table.get("filter_list")
    addresses = listed if isinstance(listed, list) else []
    if mode == "named":  # what is none among these is told with the names
        addresses = list(table_of(document, "tag_names") or {})
    good = [with_colons(a) for a in addresses if isinstance(a, str) and is_address(a)]
    ours = {_ALLOWED: "false" if mode == "denylist" else "true", _LIST: ",".join(good)}
    is_taken = False
    if mode in ("allowlist", "denylist", "named"):
        if len(good) > MAX_FILTER_ADDRESSES:
            why = f"has more than {MAX_FILTER_ADDRESSES} addresses, and {_LIST} takes no more"
            taken.leave("processing.filter_mode", why)
        elif good:
            is_taken = taken.take("processing.filter_mode", ours)
        else:
            taken.leave("processing.filter_mode", f"is {mode}, and there is no address for it")
    elif "filter_mode" in table:
        why = "none: all sensors pass here, too" if mode == "none" else "is no mode known there"
        taken.leave("processing.filter_mode", why)
    if "filter_list" in table:
        if is_taken and mode != "named":
            taken.take("processing.filter_list", {_LIST: ours[_LIST]})
            if bad := len(addresses) - len(good):
                taken.leave("processing.filter_list", f"{bad} of it: no address as AABBCCDDEEFF")
        else:
            taken.leave("processing.filter_list", "is not used with that filter_mode")
    taken.leave_others("processing", table, LEFT)


def _take_target(taken: Takeover, section: str, table: Section) -> None:
    """Its client always writes by the path of version 2, which InfluxDB 1.8 has, too."""
    keys: dict[str, dict[str, str]] = {}
    fixed = {"kind": "influxdb", "api": "v2", "schema": "ruuvibridge", "url": _URL}
    fixed |= {"bucket": _BUCKET, "measurement": _MEASUREMENT}
    for theirs, ours in _OF_TARGET[section].items():
        where = f"{section}.{theirs}"
        if theirs not in table:
            continue
        text = text_of(table, theirs)
        if theirs == "additional_tags" and (tags := table_of(table, theirs)):
            text = json.dumps([f"{k}={v}" for k, v in tags.items()], ensure_ascii=False)
        if theirs == "minimum_interval":
            text = _interval(taken, where, text)
        elif not text:
            taken.leave(where, EMPTY)
        if text:
            keys[where] = {ours: text}
    given = {key for of_one in keys.values() for key in of_one}
    fixed = {key: text for key, text in fixed.items() if key not in given}
    taken.take_target(TARGETS[section], fixed, keys)
    taken.leave_others(section, table, LEFT)


def _take_mqtt(taken: Takeover, table: Section) -> None:
    section = "mqtt_publisher"
    if not taken.take_broker(section, table):
        taken.leave_others(section, table, {}, "there is no address that can be used")
        return
    taken.imply({"use_mqtt": "true", "mqtt_data_format": "ruuvi_decoded"})
    if "enabled" in table:
        taken.take(f"{section}.enabled", {"use_mqtt": "true"})
    if "minimum_interval" in table:
        where = f"{section}.minimum_interval"
        if interval := _interval(taken, where, text_of(table, "minimum_interval")):
            taken.take(where, {"mqtt_sending_interval": interval})
    _take_discovery(taken, table, f"{section}.homeassistant_discovery_prefix")
    taken.leave_others(section, table, LEFT)


def _take_discovery(taken: Takeover, table: Section, theirs: str) -> None:
    """Empty: it is off there, too. Its entities are others than ours, so there will be two sets."""
    prefix = text_of(table, "homeassistant_discovery_prefix")
    if "homeassistant_discovery_prefix" not in table:
        return
    if not prefix:
        taken.leave(theirs, EMPTY)
        return
    if why := wrong_with_prefix(prefix):
        taken.leave(theirs, why)
    else:
        taken.take(theirs, dict(zip(_DISCOVERY, ("true", prefix), strict=True)))


def _interval(taken: Takeover, theirs: str, text: str) -> str:
    """In seconds; empty: there is none, as has been told."""
    interval = seconds(text)
    if interval is None or interval > MAX_PERIOD:
        taken.leave(theirs, f"is no time as 30s, of at most {MAX_PERIOD} seconds")
    elif interval == 0:
        taken.leave(theirs, "0: no limit, which is the default of that program")
    return str(interval) if interval and interval <= MAX_PERIOD else ""


_OTHERS = {"logging": _take_logging, "processing": _take_processing, "tag_names": _take_names}
