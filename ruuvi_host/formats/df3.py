"""Data format 3 (RAWv1): RuuviTags with old firmware.

Source: docs.ruuvi.com "Data format 3"; ruuvi.endpoints.c ruuvi_endpoint_3.c.
"""

from struct import Struct
from typing import Literal, NamedTuple

from ruuvi_host.formats.coding import (
    Number,
    Whole,
    decode_sign_magnitude,
    encode_sign_magnitude,
    wrong_length,
)
from ruuvi_host.formats.format import Format

_LAYOUT = Struct(">BBBBHhhhH")

# None of these has a code for "not available".
_HUMIDITY = Number(2, 0, 0xFF)
_PRESSURE = Whole(0, 0xFFFF, base=50000)
_ACCELERATION = Number(1000, -0x8000, 0x7FFF)
_VOLTAGE = Number(1000, 0, 0xFFFF)


class Format3(NamedTuple):
    """A reading of data format 3. Never None when decoded; None is encoded as 0."""

    data_format: Literal[3] = 3
    temperature: float | None = None
    humidity: float | None = None
    pressure: int | None = None
    acceleration_x: float | None = None
    acceleration_y: float | None = None
    acceleration_z: float | None = None
    battery_voltage: float | None = None


def decode(payload: bytes) -> Format3:
    """Decode data format 3.

    payload: 14 bytes from the format byte (0x03) on. Some firmware padded it with zeros, so
    bytes after the 14th are ignored.
    Raises FormatError: bad_length.
    """
    if len(payload) < _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    _, humidity, whole, hundredths, pressure, x, y, z, voltage = _LAYOUT.unpack_from(payload)
    return Format3(
        3,
        decode_sign_magnitude(whole, hundredths),
        _HUMIDITY.decode(humidity),
        _PRESSURE.decode(pressure),
        _ACCELERATION.decode(x),
        _ACCELERATION.decode(y),
        _ACCELERATION.decode(z),
        _VOLTAGE.decode(voltage),
    )


def encode(measurement: Format3) -> bytes:
    """The 14 bytes of a reading; values outside the range are clipped."""
    m = measurement
    return _LAYOUT.pack(
        3,
        _HUMIDITY.encode(m.humidity),
        *encode_sign_magnitude(m.temperature),
        _PRESSURE.encode(m.pressure),
        _ACCELERATION.encode(m.acceleration_x),
        _ACCELERATION.encode(m.acceleration_y),
        _ACCELERATION.encode(m.acceleration_z),
        _VOLTAGE.encode(m.battery_voltage),
    )


FORMAT = Format(
    number=3,
    name="RAWv1",
    reading=Format3,
    decode=decode,
    encode=encode,
    length=_LAYOUT.size,
    may_be_padded=True,
    sequence=None,
    address=None,
    movements=None,
)
