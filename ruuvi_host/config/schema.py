"""JSON Schemas of both files, for editors."""

from typing import Any

from ruuvi_host.config.arrays import ARRAYS, Settings
from ruuvi_host.config.example import gateway_meaning
from ruuvi_host.config.gateway_keys import GATEWAY_KEYS, GatewayKey, Kind
from ruuvi_host.config.host_keys import HOST_KEYS
from ruuvi_host.config.keys import HostKey, HostKind
from ruuvi_host.config.sensor_tables import SENSORS
from ruuvi_host.config.sensors import ADDRESS_PATTERN, SensorSettings

Schema = dict[str, Any]

_HOST_TYPES: dict[HostKind, Schema] = {
    HostKind.FLAG: {"type": "boolean"},
    HostKind.WHOLE: {"type": "integer"},
    HostKind.NUMBER: {"type": "number"},
    HostKind.TEXT: {"type": "string"},
    HostKind.PATH: {"type": "string"},
    HostKind.TEXTS: {"type": "array", "items": {"type": "string"}},
}
_HEX = "^0[xX][0-9A-Fa-f]{1,8}$"
_GATEWAY_TYPES: dict[Kind, Schema] = {
    Kind.FLAG: {"type": "boolean"},
    Kind.U16: {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": 65535},
            {"type": "string", "pattern": _HEX},
        ]
    },
    Kind.U32: {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": 0xFFFFFFFF},
            {"type": "string", "pattern": f"^[0-9]{{1,10}}$|{_HEX}"},
        ]
    },
    Kind.SIGNED: {"type": "integer", "minimum": -128, "maximum": 127},
    Kind.TEXT: {"type": "string"},
    Kind.TEXTS: {"type": "array", "items": {"type": "string"}},
}


def host_schema() -> Schema:
    """A JSON Schema of ruuvi-host.toml, for editors."""
    root = _object({})
    for key in HOST_KEYS:
        _add(root, key)
    for array in ARRAYS:
        tables = [_table(settings) for settings in array.kinds.values()]
        items = tables[0] if len(tables) == 1 else {"oneOf": tables}
        root["properties"][array.name] = {"type": "array", "items": items}
    sensor = _object({key.name: _host_member(key) for key in SensorSettings.KEYS})
    root["properties"][SENSORS] = _object({}) | {"patternProperties": {ADDRESS_PATTERN: sensor}}
    root["properties"]["gateway"] = _object(_gateway_members())
    return {"$schema": _DRAFT, "title": "ruuvi-host.toml"} | root


def gateway_schema() -> Schema:
    """A JSON Schema of gw_cfg.json as we take it, for editors."""
    root = _object(_gateway_members()) | {"additionalProperties": True}
    return {"$schema": _DRAFT, "title": "gw_cfg.json"} | root


def _add(table: Schema, key: HostKey) -> None:
    """Put a key where its name says: a.b is key b of table a."""
    *tables, name = key.name.split(".")
    for each in tables:
        table = table["properties"].setdefault(each, _object({}))
    table["properties"][name] = _host_member(key)


def _table(settings: type[Settings]) -> Schema:
    table = _object({})
    for key in settings.KEYS:
        _add(table, key)
    return table | {"required": [key.name for key in settings.KEYS if key.required]}


_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _host_member(key: HostKey) -> Schema:
    member = dict(_HOST_TYPES[key.kind])
    if key.choices:
        of_each = {"enum": list(key.choices)}
        member |= {"items": of_each} if key.kind is HostKind.TEXTS else of_each
    if key.lowest is not None:
        member["minimum"] = key.lowest
    if key.highest is not None:
        member["maximum"] = key.highest
    return member | {"default": key.default, "description": key.meaning}


def _gateway_members() -> Schema:
    return {key.name: _gateway_member(key) for key in GATEWAY_KEYS}


def _gateway_member(key: GatewayKey) -> Schema:
    if key.kind is Kind.OBJECT:
        member = _object({m.name: _gateway_member(m) for m in key.members})
    else:
        member = dict(_GATEWAY_TYPES[key.kind])
    if key.choices:
        member["enum"] = list(key.choices)
    kept = "Means nothing on a Linux host; kept as it is."
    return member | {"default": key.default, "description": gateway_meaning(key) or kept}
