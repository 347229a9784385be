"""Names, offsets and keys of sensors in readings of our own form, and never in a gateway's."""

import json
from dataclasses import replace
from typing import Any

import pytest

from firmware_protocol.messages import AdvRprt2, DeviceId
from ruuvi_host.cli.listen import _json_line, _text_line
from ruuvi_host.config.model import Config
from ruuvi_host.config.sensors import SensorSettings
from ruuvi_host.config.targets import Content, DataFormat
from ruuvi_host.formats import encode, fields
from ruuvi_host.formats.df5 import HEADER, Format5
from ruuvi_host.formats.df5 import encode as encode5
from ruuvi_host.formats.df8 import Format8
from ruuvi_host.formats.dfe1 import FormatE1
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.intake.readings import Offset, Readings
from ruuvi_host.intake.sensors import Sensors
from ruuvi_host.relay.file.lines import encoder
from ruuvi_host.relay.gateway_json import BodyFacts, body_slices

ADDRESS = bytes.fromhex("CBB8334C884F")
OTHER = bytes.fromhex("CBB8334C8850")
TAG = Format5(temperature=24.3, humidity=53.49, pressure=100044, battery_voltage=2.977)
DATA = HEADER + encode5(TAG)[1:]
SAUNA = SensorSettings(ADDRESS, "Sauna", -0.5, 3.0, 120.4)
KEY = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
GATEWAY = DeviceId(bytes(8), bytes.fromhex("C8252D8E9C2C"))
UMLAUT = 'Käse "x"'


def manufacturer(payload: bytes) -> bytes:
    return bytes([len(payload) + 3, 0xFF, 0x99, 0x04]) + payload


ENCRYPTED = manufacturer(encode(Format8(temperature=20.0, mac="CB:B8:33:4C:88:4F"), KEY))


def test_a_name_and_offsets() -> None:
    reading = Readings([SAUNA]).of(ADDRESS, DATA)
    assert reading.name == "Sauna"
    expected = fields(TAG._replace(temperature=23.8, humidity=56.49, pressure=100164))
    assert reading.measurement is not None
    assert fields(reading.measurement) == expected
    assert type(reading.measurement) is Format5
    assert type(fields(reading.measurement)["pressure"]) is int
    assert dict(reading.offsets) == {"temperature": -0.5, "humidity": 3.0, "pressure": 120.4}


def test_of_others_nothing_is_changed() -> None:
    reading = Readings([SAUNA]).of(OTHER, DATA)
    assert (reading.name, reading.measurement, reading.offsets) == ("", TAG, ())


def test_what_a_sensor_does_not_measure_stays_so() -> None:
    data = HEADER + encode5(Format5(temperature=1.0))[1:]
    reading = Readings([SAUNA]).of(ADDRESS, data)
    assert reading.offsets == (Offset("temperature", -0.5),)
    assert reading.measurement is not None
    assert fields(reading.measurement) == fields(Format5(temperature=0.5))


@pytest.mark.parametrize(
    ("humidity", "offset", "expected"),
    [(99.0, 3.0, 100.0), (2.0, -3.0, 0.0), (50.0, -100.0, 0.0), (120.0, -50.0, 120.0)],
)
def test_humidity_stays_possible_and_a_fault_a_fault(
    humidity: float, offset: float, expected: float
) -> None:
    known = Readings([SensorSettings(ADDRESS, humidity_offset=offset)])
    measurement, offsets = known.corrected(ADDRESS, Format5(humidity=humidity))
    assert fields(measurement)["humidity"] == expected
    assert bool(offsets) is (humidity <= 100)


def test_a_sum_has_no_more_digits_than_there_are() -> None:
    known = Readings([SensorSettings(ADDRESS, temperature_offset=0.1, humidity_offset=0.1)])
    measurement, _ = known.corrected(ADDRESS, Format5(temperature=24.3, humidity=0.2))
    assert fields(measurement)["temperature"] == 24.4  # the sum is 24.400000000000002
    assert fields(measurement)["humidity"] == 0.3


def test_other_formats_are_corrected_too() -> None:
    measurement, offsets = Readings([SAUNA]).corrected(ADDRESS, FormatE1(temperature=10.0, co2=500))
    assert measurement == FormatE1(temperature=9.5, co2=500)
    assert [offset.field for offset in offsets] == ["temperature"]


def test_data_that_is_no_reading_has_the_name_and_the_reason() -> None:
    reading = Readings([SAUNA]).of(ADDRESS, b"\x02\x01\x06")
    assert (reading.name, reading.measurement, reading.error) == ("Sauna", None, "not_ruuvi")


def test_keys_of_sensors_and_of_options() -> None:
    known = replace(SAUNA, key=KEY)
    assert Readings([SAUNA]).of(ADDRESS, ENCRYPTED).error == "key_required"
    assert (
        Readings([replace(known, key=bytes(16))]).of(ADDRESS, ENCRYPTED).error == "decrypt_failed"
    )
    assert Readings([known]).of(ADDRESS, ENCRYPTED).measurement == Format8(
        temperature=19.5, mac="CB:B8:33:4C:88:4F"
    )
    # A key belongs to the device in the payload, name and offsets to the sender.
    assert Readings([known]).of(OTHER, ENCRYPTED).measurement == Format8(
        temperature=20.0, mac="CB:B8:33:4C:88:4F"
    )
    assert Readings(keys=[(None, KEY)]).of(ADDRESS, ENCRYPTED).error == ""
    assert KEY.hex() not in repr(Readings([known]).keys) + repr(known)


# -- listen ---------------------------------------------------------------------------------------


def listened(known: Readings, data: bytes = DATA, address: bytes = ADDRESS) -> tuple[Any, str]:
    report = AdvRprt2(address, data, -60, 1, 15, 37, False, -64)
    reading = Sensors(known).receive(report, 1.0)
    return json.loads(_json_line(reading)), _text_line(reading)


def test_listen_tells_names_and_offsets() -> None:
    line, text = listened(Readings([SAUNA]))
    assert (line["name"], line["temperature"]) == ("Sauna", 23.8)
    assert line["offsets"] == {"temperature": -0.5, "humidity": 3.0, "pressure": 120.4}
    assert line["adv"] == DATA.hex().upper()
    assert "Sauna  23.80 °C" in text
    assert "(corrected)" in text
    line, text = listened(Readings([SAUNA]), address=OTHER)
    assert not {"name", "offsets"} & set(line)
    assert "corrected" not in text


def test_listen_decrypts_with_the_key_of_a_sensor() -> None:
    line, _ = listened(Readings([replace(SAUNA, key=KEY)]), ENCRYPTED)
    assert (line["data_format"], line["temperature"]) == (8, 19.5)
    line, _ = listened(Readings([SAUNA]), ENCRYPTED)
    assert (line["name"], line["error"]) == ("Sauna", "key_required")


def test_listen_counts_duplicates_of_what_is_corrected() -> None:
    sensors = Sensors(Readings([SAUNA]))
    data = HEADER + encode5(TAG._replace(measurement_sequence=5))[1:]
    report = AdvRprt2(ADDRESS, data, -60, 1, 15, 37, False, -64)
    assert not sensors.receive(report, 1.0).duplicate
    assert sensors.receive(report, 2.0).duplicate


# -- files, and a gateway's bodies ----------------------------------------------------------------


def batch(*data: bytes) -> Batch:
    found = (Advertisement(ADDRESS, d, -61, 1, 15, 37, None, 5.0, 1_777_629_600) for d in data)
    return Batch(7, GATEWAY, tuple(found))


def test_a_line_of_a_file() -> None:
    config = Config(sensors=(replace(SAUNA, name=UMLAUT, key=KEY),))
    lines = encoder(Content.READINGS, config)(batch(DATA, ENCRYPTED, b"x"), 0.0)
    plain, encrypted, wrong = map(json.loads, lines)
    assert plain["name"] == UMLAUT
    assert list(plain)[:6] == ["time", "gateway", "address", "rssi", "name", "data_format"]
    assert plain["temperature"] == 23.8
    assert plain["offsets"] == {"temperature": -0.5, "humidity": 3.0, "pressure": 120.4}
    assert encrypted["temperature"] == 19.5
    assert encrypted["offsets"] == {"temperature": -0.5}
    assert wrong["name"] == UMLAUT
    assert wrong["error"] == "malformed_ad"


@pytest.mark.parametrize("content", DataFormat)
def test_a_gateways_body_knows_nothing_of_it(content: DataFormat) -> None:
    given = batch(DATA, ENCRYPTED)
    bodies = [
        b"".join(encoder(Content.GATEWAY, config)(given, 5.0))
        for config in (Config(), Config(sensors=(replace(SAUNA, key=KEY),)))
    ]
    assert bodies[0] == bodies[1]
    # What is posted is made of this, which is given no configuration of sensors.
    body = b"".join(body_slices(given, BodyFacts("", data_format=content), 5))
    assert (b'"temperature": 24.300' in body) is (content is not DataFormat.RAW)
