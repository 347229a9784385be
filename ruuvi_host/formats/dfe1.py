"""Data format E1: Ruuvi Air in extended advertising.

Source: docs.ruuvi.com "Data format E1"; ruuvi.endpoints.c ruuvi_endpoint_e1.c for the bytes and
flags that the documentation calls reserved (sound, button, clock).
"""

from struct import Struct
from typing import Literal, NamedTuple

from ruuvi_host.formats.coding import (
    AIR_INDEX,
    HUMIDITY,
    PARTICLES,
    PRESSURE,
    SOUND,
    TEMPERATURE,
    U16,
    Number,
    Whole,
    encode_bits,
    encode_mac,
    mac_text,
    wrong_length,
)
from ruuvi_host.formats.format import Format
from ruuvi_host.formats.sequence import MeasurementSequence

_LAYOUT = Struct(">BhHHHHHHHBB3sBBB3sB5s6s")
_LUMINOSITY = Number(100, 0, 0xFFFFFE, missing=0xFFFFFF)
_SEQUENCE = Whole(0, 0xFFFFFE, missing=0xFFFFFF)
_RESERVED = b"\xff" * 5


class FormatE1(NamedTuple):
    """A reading of data format E1. A field whose sensor is missing is None."""

    data_format: Literal[0xE1] = 0xE1
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
    luminosity: float | None = None
    sound_instant: float | None = None
    sound_average: float | None = None
    sound_peak: float | None = None
    measurement_sequence: int | None = None
    calibration_in_progress: bool = False
    button_pressed: bool = False
    rtc_running_on_boot: bool = False
    mac: str | None = None


def decode(payload: bytes) -> FormatE1:
    """Decode data format E1.

    payload: 40 bytes from the format byte (0xE1) on.
    Raises FormatError: bad_length.
    """
    if len(payload) != _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    raw = _LAYOUT.unpack(payload)
    _, t, h, p, pm1_0, pm2_5, pm4_0, pm10_0, co2, voc, nox = raw[:11]
    light, sound_instant, sound_average, sound_peak, sequence, flags, _, mac = raw[11:]
    return FormatE1(
        0xE1,
        TEMPERATURE.decode(t),
        HUMIDITY.decode(h),
        PRESSURE.decode(p),
        PARTICLES.decode(pm1_0),
        PARTICLES.decode(pm2_5),
        PARTICLES.decode(pm4_0),
        PARTICLES.decode(pm10_0),
        U16.decode(co2),
        AIR_INDEX.decode(voc << 1 | flags >> 6 & 1),
        AIR_INDEX.decode(nox << 1 | flags >> 7),
        _LUMINOSITY.decode(int.from_bytes(light)),
        SOUND.decode(sound_instant << 1 | flags >> 3 & 1),
        SOUND.decode(sound_average << 1 | flags >> 4 & 1),
        SOUND.decode(sound_peak << 1 | flags >> 5 & 1),
        _SEQUENCE.decode(int.from_bytes(sequence)),
        bool(flags & 1),
        bool(flags & 2),
        bool(flags & 4),
        mac_text(mac),
    )


def encode(measurement: FormatE1) -> bytes:
    """The 40 bytes of a reading; values outside the range are clipped."""
    m = measurement
    voc, nox = AIR_INDEX.encode(m.voc_index), AIR_INDEX.encode(m.nox_index)
    sounds = [SOUND.encode(s) for s in (m.sound_instant, m.sound_average, m.sound_peak)]
    flags = (m.calibration_in_progress, m.button_pressed, m.rtc_running_on_boot)
    return _LAYOUT.pack(
        0xE1,
        TEMPERATURE.encode(m.temperature),
        HUMIDITY.encode(m.humidity),
        PRESSURE.encode(m.pressure),
        *(PARTICLES.encode(pm) for pm in (m.pm1_0, m.pm2_5, m.pm4_0, m.pm10_0)),
        U16.encode(m.co2),
        voc >> 1,
        nox >> 1,
        _LUMINOSITY.encode(m.luminosity).to_bytes(3),
        *(sound >> 1 for sound in sounds),
        _SEQUENCE.encode(m.measurement_sequence).to_bytes(3),
        encode_bits(*flags, *sounds, voc, nox),
        _RESERVED,
        encode_mac(m.mac, 6),
    )


FORMAT = Format(
    number=0xE1,
    name="Air, extended",
    reading=FormatE1,
    decode=decode,
    encode=encode,
    length=_LAYOUT.size,
    sequence=MeasurementSequence(25, 28, length=0xFFFFFF),
    address=slice(34, 40),
    movements=None,
    opaque=slice(29, 34),
)
