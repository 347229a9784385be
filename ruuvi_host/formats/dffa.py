"""Data format FA: encrypted format 3 of custom projects.

Source: ruuvi.endpoints.c ruuvi_endpoint_fa.c.
"""

from struct import Struct
from typing import Literal, NamedTuple

from ruuvi_host.errors import FormatError
from ruuvi_host.formats import df3
from ruuvi_host.formats.coding import Whole, encode_mac, mac_text, wrong_length
from ruuvi_host.formats.encryption import Keys, encrypt, plaintexts

_LAYOUT = Struct(">B16s6s")
_PLAIN = Struct(">13sBH")
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


def decode(payload: bytes, keys: Keys) -> FormatFA:
    """Decrypt and decode data format FA.

    payload: 23 bytes from the format byte (0xFA) on. keys: tried in their order.
    Raises FormatError: bad_length, key_required, decrypt_failed.
    """
    if len(payload) != _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    _, ciphertext, address = _LAYOUT.unpack(payload)
    for plaintext in plaintexts(ciphertext, address, keys):
        body, counter, zero = _PLAIN.unpack(plaintext)
        if zero == 0:
            reading = df3.decode(b"\x03" + body)
            return FormatFA(
                temperature=reading.temperature,
                humidity=reading.humidity,
                pressure=reading.pressure,
                acceleration_x=reading.acceleration_x,
                acceleration_y=reading.acceleration_y,
                acceleration_z=reading.acceleration_z,
                battery_voltage=reading.battery_voltage,
                measurement_sequence=counter,
                mac=mac_text(address),
            )
    raise FormatError("decrypt_failed", "encrypted, and no key of this device fits")


def encode(measurement: FormatFA, key: bytes) -> bytes:
    """The 23 bytes of a reading; values outside the range are clipped.

    Raises FormatError: key_required, when the extra for encryption is not installed.
    """
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
    plaintext = _PLAIN.pack(body, _SEQUENCE.encode(m.measurement_sequence), 0)
    return _LAYOUT.pack(0xFA, encrypt(plaintext, key), encode_mac(m.mac, 6))
