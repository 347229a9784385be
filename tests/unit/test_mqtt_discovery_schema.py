"""Configs have the form that Home Assistant takes, in words of our own: what it would refuse, or
leave out, is refused here. Read from its MQTT integration, version 2026.2.3 (schemas.py, sensor.py,
binary_sensor.py, config.py, and the rules of sensors in components/sensor)."""

import json
from typing import Any

import jsonschema
import pytest

from ruuvi_host.config.derived import DERIVED
from ruuvi_host.formats import FORMATS
from ruuvi_host.relay.mqtt.discovery import Config, Discovery

GATEWAY, SENSOR = bytes.fromhex("AACCEE001122"), bytes.fromhex("F41F0C28CBD6")

TEXT = {"type": "string", "minLength": 1}
TEMPLATE = {"type": "string", "pattern": r"^\{\{ .* \}\}$"}
SUBSCRIBED = {"type": "string", "pattern": "^[^#\0]+$", "maxLength": 65535}
"""A topic, where + is a level of its own."""
OF_BOTH = {
    "unique_id": TEXT,
    "name": {"type": ["string", "null"]},
    "device_class": TEXT,
    "entity_category": {"enum": ["diagnostic"]},
    "enabled_by_default": {"type": "boolean"},
    "expire_after": {"type": "integer", "minimum": 1},
    "state_topic": SUBSCRIBED,
    "value_template": TEMPLATE,
}
OF_SENSOR = {
    "platform": {"const": "sensor"},
    "state_class": {"enum": ["measurement", "total_increasing"]},
    "unit_of_measurement": TEXT,
    "suggested_display_precision": {"type": "integer", "minimum": 0},
    "options": {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
}
COMPONENT = {
    "type": "object",
    "required": ["platform", "unique_id", "name", "value_template"],
    "oneOf": [
        {
            "properties": OF_BOTH | OF_SENSOR,
            "additionalProperties": False,
            # Texts to choose from have neither unit nor statistics, and nothing else has texts.
            "if": {"properties": {"device_class": {"const": "enum"}}, "required": ["device_class"]},
            "then": {
                "required": ["options"],
                "properties": {"state_class": False, "unit_of_measurement": False},
            },
            "else": {"properties": {"options": False}},
        },
        {
            "properties": OF_BOTH | {"platform": {"const": "binary_sensor"}},
            "additionalProperties": False,
        },
    ],
}
SCHEMA = {
    "type": "object",
    "required": ["device", "origin", "components"],
    "additionalProperties": False,
    "properties": {
        "device": {
            "type": "object",
            "required": ["identifiers", "name"],
            "additionalProperties": False,
            "properties": {
                "identifiers": {"type": "array", "items": TEXT, "minItems": 1},
                "connections": {
                    "type": "array",
                    "items": {"type": "array", "items": TEXT, "minItems": 2, "maxItems": 2},
                },
                **{key: TEXT for key in ("name", "manufacturer", "model", "sw_version")},
                "via_device": TEXT,
            },
        },
        "origin": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {"name": TEXT, "sw_version": TEXT},
        },
        "state_topic": SUBSCRIBED,
        "availability": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["topic"],
                "additionalProperties": False,
                "properties": {"topic": SUBSCRIBED, "value_template": TEMPLATE},
            },
        },
        "components": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^[a-zA-Z0-9_-]+$"},
            "additionalProperties": COMPONENT,
        },
    },
}


def document(config: Config) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(config.payload)
    return loaded


def discovery(**settings: Any) -> Discovery:
    prefix = "ruuvi/AA:CC:EE:00:11:22/"
    return Discovery(GATEWAY, prefix, "1.0.0", **settings)


@pytest.mark.parametrize("settings", [{}, {"shared": True}, {"retained": False}, {"interval": 60}])
@pytest.mark.parametrize("data_format", sorted(FORMATS))
def test_configs_of_sensors(data_format: int, settings: dict[str, Any]) -> None:
    said = discovery(decode_all=True, derived=DERIVED, **settings)
    found = document(said.sensor_config(SENSOR, data_format, "Mökki"))
    jsonschema.validate(found, SCHEMA)
    assert "state_topic" in found
    components = found["components"].values()
    assert not [c for c in components if "state_topic" in c]
    assert len({c["unique_id"] for c in components}) == len(components)
    assert len({c["name"] for c in components}) >= len(components) - 1  # two may say "Battery"


def test_the_config_of_the_gateway() -> None:
    found = document(discovery().gateway_config())
    jsonschema.validate(found, SCHEMA)
    assert all("state_topic" in c for c in found["components"].values())


@pytest.mark.parametrize(
    "change",
    [
        {"state_class": "sum"},
        {"unit_of_measurement": ""},
        {"options": ["a"]},
        {"platform": "switch"},
        {"platform": "binary_sensor"},
        {"device_class": "enum"},
        {"expire_after": 0},
        {"surprise": 1},
    ],
)
def test_the_schema_refuses(change: dict[str, Any]) -> None:
    found = document(discovery().sensor_config(SENSOR, 5))
    found["components"]["temperature"] |= change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, SCHEMA)
