"""What Home Assistant makes of messages by our templates: values, unknown, and nothing at all.

The templates run in Jinja2, as there: sandboxed, with its own `round` and `as_datetime`. A text of
"None" means unknown, an empty one is ignored (Home Assistant 2026.2.3, components/mqtt/sensor.py,
binary_sensor.py). The whole of Home Assistant is no part of this test.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import load_vectors
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ruuvi_host.config.derived import DERIVED
from ruuvi_host.config.homeassistant import Extras
from ruuvi_host.config.targets import DataFormat
from ruuvi_host.formats import FORMATS as OF_HOUSE
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.readings import Readings
from ruuvi_host.relay.mqtt.discovery import Discovery
from ruuvi_host.relay.mqtt.messages import OFFLINE, ONLINE, Message, MessageMaker, status_topic
from ruuvi_host.relay.mqtt.own_members import OwnMembers
from ruuvi_host.simulator.kinds import KEY, advert

FORMAT_NUMBERS = sorted(OF_HOUSE)
UNKNOWN, IGNORED = "None", ""
SENSOR = b"\x01" * 6
STATE = Discovery(bytes.fromhex("AACCEE001122"), "ruuvi/", "1.0.0")
FORMATS = {case["name"]: case for case in load_vectors("formats.json")["cases"]}
NAMES = {5: "df5", 6: "df6", 0xE1: "dfe1"}


def environment() -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment()
    made.filters["round"] = lambda value, digits=0: round(float(value), digits)
    made.filters["as_datetime"] = lambda value: datetime.fromtimestamp(float(value), UTC)
    return made


JINJA = environment()


def state_of(template: str, message: dict[str, Any]) -> str:
    return JINJA.from_string(template).render(value_json=message).strip()


def states(data_format: int, message: dict[str, Any]) -> dict[str, str]:
    """Of each component, when this message comes."""
    payload = STATE.sensor_config(SENSOR, data_format).payload
    return {
        key: state_of(component["value_template"], message)
        for key, component in json.loads(payload)["components"].items()
    }


def published(name: str, *, counted: bool = False) -> Message:
    """What goes to the broker for a report with this data."""
    data = bytes.fromhex(FORMATS[name]["adv_hex"])
    report = Advertisement(SENSOR, data, -70, 1, 15, 37, None, 0.0, 1612358929)
    maker = MessageMaker(STATE.topic_prefix, DataFormat.DECODED, "")
    return maker.message(report, STATE.gateway, 1612358930, counted=counted)


def message_of(name: str, *, counted: bool = False) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(published(name, counted=counted).payload)
    return message


def test_topics_are_those_of_messages() -> None:
    config = json.loads(STATE.sensor_config(SENSOR, 5).payload)
    assert config["state_topic"] == published("df5-official-valid").topic
    status = status_topic(STATE.topic_prefix, STATE.gateway)
    assert [one["topic"] for one in config["availability"]] == [status]
    own = json.loads(STATE.gateway_config().payload)
    assert own["components"]["status"]["state_topic"] == status


def test_values_of_format_5() -> None:
    assert states(5, message_of("df5-official-valid")) == {
        "temperature": "24.3",
        "humidity": "53.49",
        "pressure": "1000.44",
        "accelx": "0.004",
        "accely": "-0.004",
        "accelz": "1.036",
        "movementcounter": "66",
        "voltage": "2.977",
        "txpower": "4",
        "measurementsequencenumber": "205",
        "rssi": "-70",
        "ts": "2021-02-03T13:28:49+00:00",
    }


def test_values_of_format_6() -> None:
    assert states(6, message_of("df6-official-valid")) == {
        "temperature": "29.5",
        "humidity": "55.3",
        "pressure": "1011.02",
        "pm2_5": "11.2",
        "co2": "201",
        "voc": "10",
        "nox": "2",
        "luminosity": "13027",
        "sound_avg_dba": "47.6",
        "measurementsequencenumber": "205",
        "flag_calibration_in_progress": "OFF",
        "flag_button_pressed": "OFF",
        "flag_rtc_running_on_boot": "OFF",
        "rssi": "-70",
        "ts": "2021-02-03T13:28:49+00:00",
    }


def test_values_of_format_e1() -> None:
    found = states(0xE1, message_of("dfe1-official-valid"))
    assert found == found | {
        "temperature": "29.5",
        "humidity": "55.3",
        "pressure": "1011.02",
        "pm1_0": "10.1",
        "pm2_5": "11.2",
        "pm4_0": "121.3",
        "pm10_0": "455.4",
        "co2": "201",
        "luminosity": "13027",
        "sound_inst_dba": "42.4",
        "measurementsequencenumber": "14601710",
        "flag_calibration_in_progress": "ON",
        "flag_button_pressed": "OFF",
    }


@pytest.mark.parametrize("data_format", NAMES)
def test_null_is_unknown(data_format: int) -> None:
    message = message_of(f"{NAMES[data_format]}-official-invalid")
    found = states(data_format, message)
    nulls = [key.lower().replace(".", "_") for key, value in message.items() if value is None]
    assert len(nulls) >= 7
    assert {found[key] for key in nulls} == {UNKNOWN}
    assert UNKNOWN not in {state for key, state in found.items() if key not in nulls}


@pytest.mark.parametrize("data_format", NAMES)
def test_what_is_missing_is_ignored(data_format: int) -> None:
    assert set(states(data_format, {}).values()) == {IGNORED}
    raw = {"gw_mac": "AA:CC:EE:00:11:22", "aoa": [], "data": "0201", "coords": ""}
    assert set(states(data_format, raw).values()) == {IGNORED}


# -- what no gateway sends ------------------------------------------------------------------------


ALL = replace(STATE, decode_all=True, derived=DERIVED)


def published_own(data_format: int, values: dict[str, Any]) -> dict[str, Any]:
    """A message of our own form: of a format that a gateway does not decode, with what can be
    computed."""
    data = advert(data_format, {"measurement_sequence": 1, **values}).data
    extras = Extras(decode_all=True, derived=DERIVED)
    known = Readings(keys=[(None, KEY)])
    maker = MessageMaker("", DataFormat.DECODED, "", OwnMembers(extras, lambda: known))
    report = Advertisement(SENSOR, data, -70, 1, 15, 37, None, 0.0, 1612358929)
    message: dict[str, Any] = json.loads(maker.message(report, STATE.gateway, 1).payload)
    return message


def own_states(data_format: int, message: dict[str, Any]) -> dict[str, str]:
    components = json.loads(ALL.sensor_config(SENSOR, data_format).payload)["components"]
    return {key: state_of(c["value_template"], message) for key, c in components.items()}


MEASURED = {
    "temperature": 21.5,
    "humidity": 40.0,
    "pressure": 100000,
    "co2": 600,
    "pm2_5": 5.0,
    "battery_voltage": 2.9,
    "acceleration_x": 0.0,
    "acceleration_y": 0.0,
    "acceleration_z": 1,
    "motion_detected": True,
    "presence_detected": False,
}


@pytest.mark.parametrize("data_format", FORMAT_NUMBERS)
def test_every_member_of_our_own_is_a_value(data_format: int) -> None:
    message = published_own(data_format, MEASURED)
    found = own_states(data_format, message)
    known = {"gw_mac", "aoa", "gwts", "coords", "dataFormat", "data_format", "name"}
    known |= {"id", "mac", "mac_suffix", "tag_id"}
    assert found.keys() == {key.lower().replace(".", "_") for key in message.keys() - known}
    assert IGNORED not in found.values()
    assert float(found["temperature"]) == pytest.approx(21.5, abs=0.6)
    assert float(found["pressure"]) == pytest.approx(1000.0, abs=0.6)
    if data_format != 0xF0:  # whose temperature is in whole degrees
        assert found["dew_point"] not in (UNKNOWN, IGNORED)


@pytest.mark.parametrize("data_format", FORMAT_NUMBERS)
def test_null_of_our_own_is_unknown(data_format: int) -> None:
    message = published_own(data_format, {})
    found = own_states(data_format, message)
    nulls = {key.lower().replace(".", "_") for key, value in message.items() if value is None}
    nulls -= {"mac", "mac_suffix", "tag_id"}
    assert {found[key] for key in nulls} <= {UNKNOWN}
    assert nulls or data_format in (2, 3, 4, 0xFA)  # which know no "not available"


def test_values_that_are_computed() -> None:
    found = own_states(0xE1, published_own(0xE1, MEASURED))
    assert found["iaqs_grade"] == "good"
    assert found["dew_point"] == "7.3438"
    assert own_states(3, published_own(3, MEASURED))["battery_low"] == "OFF"
    low = own_states(3, published_own(3, MEASURED | {"battery_voltage": 2.0}))
    assert low["battery_low"] == "ON"


def test_flags_of_our_own() -> None:
    found = own_states(7, published_own(7, MEASURED))
    assert (found["motion_detected"], found["presence_detected"]) == ("ON", "OFF")


def test_a_flag_is_on_off_or_ignored() -> None:
    for value, state in ((True, "ON"), (False, "OFF")):
        assert states(6, {"flag_button_pressed": value})["flag_button_pressed"] == state


def test_zero_is_a_value() -> None:
    message = dict.fromkeys(("temperature", "CO2", "PM2.5", "luminosity", "rssi"), 0)
    found = states(6, message)
    assert {found[key] for key in ("temperature", "co2", "pm2_5", "luminosity", "rssi")} == {"0"}


def test_a_counter_in_place_of_the_time() -> None:
    message = message_of("df5-official-valid", counted=True)
    assert "cnt" in message
    assert states(5, message)["ts"] == IGNORED


@pytest.mark.parametrize(("payload", "shown"), [(ONLINE, "ON"), (OFFLINE, "OFF")])
def test_the_state_of_the_gateway(payload: bytes, shown: str) -> None:
    message = json.loads(payload)
    config = json.loads(STATE.gateway_config().payload)
    assert state_of(config["components"]["status"]["value_template"], message) == shown
    [availability] = json.loads(STATE.sensor_config(SENSOR, 5).payload)["availability"]
    # By default, "online" and "offline" are what Home Assistant compares with.
    assert state_of(availability["value_template"], message) == message["state"]
