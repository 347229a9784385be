"""Data format 7: motion and presence. A proof of concept that may still change.

Source: ruuvi.endpoints.c ruuvi_endpoint_7.c.
"""

from struct import Struct
from typing import Literal, NamedTuple

from ruuvi_host.errors import FormatError
from ruuvi_host.formats.coding import (
    HUMIDITY,
    MACS,
    PRESSURE,
    TEMPERATURE,
    U8,
    U16,
    Number,
    Whole,
    crc8,
    wrong_length,
)

_LAYOUT = Struct(">BBBhHHbbHBBBB3s")
_CHECKED = 16
"""Octets that the checksum behind them covers."""

_TILT = Number(126, -126, 126, missing=127, times=90)
_COLOR_TEMPERATURE = Whole(0, 254, missing=255, base=1000, step=26)
_VOLTAGE = Number(70, 0, 14, missing=15, offset=14, times=9)  # 1.8 V and fourteenths of 1.8 V


class Format7(NamedTuple):
    """A reading of data format 7. A field whose sensor is missing is None."""

    data_format: Literal[7]
    measurement_sequence: int | None
    motion_detected: bool
    presence_detected: bool
    temperature: float | None
    humidity: float | None
    pressure: int | None
    tilt_x: float | None
    tilt_y: float | None
    luminosity: int | None
    color_temperature: int | None
    battery_voltage: float | None
    motion_intensity: int
    """0 to 15; always available."""
    movement_counter: int | None
    mac_suffix: str | None


def decode(payload: bytes) -> Format7:
    """Decode data format 7.

    payload: 20 octets from the format octet (0x07) on.
    Raises FormatError: bad_length, bad_crc.
    """
    if len(payload) != _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    if crc8(payload[:_CHECKED]) != payload[_CHECKED]:
        raise FormatError("bad_crc", "the checksum of data format 7 does not fit")
    raw = _LAYOUT.unpack(payload)
    _, sequence, flags, t, h, p, tilt_x, tilt_y, light, color, power, movements, _, mac = raw
    return Format7(
        data_format=7,
        measurement_sequence=U8.decode(sequence),
        motion_detected=bool(flags & 1),
        presence_detected=bool(flags & 2),
        temperature=TEMPERATURE.decode(t),
        humidity=HUMIDITY.decode(h),
        pressure=PRESSURE.decode(p),
        tilt_x=_TILT.decode(tilt_x),
        tilt_y=_TILT.decode(tilt_y),
        luminosity=U16.decode(light),
        color_temperature=_COLOR_TEMPERATURE.decode(color),
        battery_voltage=_VOLTAGE.decode(power >> 4),
        motion_intensity=power & 15,
        movement_counter=U8.decode(movements),
        mac_suffix=MACS[mac],
    )
