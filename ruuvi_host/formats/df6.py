"""Data format 6: Ruuvi Air in legacy advertising.

Source: docs.ruuvi.com "Data format 6"; ruuvi.endpoints.c ruuvi_endpoint_6.c for the bytes and
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
    Logarithmic,
    Whole,
    encode_bits,
    encode_mac,
    mac_text,
    wrong_length,
)
from ruuvi_host.formats.format import Format
from ruuvi_host.formats.sequence import MeasurementSequence

_LAYOUT = Struct(">BhHHHHBBBBBB3s")
_LUMINOSITY = Logarithmic(65536, minus=1)
_SEQUENCE = Whole(0, 255)


class Format6(NamedTuple):
    """A reading of data format 6. A field whose sensor is missing is None."""

    data_format: Literal[6] = 6
    temperature: float | None = None
    humidity: float | None = None
    pressure: int | None = None
    pm2_5: float | None = None
    co2: int | None = None
    voc_index: int | None = None
    nox_index: int | None = None
    luminosity: float | None = None
    sound_average: float | None = None
    measurement_sequence: int = 0
    """The low byte of the number that format E1 carries; always available."""
    calibration_in_progress: bool = False
    button_pressed: bool = False
    rtc_running_on_boot: bool = False
    mac_suffix: str | None = None


def decode(payload: bytes) -> Format6:
    """Decode data format 6.

    payload: 20 bytes from the format byte (0x06) on.
    Raises FormatError: bad_length.
    """
    if len(payload) != _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    _, t, h, p, pm2_5, co2, voc, nox, light, sound, sequence, flags, mac = _LAYOUT.unpack(payload)
    return Format6(
        6,
        TEMPERATURE.decode(t),
        HUMIDITY.decode(h),
        PRESSURE.decode(p),
        PARTICLES.decode(pm2_5),
        U16.decode(co2),
        AIR_INDEX.decode(voc << 1 | flags >> 6 & 1),
        AIR_INDEX.decode(nox << 1 | flags >> 7),
        _LUMINOSITY.decode(light),
        SOUND.decode(sound << 1 | flags >> 4 & 1),
        sequence,
        bool(flags & 1),
        bool(flags & 2),
        bool(flags & 4),
        mac_text(mac),
    )


def encode(measurement: Format6) -> bytes:
    """The 20 bytes of a reading; values outside the range are clipped."""
    m = measurement
    voc, nox = AIR_INDEX.encode(m.voc_index), AIR_INDEX.encode(m.nox_index)
    sound = SOUND.encode(m.sound_average)
    flags = (m.calibration_in_progress, m.button_pressed, m.rtc_running_on_boot)
    return _LAYOUT.pack(
        6,
        TEMPERATURE.encode(m.temperature),
        HUMIDITY.encode(m.humidity),
        PRESSURE.encode(m.pressure),
        PARTICLES.encode(m.pm2_5),
        U16.encode(m.co2),
        voc >> 1,
        nox >> 1,
        _LUMINOSITY.encode(m.luminosity),
        sound >> 1,
        _SEQUENCE.encode(m.measurement_sequence),
        encode_bits(*flags, 0, sound, 0, voc, nox),
        encode_mac(m.mac_suffix, 3),
    )


FORMAT = Format(
    number=6,
    name="Air",
    reading=Format6,
    decode=decode,
    encode=encode,
    length=_LAYOUT.size,
    sequence=MeasurementSequence(15, 16, length=0x100),
    address=slice(17, 20),
    movements=None,
    superseded_by=0xE1,
)
