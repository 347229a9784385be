"""A report as a line of line protocol, by each schema."""

import math

import pytest
from influx_world import ADDRESS, AIR, GATEWAY, TAG, heard, named, target
from line_protocol import points

from ruuvi_host import formats
from ruuvi_host.config.derived import DERIVED
from ruuvi_host.formats.derived import QUANTITIES
from ruuvi_host.intake.readings import Readings
from ruuvi_host.relay.influxdb.line_protocol import Field, line, measurement_text, tags_text
from ruuvi_host.relay.influxdb.points import LATEST, PointWriter

NOBODY = Readings()


def written(data: bytes = TAG, known: Readings = NOBODY, **given: object) -> str:
    found = PointWriter(target(**given)).line(known, heard(data), GATEWAY.addr)
    assert found
    return found.decode()


def test_our_own_names() -> None:
    assert written() == (
        "ruuvi_measurements,address=CB:B8:33:4C:88:4F,data_format=5,gateway=C8:25:2D:8E:9C:2C "
        "temperature=24.3,humidity=53.49,pressure=100044.0,acceleration_x=0.004,"
        "acceleration_y=-0.004,acceleration_z=1.036,battery_voltage=2.977,tx_power=4.0,"
        "movement_counter=66.0,measurement_sequence=205.0,rssi=-61.0 1777629600\n"
    )


def test_names_offsets_tags_and_derived_values() -> None:
    [point] = points(
        written(
            known=named("Sauna, upper = hot", temperature_offset=-0.5),
            tags=["site=my home", "a=b"],
            derived=["battery_low", "dew_point"],
            measurement="my sensors",
        ).encode()
    )
    assert point.measurement == "my sensors"
    assert point.tags["name"] == "Sauna, upper = hot"
    assert (point.tags["site"], point.tags["a"]) == ("my home", "b")
    assert point.fields["temperature"] == 23.8
    assert point.fields["temperature_offset"] == -0.5
    assert point.fields["battery_low"] is False
    assert point.fields["dew_point"] == pytest.approx(13.79, abs=0.05)
    assert "iaqs" not in point.fields


def test_the_names_of_ruuvi_bridge() -> None:
    assert written(schema="ruuvibridge", known=named("Sauna")) == (
        "ruuvi_measurements,dataFormat=5,mac=CBB8334C884F,name=Sauna "
        "temperature=24.3,humidity=53.49,pressure=100044.0,accelerationX=0.004,"
        "accelerationY=-0.004,accelerationZ=1.036,batteryVoltage=2.977,txPower=4i,"
        "movementCounter=66i,measurementSequenceNumber=205i,accelerationTotal=1.036,"
        "accelerationAngleFromX=89.7788,accelerationAngleFromY=90.2212,"
        "accelerationAngleFromZ=0.3128,equilibriumVaporPressure=3037.4958,"
        "absoluteHumidity=11.839,dewPoint=14.2621,airDensity=1.1654,rssi=-61i 1777629600\n"
    )
    [point] = points(written(AIR, schema="ruuvibridge").encode())
    assert point.tags["dataFormat"] == "E1"
    assert {"pm1p0", "pm2p5", "pm4p0", "pm10p0", "voc", "nox", "illuminance"} <= set(point.fields)
    assert {"soundAverage", "airQualityIndex", "calibrationInProgress"} <= set(point.fields)
    assert isinstance(point.fields["co2"], float)
    assert isinstance(point.fields["measurementSequenceNumber"], int)


def test_the_names_of_ruuvi_collector() -> None:
    of_bridge, of_collector = written(schema="ruuvibridge"), written(schema="ruuvicollector")
    assert of_collector == of_bridge, "they are of one family"
    [point] = points(written(AIR, schema="ruuvicollector").encode())
    assert not {name for name in point.fields if name.startswith("pm")}, "it knew none of them"
    assert {"temperature", "dewPoint", "measurementSequenceNumber"} <= set(point.fields)


def test_what_has_no_value_gives_no_line() -> None:
    writer = PointWriter(target(derived=list(DERIVED)))
    nothing = formats.df5.Format5(mac="CB:B8:33:4C:88:4F")
    empty = bytes.fromhex("0201061BFF9904") + formats.encode(nothing)
    assert writer.line(NOBODY, heard(empty), GATEWAY.addr) is None
    assert writer.line(NOBODY, heard(TAG[:-1]), GATEWAY.addr) is None, "it cannot be decoded"
    assert writer.line(NOBODY, heard(timestamp=-1), GATEWAY.addr) is None
    assert writer.line(NOBODY, heard(timestamp=LATEST + 1), GATEWAY.addr) is None
    assert writer.line(NOBODY, heard(timestamp=LATEST), GATEWAY.addr)


def test_without_rssi() -> None:
    found = PointWriter(target()).line(NOBODY, heard(rssi=127), GATEWAY.addr)
    assert found
    assert b"rssi" not in found


def test_the_settings_name_every_derived_value() -> None:
    assert tuple(QUANTITIES) == DERIVED


@pytest.mark.parametrize(
    ("text", "tag", "measurement"),
    [
        ("a b", r"a\ b", r"a\ b"),
        ("a,b=c", r"a\,b\=c", r"a\,b=c"),
        ('say "x"', r'say\ "x"', r'say\ "x"'),
        ("C:\\dir", "C:\\dir", "C:\\dir"),
        ("a\\\\b", "a\\b", "a\\b"),
        ("a\\ b", r"a\ b", r"a\ b"),
        ("end\\", "end", "end"),
        ("\\", "_", "_"),
        ("two\nlines", "two\ufffdlines", "two\ufffdlines"),
        ("Kylpyhuone äö", r"Kylpyhuone\ äö", r"Kylpyhuone\ äö"),
    ],
)
def test_escapes(text: str, tag: str, measurement: str) -> None:
    assert tags_text([("k", text)]) == f",k={tag}"
    assert measurement_text(text) == measurement
    written = line(f"m{measurement_text(text)}{tags_text([('k', text)])}", {"v": text}, 5)
    assert written
    [point] = points(written)
    assert isinstance(point.fields["v"], str)
    assert point.fields["v"].replace("\ufffd", "\n") == text


def test_types() -> None:
    fields: dict[str, Field] = {
        "f": 1.0,
        "i": -7,
        "b": True,
        "t": 'a "b" \\ c',
        "small": 1e-7,
        "nan": math.nan,
        "inf": -math.inf,
        "huge": 2**63,
    }
    assert line("m", fields, 5) == (b'm f=1.0,i=-7i,b=true,t="a \\"b\\" \\\\ c",small=1e-07 5\n')
    assert line("m", {"nan": math.nan}, 5) is None


def test_tags_are_in_order_and_never_empty() -> None:
    assert tags_text([("b", "2"), ("name", ""), ("a", "1")]) == ",a=1,b=2"


def test_the_address_is_that_of_the_sender() -> None:
    other = heard(address=bytes.fromhex("010203040506"))
    found = PointWriter(target()).line(named("x"), other, GATEWAY.addr)
    assert found
    [point] = points(found)
    assert point.tags["address"] == "01:02:03:04:05:06" != ADDRESS.hex(":").upper()
    assert "name" not in point.tags
