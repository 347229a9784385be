"""The configuration of ruuvi-go-gateway, a gateway for a Bluetooth adapter, in our keys.

Source of the keys: Scrin/ruuvi-go-gateway, config/config.go and sender/*.go.
"""

from ruuvi_host.config.addresses import check_url, split_user
from ruuvi_host.config.takeover import (
    EMPTY,
    LOGGING,
    LOGGING_LEFT,
    MQTT,
    SWITCHED_OFF,
    UNKNOWN,
    Section,
    Takeover,
    is_true,
    seconds,
    table_of,
    text_of,
)
from ruuvi_host.config.targets import MAX_PERIOD
from ruuvi_host.errors import ConfigError

PROGRAM = "ruuvi-go-gateway"

OWN = ("gw_mac", "all_advertisements", "hci_index", "mqtt", "http")
"""Keys of the first level that RuuviBridge does not have."""

TAKEN: dict[str, tuple[str, ...]] = {
    "all_advertisements": ("company_use_filtering",),
    "http.enabled": ("use_http",),
    "http.url": ("http_url",),
    "http.interval": ("http_period",),
    "http.username": ("http_auth", "http_user"),
    "http.password": ("http_pass",),
    "mqtt.enabled": ("use_mqtt",),
    **{f"mqtt.{name}": ours for name, ours in MQTT.items()},
    **LOGGING,
}
LEFT = {
    "gw_mac": "the address of the gateway is that of its coprocessor",
    "hci_index": "the coprocessor is found by its port: set coprocessor.port",
    **LOGGING_LEFT,
}


def take_over(document: Section) -> Takeover:
    """What is in it. document: of a config.yml."""
    taken = Takeover(PROGRAM)
    for name in document:
        table = table_of(document, name)
        if name == "all_advertisements":
            passes = is_true(document, name, default=False)
            taken.take(name, {"company_use_filtering": "false" if passes else "true"})
        elif name in LEFT:
            taken.leave(name, LEFT[name])
        elif name in ("http", "mqtt", "logging") and table is None:
            taken.leave(name, EMPTY)
        elif table is not None and name in ("http", "mqtt"):
            _take_section(taken, name, table)
        elif table is not None and name == "logging":
            taken.take_log_level(table)
            taken.leave_others(name, table, LEFT)
        else:
            taken.leave(name, UNKNOWN)
    return taken


def _take_section(taken: Takeover, name: str, table: Section) -> None:
    if not is_true(table, "enabled", default=True):
        taken.leave_all(name, table, SWITCHED_OFF)
        return
    if name == "http":
        is_there = _take_http(taken, table)
    elif is_there := taken.take_broker(name, table):
        taken.imply({"mqtt_data_format": "ruuvi_raw"})
    on = {f"use_{name}": "true"}
    if not is_there:
        taken.leave_others(name, table, {}, "there is no address that can be used")
        return
    if "enabled" in table:
        taken.take(f"{name}.enabled", on)
    else:
        taken.imply(on)
    taken.leave_others(name, table, LEFT)


def _take_http(taken: Takeover, table: Section) -> bool:
    """False: there is no server that can be used."""
    if not text_of(table, "url"):
        if "url" in table:
            taken.leave("http.url", EMPTY)
        return False
    try:
        url, _ = split_user(check_url("http_url", text_of(table, "url")))
    except ConfigError as error:
        taken.leave("http.url", error.problem)
        return False
    if url != text_of(table, "url"):
        taken.leave("http.url", "has a user in it, who has keys of his own: username, password")
        return False
    if not taken.take("http.url", {"http_url": url}):
        return False
    taken.imply({"http_data_format": "ruuvi", "http_auth": "none"})
    if "interval" in table:
        interval = seconds(text_of(table, "interval"))
        if interval is None or not 1 <= interval <= MAX_PERIOD:
            taken.leave("http.interval", f"is no time as 10s, of 1 to {MAX_PERIOD} seconds")
        else:
            taken.take("http.interval", {"http_period": str(interval)})
    user, password = text_of(table, "username"), text_of(table, "password")
    if user:
        ours = {"http_auth": "basic", "http_user": user}
        if taken.take("http.username", ours) and password:
            taken.take("http.password", {"http_pass": password})
    for name in ("username", "password"):
        if name in table and not taken.is_told(f"http.{name}"):
            taken.leave(f"http.{name}", "is not used without username and password")
    return True
