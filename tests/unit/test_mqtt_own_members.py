"""Messages with values that no gateway sends: which members they have, and which stay."""

import json
from typing import Any

import pytest
from conftest import load_vectors

from ruuvi_host.config.derived import DERIVED
from ruuvi_host.config.homeassistant import Extras
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.config.targets import DataFormat
from ruuvi_host.formats import FORMATS, decode, fields
from ruuvi_host.formats.derived import derive, possible
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.readings import Readings
from ruuvi_host.relay.mqtt.messages import MessageMaker
from ruuvi_host.relay.mqtt.own_members import OwnMembers
from ruuvi_host.simulator.kinds import KEY, advert

GATEWAY, SENSOR = bytes.fromhex("AACCEE001122"), bytes.fromhex("F41F0C28CBD6")
VECTORS = {case["name"]: case for case in load_vectors("formats.json")["cases"]}
DF5, DF6, DFE1 = (
    bytes.fromhex(VECTORS[f"{name}-official-valid"]["adv_hex"]) for name in ("df5", "df6", "dfe1")
)
DF3 = advert(3, {"temperature": 20.5, "humidity": 50.0, "measurement_sequence": 0}).data
ALL = Extras(decode_all=True)
OWN = [number for number in FORMATS if number not in (5, 6, 0xE1)]


def text(
    data: bytes,
    extras: Extras = ALL,
    data_format: DataFormat = DataFormat.DECODED,
    **settings: Any,
) -> str:
    known = Readings([SensorSettings(SENSOR, **settings)] if settings else ())
    members = None if extras == Extras() else OwnMembers(extras, lambda: known)
    maker = MessageMaker("", data_format, "60,25", members)
    report = Advertisement(SENSOR, data, -70, 1, 15, 37, None, 0.0, 1612358929)
    return maker.message(report, GATEWAY, 1612358930).payload.decode()


def message(data: bytes, extras: Extras = ALL, **settings: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(text(data, extras, **settings))
    return loaded


@pytest.mark.parametrize("data", [DF5, DF6, DFE1, b"", b"\x02\x01\x06", DF5[:20]])
@pytest.mark.parametrize("data_format", [DataFormat.DECODED, DataFormat.RAW_AND_DECODED])
def test_what_a_gateway_decodes_stays_as_it_is(data: bytes, data_format: DataFormat) -> None:
    assert text(data, ALL, data_format) == text(data, Extras(), data_format)


@pytest.mark.parametrize("data_format", OWN)
def test_other_formats_have_our_own_names(data_format: int) -> None:
    values = {"temperature": 20.0, "measurement_sequence": 3, "mac": "F4:1F:0C:28:CB:D6"}
    data = advert(data_format, values).data
    key: Any = {"key": KEY} if FORMATS[data_format].cipher else {}
    found = message(data, **key)
    assert found["data_format"] == data_format
    expected = fields(decode(data, Readings([SensorSettings(SENSOR, **key)]).keys))
    assert found == found | expected
    assert list(found)[4:-1] == ["ts", *expected]
    assert list(found)[-1] == "coords"
    assert "data_format" not in message(data, Extras(derived=("dew_point",)), **key)


@pytest.mark.parametrize("data_format", [8, 0xFA])
def test_without_a_key_there_are_no_values(data_format: int) -> None:
    data = advert(data_format, {"measurement_sequence": 0}).data
    assert text(data) == text(data, Extras())


def test_the_data_comes_before_its_meaning() -> None:
    both = text(DF3, ALL, DataFormat.RAW_AND_DECODED)
    assert f'"data":"{DF3.hex().upper()}","data_format":3,"temperature":20.5,' in both


def test_a_payload_is_found_wherever_it_stands() -> None:
    """A gateway does not, so its names come from where it would have been."""
    moved = DF5[3:] + DF5[:3]
    assert '"dataFormat"' not in text(moved, Extras())
    assert text(moved) == text(DF5)


# -- what people say ------------------------------------------------------------------------------


def test_offsets_count_and_can_be_seen() -> None:
    found = message(DF5, temperature_offset=-0.5, pressure_offset=50.0)
    plain = message(DF5)
    assert found["temperature"] == plain["temperature"] - 0.5
    assert found["pressure"] == plain["pressure"] + 50
    assert found["offsets"] == {"temperature": -0.5, "pressure": 50.0}
    assert '"humidity":53.4900,' in text(DF5, temperature_offset=-0.5)
    assert list(found)[-2:] == ["offsets", "coords"]


def test_a_name_is_a_member() -> None:
    found = message(DF3, name='Mökki "1"')
    assert found["name"] == 'Mökki "1"'
    assert "offsets" not in found


def test_they_count_only_where_all_is_decoded() -> None:
    extras = Extras(derived=("dew_point",))
    named = text(DF5, extras, name="Sauna", temperature_offset=5.0)
    assert named == text(DF5, extras)


def test_a_humidity_that_is_wrong_is_left_as_it_is() -> None:
    data = advert(5, {"humidity": 120.0, "measurement_sequence": 0}).data
    found = message(data, humidity_offset=-5.0)
    assert found["humidity"] == 120.0
    assert "offsets" not in found


def test_a_value_that_is_missing_has_no_offset() -> None:
    data = bytes.fromhex(VECTORS["df5-official-invalid"]["adv_hex"])
    found = message(data, temperature_offset=1.0)
    assert found["temperature"] is None
    assert "offsets" not in found


# -- computed values ------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [DF5, DF6, DFE1])
def test_computed_values_are_added(data: bytes) -> None:
    found = message(data, Extras(derived=DERIVED))
    expected = derive(fields(decode(data)))
    names = [name for name in found if name in DERIVED]
    assert tuple(names) == possible(DERIVED, fields(decode(data)))
    for name in names:
        assert found[name] == pytest.approx(expected[name], abs=1e-4)
    plain = text(data, Extras())
    assert text(data, Extras(derived=DERIVED)).startswith(plain.partition(',"coords"')[0])


def test_they_are_made_of_what_is_shown() -> None:
    extras = Extras(decode_all=True, derived=("dew_point",))
    shown = message(DF5, extras, temperature_offset=10.0)
    assert shown["dew_point"] > message(DF5, extras)["dew_point"] + 5


def test_what_a_format_cannot_have_is_left_out() -> None:
    found = message(DF5, Extras(derived=("dew_point", "iaqs")))
    assert "dew_point" in found
    assert "iaqs" not in found


def test_what_is_not_available_is_null() -> None:
    data = bytes.fromhex(VECTORS["df5-official-invalid"]["adv_hex"])
    assert message(data, Extras(derived=("dew_point",)))["dew_point"] is None


def test_nothing_is_computed_of_what_is_not_decoded() -> None:
    extras = Extras(derived=DERIVED)
    assert text(DF3, extras) == text(DF3, Extras())
