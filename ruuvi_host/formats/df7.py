"""Data format 7: motion and presence. A proof of concept that may still change.

Source: ruuvi.endpoints.c ruuvi_endpoint_7.c.
"""

from struct import Struct
from typing import Literal, NamedTuple

from ruuvi_host.errors import FormatError
from ruuvi_host.formats.coding import (
    HUMIDITY,
    PRESSURE,
    TEMPERATURE,
    U8,
    U16,
    Number,
    Whole,
    crc8,
    encode_bits,
    encode_mac,
    mac_text,
    wrong_length,
)
from ruuvi_host.formats.format import Format
from ruuvi_host.formats.sequence import MeasurementSequence

_LAYOUT = Struct(">BBBhHHbbHBBBB3s")
_CHECKED = 16
"""Bytes that the checksum behind them covers."""

_TILT = Number(126, -126, 126, missing=127, times=90)
_COLOR_TEMPERATURE = Whole(0, 254, missing=255, base=1000, step=26)
_INTENSITY = Whole(0, 15)
_VOLTAGE = Number(70, 0, 14, missing=15, offset=14, times=9)  # 1.8 V and fourteenths of 1.8 V


class Format7(NamedTuple):
    """A reading of data format 7. A field whose sensor is missing is None."""

    data_format: Literal[7] = 7
    measurement_sequence: int | None = None
    motion_detected: bool = False
    presence_detected: bool = False
    temperature: float | None = None
    humidity: float | None = None
    pressure: int | None = None
    tilt_x: float | None = None
    tilt_y: float | None = None
    luminosity: int | None = None
    color_temperature: int | None = None
    battery_voltage: float | None = None
    motion_intensity: int = 0
    """0 to 15; always available."""
    movement_counter: int | None = None
    mac_suffix: str | None = None


def decode(payload: bytes) -> Format7:
    """Decode data format 7.

    payload: 20 bytes from the format byte (0x07) on.
    Raises FormatError: bad_length, bad_crc.
    """
    if len(payload) != _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    if crc8(payload[:_CHECKED]) != payload[_CHECKED]:
        raise FormatError("bad_crc", "the checksum of data format 7 does not fit")
    raw = _LAYOUT.unpack(payload)
    _, sequence, flags, t, h, p, tilt_x, tilt_y, light, color, power, movements, _, mac = raw
    return Format7(
        7,
        U8.decode(sequence),
        bool(flags & 1),
        bool(flags & 2),
        TEMPERATURE.decode(t),
        HUMIDITY.decode(h),
        PRESSURE.decode(p),
        _TILT.decode(tilt_x),
        _TILT.decode(tilt_y),
        U16.decode(light),
        _COLOR_TEMPERATURE.decode(color),
        _VOLTAGE.decode(power >> 4),
        power & 15,
        U8.decode(movements),
        mac_text(mac),
    )


def encode(measurement: Format7) -> bytes:
    """The 20 bytes of a reading; values outside the range are clipped."""
    m = measurement
    payload = _LAYOUT.pack(
        7,
        U8.encode(m.measurement_sequence),
        encode_bits(m.motion_detected, m.presence_detected),
        TEMPERATURE.encode(m.temperature),
        HUMIDITY.encode(m.humidity),
        PRESSURE.encode(m.pressure),
        _TILT.encode(m.tilt_x),
        _TILT.encode(m.tilt_y),
        U16.encode(m.luminosity),
        _COLOR_TEMPERATURE.encode(m.color_temperature),
        _VOLTAGE.encode(m.battery_voltage) << 4 | _INTENSITY.encode(m.motion_intensity),
        U8.encode(m.movement_counter),
        0,
        encode_mac(m.mac_suffix, 3),
    )
    checked, behind = payload[:_CHECKED], payload[_CHECKED + 1 :]
    return checked + bytes([crc8(checked)]) + behind


FORMAT = Format(
    number=7,
    name="motion and presence",
    reading=Format7,
    decode=decode,
    encode=encode,
    length=_LAYOUT.size,
    sequence=MeasurementSequence(1, 2, length=0xFF),
    address=slice(17, 20),
    movements=slice(15, 16),
)
