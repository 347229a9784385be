"""The present values of a configuration with their origin, without its secrets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ruuvi_host.config.addresses import check_url
from ruuvi_host.config.gateway_keys import GATEWAY_KEYS, Kind
from ruuvi_host.config.host_keys import HOST_KEYS
from ruuvi_host.config.sensor_tables import is_of_sensor
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.config.sources import Sources
from ruuvi_host.errors import ConfigError

_ADDRESSES = ("http_url", "http_stat_url", "remote_cfg_url", "http.proxy")
"""May hold user information and a query, which are secrets."""

_LIKE_A_KEY = 12
"""Characters of a part of a path that may be a key, as web hooks have them."""


@dataclass(frozen=True, slots=True)
class Line:
    """One key with its present value."""

    key: str
    value: Any
    """What may be shown of it; for a secret: whether there is one."""
    source: str
    is_secret: bool = False
    is_kept_only: bool = False
    """It means nothing on a Linux host."""


def lines(sources: Sources) -> Iterator[Line]:
    """All keys of both files, the host's own first."""
    host, gateway = sources.host, sources.gateway
    for key in HOST_KEYS:
        value = host[key.name]
        yield _line(key.name, value, host.origins[key.name], key.secret)
    for tables in host.arrays.values():
        for number, table in enumerate(tables.found):
            where = f"{tables.array.name}[{number}]"
            if "name" in table.values:
                where = f"{tables.array.name}.{table.values['name']}"
            for key in tables.keys(table):
                value = table.values.get(key.name, key.default)
                origin = table.origins.get(key.name, "default")
                yield _line(f"{where}.{key.name}", value, origin, key.secret)
    for sensor in host.sensors.found.values():
        for key in SensorSettings.KEYS:
            value = sensor.values.get(key.name, key.default)
            origin = sensor.origins.get(key.name, "default")
            yield _line(f"{sensor.where}.{key.name}", value, origin, key.secret)
    for gateway_key in GATEWAY_KEYS:
        name = gateway_key.name
        line = _line(name, gateway[name], gateway.origins[name], gateway_key.secret)
        if gateway_key.kind is Kind.OBJECT:
            hidden = {m.name for m in gateway_key.members if m.secret}
            value = {k: bool(v) if k in hidden else v for k, v in gateway[name].items()}
            line = Line(name, value, line.source)
        yield Line(line.key, line.value, line.source, line.is_secret, gateway_key.is_kept_only)


def secrets(sources: Sources) -> Iterator[str]:
    """The values that may not be shown, and that are there: to find them in other texts."""
    host, gateway = sources.host, sources.gateway
    shown = [(host[key.name], key.secret) for key in HOST_KEYS]
    for tables in host.arrays.values():
        for table in tables.found:
            shown += [(table.values.get(k.name), k.secret) for k in tables.keys(table)]
            yield from _inside(str(table.values.get("url", "")))
    for sensor in host.sensors.found.values():
        shown += [(sensor.values.get(k.name), k.secret) for k in SensorSettings.KEYS]
    for key in GATEWAY_KEYS:
        shown.append((gateway[key.name], key.secret or key.name == "coordinates"))
        shown += [(gateway[key.name].get(m.name), m.secret) for m in key.members]
    yield from (value for value, is_secret in shown if is_secret and isinstance(value, str))
    for name in _ADDRESSES:
        address = host[name] if name in host.values else gateway[name]
        yield from _inside(address)


def sensor_names(shown: Iterable[Line]) -> Iterator[str]:
    """What people call their sensors: of lines as from `lines`."""
    for line in shown:
        if is_of_sensor(line.key) and line.key.endswith(".name") and line.value:
            yield str(line.value)


def _inside(address: str) -> Iterator[str]:
    """Password and query of an address, and long parts of its path, as they stand there."""
    behind = address.partition("://")[2] or address
    server, _, rest = behind.partition("/")
    yield server.rpartition("@")[0].partition(":")[2]
    path, _, query = rest.partition("?")
    yield query
    yield from (part.partition("=")[2] for part in query.split("&"))
    yield from (part for part in path.split("/") if len(part) >= _LIKE_A_KEY)


def _line(name: str, value: Any, source: str, secret: bool) -> Line:
    if name in _ADDRESSES or name.endswith(".url"):
        return Line(name, _public(value), source)
    return Line(name, bool(value) if secret else value, source, secret)


def _public(address: str) -> str:
    """An address without user information and query."""
    if not address:
        return ""
    try:
        parts = urlsplit(check_url("", address))
    except ConfigError:  # perhaps a / in a password: the parts are not known
        return "(cannot be used)"
    user = "…@" if "@" in parts.netloc else ""
    netloc = user + parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=netloc, query="…" if parts.query else "", fragment="").geturl()
