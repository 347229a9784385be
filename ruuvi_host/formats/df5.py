"""Data format 5 (RAWv2): what every RuuviTag sends.

Source: docs.ruuvi.com "Data format 5"; ruuvi.endpoints.c ruuvi_endpoint_5.c.
"""

from collections.abc import Callable, Container
from functools import wraps
from struct import Struct, error
from typing import Literal, NamedTuple, TypeVar, cast

from ruuvi_host.formats.coding import (
    ACCELERATION,
    HUMIDITY,
    MAC_TEXTS,
    PRESSURE,
    TEMPERATURE,
    TX_POWERS,
    U8,
    U16,
    VOLTAGES,
    encode_mac,
    encode_power,
    mac_text,
    wrong_length,
)
from ruuvi_host.formats.encryption import NO_KEYS, Keys
from ruuvi_host.formats.format import Format
from ruuvi_host.formats.sequence import MeasurementSequence

LENGTH = 24
HEADER = bytes.fromhex("020106 1BFF9904 05")
"""How a RuuviTag's advertising data begins: flags, manufacturer specific data, the format byte."""
PAYLOAD = len(HEADER) - 1
"""Where the payload stands in it."""
SEQUENCE = MeasurementSequence(16, 18, length=0xFFFF)

_ADVERT = Struct(">8shHHhhhHBH6s")
_unpack = _ADVERT.unpack_from  # what follows the first structures is ignored
_new = tuple.__new__

NONE: Container[int] = ()
"""No data formats."""

Decoder = TypeVar("Decoder", bound=Callable[..., object])


class Format5(NamedTuple):
    """A reading of data format 5. A field whose sensor is missing is None."""

    data_format: Literal[5] = 5
    temperature: float | None = None
    humidity: float | None = None
    pressure: int | None = None
    acceleration_x: float | None = None
    acceleration_y: float | None = None
    acceleration_z: float | None = None
    battery_voltage: float | None = None
    tx_power: int | None = None
    movement_counter: int | None = None
    measurement_sequence: int | None = None
    mac: str | None = None


def usual_first(otherwise: Decoder) -> Decoder:
    """Decorate a decoder of advertising data, (advertising data, keys, without) → reading.

    Nearly all advertising data that is received begins as a RuuviTag's does. That is decoded here,
    at once, and everything else is left to the decorated function. One unpack for structures and
    payload, the arithmetic written out, and no call at all take a third of the time. The tests
    compare the numbers with those of the building blocks.
    """

    @wraps(otherwise)
    def decode(
        advertising_data: bytes, keys: Keys = NO_KEYS, without: Container[int] = NONE
    ) -> object:
        try:
            header, t, h, p, x, y, z, power, movements, sequence, mac = _unpack(advertising_data)
        except error:  # too short; asking for the length first would take longer
            return otherwise(advertising_data, keys, without)
        if header != HEADER or without:
            return otherwise(advertising_data, keys, without)
        try:
            address = MAC_TEXTS[mac]
        except KeyError:
            address = mac_text(mac)
        return _new(
            Format5,
            (
                5,
                None if t == -0x8000 else t / 200,
                None if h == 0xFFFF else h / 400,
                None if p == 0xFFFF else p + 50000,
                None if x == -0x8000 else x / 1000,
                None if y == -0x8000 else y / 1000,
                None if z == -0x8000 else z / 1000,
                VOLTAGES[power >> 5],
                TX_POWERS[power & 31],
                None if movements == 0xFF else movements,
                None if sequence == 0xFFFF else sequence,
                address,
            ),
        )

    return cast("Decoder", decode)


@usual_first
def decode_advert(
    advertising_data: bytes, keys: Keys = NO_KEYS, without: Container[int] = NONE
) -> Format5 | None:
    """Decode advertising data that begins as a RuuviTag's does; None for any other."""
    return None


def decode(payload: bytes) -> Format5:
    """Decode data format 5.

    payload: 24 bytes from the format byte (0x05) on.
    Raises FormatError: bad_length.
    """
    reading = decode_advert(HEADER + payload[1:])
    if reading is None or len(payload) != LENGTH:
        raise wrong_length(payload, LENGTH)
    return reading


def encode(measurement: Format5) -> bytes:
    """The 24 bytes of a reading; values outside the range are clipped."""
    m = measurement
    return _ADVERT.pack(
        HEADER,
        TEMPERATURE.encode(m.temperature),
        HUMIDITY.encode(m.humidity),
        PRESSURE.encode(m.pressure),
        ACCELERATION.encode(m.acceleration_x),
        ACCELERATION.encode(m.acceleration_y),
        ACCELERATION.encode(m.acceleration_z),
        encode_power(m.battery_voltage, m.tx_power),
        U8.encode(m.movement_counter),
        U16.encode(m.measurement_sequence),
        encode_mac(m.mac, 6),
    )[-LENGTH:]


FORMAT = Format(
    number=5,
    name="RAWv2",
    reading=Format5,
    decode=decode,
    encode=encode,
    length=LENGTH,
    sequence=SEQUENCE,
    address=slice(18, 24),
    movements=slice(15, 16),
)
