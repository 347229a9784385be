"""Discovery by Home Assistant: the configs of our gateway and of sensors, topics and texts. Pure.

A config says where the values of one device come from and what they are. The same sensor is the
same device, whichever host it comes from: nothing in its ids is ours.

Source: Home Assistant, MQTT, device discovery payload (tried with version 2026.2.3).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from firmware_protocol.messages import address_text
from ruuvi_host.config.homeassistant import PREFIX
from ruuvi_host.relay.mqtt.entities import BINARY_SENSOR, Model
from ruuvi_host.relay.mqtt.own_entities import model_of

QOS = 1

_PRODUCT = "ruuvi-host"
_SENSOR_MAKER = "Ruuvi Innovations Ltd"
_SHORTEST_EXPIRY = 180
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Config:
    """What is published, with QoS, so that Home Assistant knows a device; or no longer does."""

    topic: str
    payload: bytes
    """Empty: the device is removed."""
    retained: bool


@dataclass(frozen=True, slots=True)
class Discovery:
    """All that the texts of one target depend on, besides the sensor."""

    gateway: bytes
    """Its address."""
    topic_prefix: str
    """What the topics of messages begin with."""
    version: str
    """Of the host."""
    interval: int = 0
    """Seconds between two messages of a sensor; 0: as they come."""
    prefix: str = PREFIX
    shared: bool = False
    """Several hosts hear the same sensors: what is said of a sensor is the same from each."""
    retained: bool = True
    decode_all: bool = False
    """Messages have the values of all data formats."""
    derived: tuple[str, ...] = ()
    """Values that are computed and added to messages."""

    def model(self, data_format: int) -> Model | None:
        """What sends a data format; None: its messages say nothing that could be shown."""
        return model_of(data_format, decode_all=self.decode_all, derived=self.derived)

    # --- configs

    def gateway_config(self) -> Config:
        """Ours. It goes out before those of sensors, which name it."""
        identifier = f"ruuvi_gateway_{_digits(self.gateway)}"
        document = {
            "device": {
                "identifiers": [identifier],
                "connections": [["bluetooth", address_text(self.gateway)]],
                "name": f"Ruuvi Gateway {_digits(self.gateway)[-4:]}",
                "manufacturer": _PRODUCT,
                "model": _PRODUCT,
                "sw_version": self.version,
            },
            "origin": self._origin,
            "components": {
                "status": {
                    "platform": BINARY_SENSOR,
                    "unique_id": f"{identifier}_status",
                    "name": "Status",
                    "device_class": "connectivity",
                    "entity_category": "diagnostic",
                    "state_topic": self._status_topic,
                    "value_template": "{{ 'ON' if value_json.state == 'online' else 'OFF' }}",
                }
            },
        }
        return self._config(None, _compact(document))

    def sensor_config(
        self, address: bytes, data_format: int, name: str = "", others: Iterable[int] = ()
    ) -> Config:
        """Of one sensor. data_format: one that has a model. name: as a person has given it; empty:
        none. others: data formats that it sends in turn with this one.

        Raises KeyError for a format without a model.
        """
        models = [self.model(each) for each in (data_format, *others)]
        model, digits = models[0], _digits(address)
        if model is None:
            raise KeyError(data_format)
        entities = {e.component: e for each in models if each for e in each.entities}
        expire_after = max(_SHORTEST_EXPIRY, 3 * self.interval)
        document: dict[str, object] = {
            "device": {
                "identifiers": [f"ruuvi_{digits}"],
                "connections": [["bluetooth", address_text(address)]],
                "name": name or f"Ruuvi {digits[-4:]}",
                "manufacturer": _SENSOR_MAKER,
                "model": model.name,
            },
            "origin": self._origin,
            "state_topic": self._state_prefix + address_text(address),
            "availability": [
                {"topic": self._status_topic, "value_template": "{{ value_json.state }}"}
            ],
            "components": {
                component: entity.settings(digits, expire_after)
                for component, entity in entities.items()
            },
        }
        if self.shared or not self.retained:
            # A state that the broker does not keep never comes to who subscribes after it, and
            # without a will nobody says "offline".
            del document["availability"]
        if not self.shared:
            device = document["device"]
            assert isinstance(device, dict)
            device["via_device"] = f"ruuvi_gateway_{_digits(self.gateway)}"
        return self._config(address, _compact(document))

    def removal(self, sensor: bytes | None) -> Config:
        """Makes Home Assistant forget a sensor, by its address, or (None) us."""
        return self._config(sensor, b"")

    # --- what they are made of

    def _config(self, sensor: bytes | None, payload: bytes) -> Config:
        topic = f"{self.prefix}/device/ruuvi_gateway_{_digits(self.gateway)}/config"
        if sensor is not None:
            topic = sensor_topic(self.prefix, sensor)
        return Config(topic, payload, self.retained)

    @property
    def _origin(self) -> dict[str, str]:
        return {"name": _PRODUCT, "sw_version": self.version}

    @property
    def _status_topic(self) -> str:
        return f"{self.topic_prefix}gw_status"

    @property
    def _state_prefix(self) -> str:
        """What the topics begin with on which a sensor's messages come."""
        if not self.shared:
            return self.topic_prefix
        ours = address_text(self.gateway)
        *levels, rest = self.topic_prefix.split("/")
        return "/".join([*("+" if level == ours else level for level in levels), rest])


def sensor_topic(prefix: str, sensor: bytes) -> str:
    """Where the config of a sensor is. prefix: of discovery. sensor: its address."""
    return f"{prefix}/device/ruuvi_{_digits(sensor)}/config"


def can_be_shared(topic_prefix: str, gateway: bytes) -> bool:
    """Can hosts share topics that begin so? Then the gateway's address is a level of its own."""
    return address_text(gateway) in topic_prefix.split("/")[:-1]


def _digits(address: bytes) -> str:
    return address.hex().upper()


def _compact(document: object) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
