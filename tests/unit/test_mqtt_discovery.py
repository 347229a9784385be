"""What Home Assistant is told of our gateway and of sensors, byte for byte."""

import json
from typing import Any

import pytest
from conftest import load_vectors

from ruuvi_host.config.derived import DERIVED
from ruuvi_host.formats import FORMATS as FORMATS_OF_HOUSE
from ruuvi_host.formats.gateway import gateway_members
from ruuvi_host.relay.mqtt.discovery import QOS, Config, Discovery, can_be_shared
from ruuvi_host.relay.mqtt.entities import MODELS
from ruuvi_host.relay.mqtt.own_entities import BY_DERIVED

FORMAT_NUMBERS = sorted(FORMATS_OF_HOUSE)
BINARY_CLASSES = ("battery", "motion", "occupancy", "plug", "running")
"""Of binary sensors, as Home Assistant 2026.2.3 lists them (components/binary_sensor)."""

GATEWAY = bytes.fromhex("AACCEE001122")
SENSOR = bytes.fromhex("F41F0C28CBD6")
TOPICS = "ruuvi/AA:CC:EE:00:11:22/"
VECTORS = load_vectors("mqtt_discovery.json")["discovery"]
FORMATS = {case["name"]: case for case in load_vectors("formats.json")["cases"]}
ADVERTISEMENTS = {
    data_format: bytes.fromhex(FORMATS[f"{name}-official-valid"]["adv_hex"])
    for data_format, name in ((0x05, "df5"), (0x06, "df6"), (0xE1, "dfe1"))
}


def discovery(**settings: Any) -> Discovery:
    return Discovery(**{"gateway": GATEWAY, "topic_prefix": TOPICS, "version": "1.0.0", **settings})


def document(config: Config) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(config.payload)
    return loaded


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_the_vectors(case: dict[str, Any]) -> None:
    given = dict(case["given"])
    sensor = bytes.fromhex(given.pop("sensor", "").replace(":", "")) or None
    data_format, name = given.pop("data_format", None), given.pop("sensor_name", "")
    said = discovery(**given)
    if sensor is None:
        config = said.gateway_config()
    elif data_format is None:
        config = said.removal(sensor)
    else:
        config = said.sensor_config(sensor, data_format, name)
    assert config == Config(case["topic"], case["payload"].encode(), case["retain"])
    assert case["qos"] == QOS


# -- texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interval", "seconds"), [(0, 180), (60, 180), (61, 183), (300, 900), (3600, 10800)]
)
def test_values_expire_after_three_intervals(interval: int, seconds: int) -> None:
    config = document(discovery(interval=interval).sensor_config(SENSOR, 5))
    assert {c["expire_after"] for c in config["components"].values()} == {seconds}


def test_names_of_people_are_text() -> None:
    config = discovery().sensor_config(SENSOR, 5, 'Mökki "ylä"')
    assert '"name":"Mökki \\"ylä\\"","manufacturer"'.encode() in config.payload


def test_the_prefix_of_home_assistant_and_of_topics() -> None:
    said = discovery(prefix="my/ha", topic_prefix="home/+", retained=False)
    config = said.sensor_config(SENSOR, 5)
    assert config.topic == "my/ha/device/ruuvi_F41F0C28CBD6/config"
    assert document(config)["state_topic"] == "home/+F4:1F:0C:28:CB:D6"
    assert not config.retained


def test_a_state_that_is_not_kept_decides_on_nothing() -> None:
    """Home Assistant subscribes to it when it has got the config, and so after "online" came."""
    config = document(discovery(retained=False).sensor_config(SENSOR, 5))
    assert "availability" not in config
    assert config["device"]["via_device"] == "ruuvi_gateway_AACCEE001122"


def test_the_gateway_can_be_removed() -> None:
    topic = "homeassistant/device/ruuvi_gateway_AACCEE001122/config"
    assert discovery().removal(None) == Config(topic, b"", True)


def test_ids_never_change_with_the_gateway() -> None:
    there = bytes.fromhex("AACCEE001133")
    ours, theirs = (
        document(discovery(gateway=gateway).sensor_config(SENSOR, 0xE1))
        for gateway in (GATEWAY, there)
    )
    assert ours["device"]["via_device"] != theirs["device"]["via_device"]
    ids = [[c["unique_id"] for c in d["components"].values()] for d in (ours, theirs)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


@pytest.mark.parametrize("data_format", MODELS)
def test_shared_texts_are_the_same_from_every_host(data_format: int) -> None:
    there = bytes.fromhex("AACCEE001133")
    one = discovery(shared=True)
    other = discovery(shared=True, gateway=there, topic_prefix="ruuvi/AA:CC:EE:00:11:33/")
    assert one.sensor_config(SENSOR, data_format) == other.sensor_config(SENSOR, data_format)
    assert one.gateway_config() != other.gateway_config()


@pytest.mark.parametrize(
    ("topic_prefix", "state_topic"),
    [
        ("AA:CC:EE:00:11:22/", "+/F4:1F:0C:28:CB:D6"),
        ("a/AA:CC:EE:00:11:22/b/AA:CC:EE:00:11:22/c", "a/+/b/+/cF4:1F:0C:28:CB:D6"),
        ("/AA:CC:EE:00:11:22/AA:CC:EE:00:11:22", "/+/AA:CC:EE:00:11:22F4:1F:0C:28:CB:D6"),
        ("my AA:CC:EE:00:11:22/AA:CC:EE:00:11:22/", "my AA:CC:EE:00:11:22/+/F4:1F:0C:28:CB:D6"),
    ],
)
def test_only_levels_that_are_the_address_are_shared(topic_prefix: str, state_topic: str) -> None:
    config = discovery(shared=True, topic_prefix=topic_prefix).sensor_config(SENSOR, 5)
    assert document(config)["state_topic"] == state_topic


# -- entities -------------------------------------------------------------------------------------


@pytest.mark.parametrize("data_format", MODELS)
def test_every_member_of_a_message_is_an_entity_in_its_order(data_format: int) -> None:
    members = [name for name, _ in gateway_members(ADVERTISEMENTS[data_format])]
    assert members[0] == "dataFormat"
    assert members[-1] == "id"
    entities = [entity.member for entity in MODELS[data_format].entities]
    assert entities == [*members[1:-1], "rssi", "ts"]


def test_other_formats_have_none() -> None:
    for data_format in (0x03, 0xE0, 0xF0):
        with pytest.raises(KeyError):
            discovery().sensor_config(SENSOR, data_format)


UNITS: dict[str, set[str | None]] = {
    "temperature": {"°C", "°F", "K"},
    "humidity": {"%"},
    "atmospheric_pressure": {*"mPa Pa hPa kPa bar cbar mbar mmHg inHg inH₂O psi".split()},
    "pm1": {"\u03bcg/m³"},
    "pm25": {"\u03bcg/m³"},
    "pm4": {"\u03bcg/m³"},
    "pm10": {"\u03bcg/m³"},
    "carbon_dioxide": {"ppm"},
    "illuminance": {"lx"},
    "pressure": {*"mPa Pa hPa kPa bar cbar mbar mmHg inHg inH₂O psi".split()},
    "absolute_humidity": {"g/m³", "mg/m³"},
    "enum": {None},
    "sound_pressure": {"dB", "dBA"},
    "voltage": {"\u03bcV", "mV", "V", "kV", "MV"},
    "signal_strength": {"dB", "dBm"},
    "timestamp": {None},
}
"""Device classes of sensors and the units that each may have, as Home Assistant 2026.2.3 lists them
for its sensors (components/sensor/const.py). The μ is the Greek letter there."""


@pytest.mark.parametrize("data_format", FORMAT_NUMBERS)
def test_classes_and_units_are_those_of_home_assistant(data_format: int) -> None:
    config = document(
        discovery(decode_all=True, derived=DERIVED).sensor_config(SENSOR, data_format)
    )
    for key, component in config["components"].items():
        unit, device_class = component.get("unit_of_measurement"), component.get("device_class")
        state_class = component.get("state_class")
        assert component.get("entity_category") in (None, "diagnostic")
        assert component.get("enabled_by_default") in (None, False)
        if component["platform"] == "binary_sensor":
            assert (unit, state_class) == (None, None), key
            assert device_class in (None, *BINARY_CLASSES), key
            continue
        if device_class is None:
            assert unit in (None, "g", "°", "K", "kg/m³"), key
        else:
            assert unit in UNITS[device_class], key
        # By the same list: a time has none, and all other classes here are measurements.
        allowed = {"measurement"} if device_class else {"measurement", "total_increasing"}
        no_number = device_class in ("timestamp", "enum")
        assert state_class in ({None} if no_number else allowed), key
        assert ("options" in component) == (device_class == "enum"), key


# -- what no gateway sends ------------------------------------------------------------------------


@pytest.mark.parametrize("data_format", set(FORMAT_NUMBERS) - MODELS.keys())
def test_every_field_of_our_own_is_an_entity_in_its_order(data_format: int) -> None:
    model = discovery(decode_all=True).model(data_format)
    assert model is not None
    who = ("data_format", "mac", "mac_suffix", "tag_id")
    fields = [name for name in FORMATS_OF_HOUSE[data_format].reading()._asdict() if name not in who]
    assert [entity.member for entity in model.entities] == [*fields, "rssi", "ts"]


@pytest.mark.parametrize("data_format", FORMAT_NUMBERS)
def test_what_can_be_computed_is_an_entity(data_format: int) -> None:
    plain = discovery(decode_all=True).model(data_format)
    more = discovery(decode_all=True, derived=DERIVED).model(data_format)
    assert plain is not None
    assert more is not None
    added = [e.member for e in more.entities if e not in plain.entities]
    assert {"dew_point", "absolute_humidity", "air_density"} <= set(added)
    assert ("iaqs" in added) == (data_format in (6, 0xE0, 0xE1, 0xF0))
    components = [entity.component for entity in more.entities]
    assert len(set(components)) == len(components)


def test_all_that_can_be_computed_has_an_entity() -> None:
    assert tuple(BY_DERIVED) == DERIVED


def test_by_default_they_are_no_devices() -> None:
    for data_format in set(FORMAT_NUMBERS) - MODELS.keys():
        assert discovery(derived=DERIVED).model(data_format) is None
    assert discovery(decode_all=True).model(0x42) is None


# -- shared topics --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic_prefix",
    ["home/", "ruuvi/AA:CC:EE:00:11:33/", "AA:CC:EE:00:11:22", "my-AA:CC:EE:00:11:22/", "x"],
)
def test_shared_needs_the_address_as_a_level(topic_prefix: str) -> None:
    assert not can_be_shared(topic_prefix, GATEWAY)


@pytest.mark.parametrize("topic_prefix", [TOPICS, "AA:CC:EE:00:11:22/home"])
def test_shared_with_the_address_as_a_level_is_good(topic_prefix: str) -> None:
    assert can_be_shared(topic_prefix, GATEWAY)
