"""Data format FA: encrypted format 3 of custom projects.

Source: ruuvi.endpoints.c ruuvi_endpoint_fa.c.
"""

from struct import Struct
from typing import Literal, NamedTuple

from ruuvi_host.errors import FormatError
from ruuvi_host.formats import df3
from ruuvi_host.formats.coding import MACS, wrong_length
from ruuvi_host.formats.encryption import Keys, plaintexts

_LAYOUT = Struct(">B16s6s")
_PLAIN = Struct(">13sBH")


class FormatFA(NamedTuple):
    """A reading of data format FA. Like format 3 it has no code for "not available"."""

    data_format: Literal[0xFA]
    temperature: float | None
    humidity: float | None
    pressure: int | None
    acceleration_x: float | None
    acceleration_y: float | None
    acceleration_z: float | None
    battery_voltage: float | None
    measurement_sequence: int
    mac: str | None


def decode(payload: bytes, keys: Keys) -> FormatFA:
    """Decrypt and decode data format FA.

    payload: 23 octets from the format octet (0xFA) on. keys: tried in their order.
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
                data_format=0xFA,
                temperature=reading.temperature,
                humidity=reading.humidity,
                pressure=reading.pressure,
                acceleration_x=reading.acceleration_x,
                acceleration_y=reading.acceleration_y,
                acceleration_z=reading.acceleration_z,
                battery_voltage=reading.battery_voltage,
                measurement_sequence=counter,
                mac=MACS[address],
            )
    raise FormatError("decrypt_failed", "encrypted, and no key of this device fits")
