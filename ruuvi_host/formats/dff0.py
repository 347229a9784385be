"""Data format F0: prototypes of Ruuvi Air in legacy advertising; format 6 took its place.

Source: ruuvi.endpoints.c ruuvi_endpoint_f0.c.
"""

from struct import Struct
from typing import Literal, NamedTuple

from ruuvi_host.formats.coding import (
    Logarithmic,
    Number,
    Whole,
    encode_bits,
    encode_mac,
    mac_text,
    wrong_length,
)
from ruuvi_host.formats.format import Format
from ruuvi_host.formats.sequence import MeasurementSequence

_LAYOUT = Struct(">BbBBBBBBBBBBBB6s")
_TEMPERATURE = Number(1, -127, 127, missing=-128)
_HUMIDITY = Number(2, 0, 254, missing=255)
_PRESSURE = Whole(0, 254, missing=255, base=90000, step=100)
_PARTICLES = Logarithmic(1001, minus=1)
_CO2 = Logarithmic(40001, minus=1)
_AIR_INDEX = Logarithmic(500, minus=0)
_LUMINOSITY = Logarithmic(40001, minus=1)
_SOUND = Number(2, 0, 254, missing=255)
_SEQUENCE = Whole(0, 15)


class FormatF0(NamedTuple):
    """A reading of data format F0. A field whose sensor is missing is None."""

    data_format: Literal[0xF0] = 0xF0
    temperature: float | None = None
    humidity: float | None = None
    pressure: int | None = None
    pm1_0: float | None = None
    pm2_5: float | None = None
    pm4_0: float | None = None
    pm10_0: float | None = None
    co2: float | None = None
    voc_index: float | None = None
    nox_index: float | None = None
    luminosity: float | None = None
    sound_average: float | None = None
    measurement_sequence: int = 0
    """0 to 15; always available."""
    usb_powered: bool = False
    low_battery: bool = False
    calibration_in_progress: bool = False
    boost_mode: bool = False
    mac: str | None = None


def decode(payload: bytes) -> FormatF0:
    """Decode data format F0.

    payload: 20 bytes from the format byte (0xF0) on.
    Raises FormatError: bad_length.
    """
    if len(payload) != _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    raw = _LAYOUT.unpack(payload)
    _, t, h, p, pm1_0, pm2_5, pm4_0, pm10_0, co2, voc, nox, light, sound, flags, mac = raw
    return FormatF0(
        0xF0,
        _TEMPERATURE.decode(t),
        _HUMIDITY.decode(h),
        _PRESSURE.decode(p),
        _PARTICLES.decode(pm1_0),
        _PARTICLES.decode(pm2_5),
        _PARTICLES.decode(pm4_0),
        _PARTICLES.decode(pm10_0),
        _CO2.decode(co2),
        _AIR_INDEX.decode(voc),
        _AIR_INDEX.decode(nox),
        _LUMINOSITY.decode(light),
        _SOUND.decode(sound),
        flags >> 4,
        bool(flags & 1),
        bool(flags & 2),
        bool(flags & 4),
        bool(flags & 8),
        mac_text(mac),
    )


def encode(measurement: FormatF0) -> bytes:
    """The 20 bytes of a reading; values outside the range are clipped."""
    m = measurement
    flags = encode_bits(m.usb_powered, m.low_battery, m.calibration_in_progress, m.boost_mode)
    return _LAYOUT.pack(
        0xF0,
        _TEMPERATURE.encode(m.temperature),
        _HUMIDITY.encode(m.humidity),
        _PRESSURE.encode(m.pressure),
        *(_PARTICLES.encode(pm) for pm in (m.pm1_0, m.pm2_5, m.pm4_0, m.pm10_0)),
        _CO2.encode(m.co2),
        _AIR_INDEX.encode(m.voc_index),
        _AIR_INDEX.encode(m.nox_index),
        _LUMINOSITY.encode(m.luminosity),
        _SOUND.encode(m.sound_average),
        _SEQUENCE.encode(m.measurement_sequence) << 4 | flags,
        encode_mac(m.mac, 6),
    )


FORMAT = Format(
    number=0xF0,
    name="Air prototype",
    reading=FormatF0,
    decode=decode,
    encode=encode,
    length=_LAYOUT.size,
    sequence=MeasurementSequence(13, 14, length=0x10, shift=4),
    address=slice(14, 20),
    movements=None,
)
