"""The building blocks: limits, rounding, "not available"; and the arithmetic of format 5."""

from itertools import product
from struct import pack

import pytest

from ruuvi_host.formats import Measurement, decode, decode_payload, encode
from ruuvi_host.formats.coding import (
    ACCELERATION,
    AIR_INDEX,
    HUMIDITY,
    MAC_TEXTS,
    PARTICLES,
    PRESSURE,
    SOUND,
    TEMPERATURE,
    TX_POWER,
    U8,
    U16,
    VOLTAGE,
    Logarithmic,
    Number,
    Whole,
    crc8,
    decode_sign_magnitude,
    encode_bits,
    encode_mac,
    encode_sign_magnitude,
    mac_text,
)
from ruuvi_host.formats.df3 import Format3
from ruuvi_host.formats.df5 import Format5
from ruuvi_host.formats.df6 import Format6
from ruuvi_host.formats.dfe0 import FormatE0
from ruuvi_host.formats.dfe1 import FormatE1
from ruuvi_host.formats.dff0 import FormatF0

ADVERT = bytes.fromhex("0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")


def test_format_5_is_written_out_as_the_blocks_say() -> None:
    """Each 16-bit field in turn takes every value; the others stand still."""
    payload = ADVERT[7:]
    blocks: list[tuple[int, str, str, Number | Whole]] = [
        (1, ">h", "temperature", TEMPERATURE),
        (3, ">H", "humidity", HUMIDITY),
        (5, ">H", "pressure", PRESSURE),
        (7, ">h", "acceleration_x", ACCELERATION),
        (9, ">h", "acceleration_y", ACCELERATION),
        (11, ">h", "acceleration_z", ACCELERATION),
        (16, ">H", "measurement_sequence", U16),
    ]
    for start, code, name, block in blocks:
        lowest = -0x8000 if code == ">h" else 0
        for raw in range(lowest, lowest + 0x10000):
            data = pack(code, raw)
            advert = ADVERT[:7] + payload[:start] + data + payload[start + 2 :]
            assert getattr(decode(advert), name) == block.decode(raw), (name, raw)
    for power in range(0x10000):
        reading = decode(ADVERT[:20] + pack(">H", power) + ADVERT[22:])
        assert isinstance(reading, Format5)
        assert reading.battery_voltage == VOLTAGE.decode(power >> 5)
        assert reading.tx_power == TX_POWER.decode(power & 31)
    for movements in range(256):
        reading = decode(ADVERT[:22] + bytes([movements]) + ADVERT[23:])
        assert isinstance(reading, Format5)
        assert reading.movement_counter == U8.decode(movements)


ALL = [TEMPERATURE, HUMIDITY, PRESSURE, ACCELERATION, PARTICLES, U8, U16, AIR_INDEX, SOUND]
ALL += [VOLTAGE, TX_POWER]


@pytest.mark.parametrize("block", ALL)
def test_a_block_both_ways(block: Number | Whole) -> None:
    for raw in range(block.lowest, block.highest + 1):
        assert block.encode(block.decode(raw)) == raw
    assert block.missing is not None
    assert block.decode(block.missing) is None
    assert block.encode(None) == block.missing
    assert block.encode(float("inf")) == block.highest
    assert block.encode(float("-inf")) == block.lowest
    assert not block.lowest <= block.missing <= block.highest


@pytest.mark.parametrize(
    ("block", "value", "raw"),
    [
        (Number(2, 0, 255), 20.25, 41),  # halves away from zero, like C
        (Number(2, 0, 255), 20.75, 42),
        (Number(2, -9, 9), -1.25, -3),
        (TEMPERATURE, 24.302, 4860),
        (TEMPERATURE, 24.303, 4861),
        (PRESSURE, 49999, 0),
        (PRESSURE, 50000.5, 1),
        (Number(2, 0, 255), None, 0),  # where nothing means "not available"
    ],
)
def test_encoding_rounds_and_clips(block: Number | Whole, value: float | None, raw: int) -> None:
    assert block.encode(value) == raw


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        TEMPERATURE.encode(float("nan"))


@pytest.mark.parametrize(("top", "minus"), [(65536, 1), (1001, 1), (40001, 1), (500, 0)])
def test_logarithms(top: int, minus: int) -> None:
    block = Logarithmic(top, minus)
    values = [block.decode(raw) for raw in range(256)]
    assert values[0] == 1 - minus
    assert values[254] == top - minus
    assert values[255] is None
    assert [block.encode(value) for value in values] == list(range(256))
    assert block.encode(1e9) == 254
    assert block.encode(-1e9) == 0
    assert all(value == round(value, 2) for value in values[:255] if value is not None)


def test_luminosity_of_the_specification() -> None:
    block = Logarithmic(65536, minus=1)
    assert [block.decode(raw) for raw in (1, 0x10, 0x80, 0xFE)] == [0.04, 1.01, 266.43, 65535.0]


def test_sign_and_magnitude() -> None:
    assert decode_sign_magnitude(0x81, 0x45) == -1.69
    assert str(decode_sign_magnitude(0x80, 0)) == "0.0"
    for byte, hundredths in product(range(256), range(100)):
        value = decode_sign_magnitude(byte, hundredths)
        expected = (0, 0) if (byte, hundredths) == (0x80, 0) else (byte, hundredths)
        assert encode_sign_magnitude(value) == expected
    assert encode_sign_magnitude(500.0) == (127, 99)
    assert encode_sign_magnitude(-500.0) == (255, 99)
    assert encode_sign_magnitude(-0.001) == (0, 0)
    assert encode_sign_magnitude(None) == (0, 0)


def test_addresses() -> None:
    data = bytes.fromhex("CBB8334C884F")
    assert mac_text(data) == "CB:B8:33:4C:88:4F"
    assert mac_text(b"\xff\xff\xfe") == "FF:FF:FE"
    assert mac_text(b"\xff" * 6) is None
    assert encode_mac("cb:b8:33:4c:88:4f", 6) == data
    assert encode_mac(None, 3) == b"\xff\xff\xff"


def test_a_flood_of_addresses_does_not_fill_the_memory() -> None:
    for number in range(20_000):
        assert mac_text(number.to_bytes(6)) == number.to_bytes(6).hex(":").upper()
    assert len(MAC_TEXTS) <= 4096


def test_flags_and_checksum() -> None:
    assert encode_bits(True, False, True) == 5
    assert encode_bits(0, 0, 0, 511, 510, 3) == 0b101000  # the least significant bit counts
    assert crc8(b"123456789") == 0xF4
    assert crc8(b"") == 0


@pytest.mark.parametrize(
    ("reading", "clipped"),
    [
        (
            Format3(humidity=999.0, acceleration_x=-99.0, battery_voltage=99.0),
            Format3(3, 0.0, 127.5, 50000, -32.768, 0.0, 0.0, 65.535),
        ),
        (
            Format6(voc_index=511, nox_index=-1, luminosity=1e6, measurement_sequence=256),
            Format6(voc_index=510, nox_index=0, luminosity=65535.0, measurement_sequence=255),
        ),
        (
            FormatE1(co2=65535, luminosity=2e5, sound_peak=121.0, measurement_sequence=1 << 24),
            FormatE1(
                co2=65534,
                luminosity=167772.14,
                sound_peak=120.0,
                measurement_sequence=(1 << 24) - 2,
            ),
        ),
        (
            FormatE0(voc_index=511, sound_average=-1.0, sound_peak=128.0, battery_voltage=9.0),
            FormatE0(voc_index=510, sound_average=0.0, sound_peak=127.0, battery_voltage=7.62),
        ),
        (
            FormatF0(temperature=-300.0, pressure=1, pm1_0=2e3, measurement_sequence=16),
            FormatF0(temperature=-127.0, pressure=90000, pm1_0=1000.0, measurement_sequence=15),
        ),
    ],
)
def test_values_out_of_range_are_clipped(reading: Measurement, clipped: Measurement) -> None:
    assert decode_payload(encode(reading)) == clipped
