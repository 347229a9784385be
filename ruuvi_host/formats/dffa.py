"""Data format FA: encrypted format 3 of custom projects.

Source: ruuvi.endpoints.c ruuvi_endpoint_fa.c.
"""

from struct import Struct
from typing import Literal, NamedTuple

from ruuvi_host.formats import df3
from ruuvi_host.formats.coding import Whole, encode_mac, mac_text, wrong_length
from ruuvi_host.formats.encryption import BLOCK, Keys, decrypt_block, encrypt_block
from ruuvi_host.formats.format import Cipher, Format
from ruuvi_host.formats.sequence import MeasurementSequence

_LAYOUT = Struct(">B13sB2x6s")
_SEQUENCE = Whole(0, 255)


class FormatFA(NamedTuple):
    """A reading of data format FA. Like format 3 it has no code for "not available"."""

    data_format: Literal[0xFA] = 0xFA
    temperature: float | None = None
    humidity: float | None = None
    pressure: int | None = None
    acceleration_x: float | None = None
    acceleration_y: float | None = None
    acceleration_z: float | None = None
    battery_voltage: float | None = None
    measurement_sequence: int = 0
    """0 to 255; always available."""
    mac: str | None = None


def decrypt(payload: bytes, keys: Keys) -> bytes:
    """The payload in clear.

    payload: 23 bytes from the format byte (0xFA) on. keys: tried in their order.
    Raises FormatError: bad_length, key_required, decrypt_failed.
    """
    if len(payload) != _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    return decrypt_block(payload, keys, lambda block: block.endswith(b"\0\0"))


def decode(payload: bytes) -> FormatFA:
    """Decode data format FA, in clear. Raises FormatError: bad_length."""
    if len(payload) != _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    _, body, sequence, mac = _LAYOUT.unpack(payload)
    reading = df3.decode(b"\x03" + body)
    return FormatFA(
        temperature=reading.temperature,
        humidity=reading.humidity,
        pressure=reading.pressure,
        acceleration_x=reading.acceleration_x,
        acceleration_y=reading.acceleration_y,
        acceleration_z=reading.acceleration_z,
        battery_voltage=reading.battery_voltage,
        measurement_sequence=sequence,
        mac=mac_text(mac),
    )


def encode(measurement: FormatFA) -> bytes:
    """The 23 bytes of a reading, in clear; values outside the range are clipped."""
    m = measurement
    reading = df3.Format3(
        temperature=m.temperature,
        humidity=m.humidity,
        pressure=m.pressure,
        acceleration_x=m.acceleration_x,
        acceleration_y=m.acceleration_y,
        acceleration_z=m.acceleration_z,
        battery_voltage=m.battery_voltage,
    )
    body = df3.encode(reading)[1:]
    return _LAYOUT.pack(0xFA, body, _SEQUENCE.encode(m.measurement_sequence), encode_mac(m.mac, 6))


FORMAT = Format(
    number=0xFA,
    name="encrypted RAWv1",
    reading=FormatFA,
    decode=decode,
    encode=encode,
    length=_LAYOUT.size,
    sequence=MeasurementSequence(14, 15, length=0x100),
    address=slice(17, 23),
    movements=None,
    opaque=BLOCK,
    cipher=Cipher(decrypt, encrypt_block),
)
