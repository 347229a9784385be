"""Data format E0: prototypes of Ruuvi Air in extended advertising; E1 took its place.

Source: ruuvi.endpoints.c ruuvi_endpoint_e0.c.
"""

from struct import Struct
from typing import Literal, NamedTuple

from ruuvi_host.formats.coding import (
    AIR_INDEX,
    HUMIDITY,
    PARTICLES,
    PRESSURE,
    TEMPERATURE,
    U16,
    Number,
    encode_bits,
    encode_mac,
    mac_text,
    wrong_length,
)
from ruuvi_host.formats.format import Format
from ruuvi_host.formats.sequence import MeasurementSequence

_LAYOUT = Struct(">BhHHHHHHHHHHBBHBB5s6s")
_SOUND = Number(2, 0, 254, missing=255)
_VOLTAGE = Number(100, 0, 254, missing=255, times=3)
_RESERVED = b"\xff" * 5


class FormatE0(NamedTuple):
    """A reading of data format E0. A field whose sensor is missing is None."""

    data_format: Literal[0xE0] = 0xE0
    temperature: float | None = None
    humidity: float | None = None
    pressure: int | None = None
    pm1_0: float | None = None
    pm2_5: float | None = None
    pm4_0: float | None = None
    pm10_0: float | None = None
    co2: int | None = None
    voc_index: int | None = None
    nox_index: int | None = None
    luminosity: int | None = None
    sound_average: float | None = None
    sound_peak: float | None = None
    measurement_sequence: int | None = None
    battery_voltage: float | None = None
    usb_powered: bool = False
    low_battery: bool = False
    calibration_in_progress: bool = False
    boost_mode: bool = False
    mac: str | None = None


def decode(payload: bytes) -> FormatE0:
    """Decode data format E0.

    payload: 40 bytes from the format byte (0xE0) on.
    Raises FormatError: bad_length.
    """
    if len(payload) != _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    raw = _LAYOUT.unpack(payload)
    _, t, h, p, pm1_0, pm2_5, pm4_0, pm10_0, co2, voc, nox = raw[:11]
    light, sound_average, sound_peak, sequence, voltage, flags, _, mac = raw[11:]
    return FormatE0(
        0xE0,
        TEMPERATURE.decode(t),
        HUMIDITY.decode(h),
        PRESSURE.decode(p),
        PARTICLES.decode(pm1_0),
        PARTICLES.decode(pm2_5),
        PARTICLES.decode(pm4_0),
        PARTICLES.decode(pm10_0),
        U16.decode(co2),
        AIR_INDEX.decode(voc),
        AIR_INDEX.decode(nox),
        U16.decode(light),
        _SOUND.decode(sound_average),
        _SOUND.decode(sound_peak),
        U16.decode(sequence),
        _VOLTAGE.decode(voltage),
        bool(flags & 1),
        bool(flags & 2),
        bool(flags & 4),
        bool(flags & 8),
        mac_text(mac),
    )


def encode(measurement: FormatE0) -> bytes:
    """The 40 bytes of a reading; values outside the range are clipped."""
    m = measurement
    return _LAYOUT.pack(
        0xE0,
        TEMPERATURE.encode(m.temperature),
        HUMIDITY.encode(m.humidity),
        PRESSURE.encode(m.pressure),
        *(PARTICLES.encode(pm) for pm in (m.pm1_0, m.pm2_5, m.pm4_0, m.pm10_0)),
        U16.encode(m.co2),
        AIR_INDEX.encode(m.voc_index),
        AIR_INDEX.encode(m.nox_index),
        U16.encode(m.luminosity),
        _SOUND.encode(m.sound_average),
        _SOUND.encode(m.sound_peak),
        U16.encode(m.measurement_sequence),
        _VOLTAGE.encode(m.battery_voltage),
        encode_bits(m.usb_powered, m.low_battery, m.calibration_in_progress, m.boost_mode),
        _RESERVED,
        encode_mac(m.mac, 6),
    )


FORMAT = Format(
    number=0xE0,
    name="Air prototype, extended",
    reading=FormatE0,
    decode=decode,
    encode=encode,
    length=_LAYOUT.size,
    sequence=MeasurementSequence(25, 27, length=0xFFFF),
    address=slice(34, 40),
    movements=None,
    opaque=slice(29, 34),
)
