"""Data format 8: encrypted environmental data. A proposal, sent by proof-of-concept firmware.

Source: docs.ruuvi.com "Data format 8"; ruuvi.endpoints.c ruuvi_endpoint_8.c.
"""

from struct import Struct
from typing import Literal, NamedTuple

from ruuvi_host.errors import FormatError
from ruuvi_host.formats.coding import (
    HUMIDITY,
    PRESSURE,
    TEMPERATURE,
    TX_POWERS,
    U16,
    VOLTAGES,
    crc8,
    encode_mac,
    encode_power,
    mac_text,
    wrong_length,
)
from ruuvi_host.formats.encryption import Keys, encrypt, plaintexts

_LAYOUT = Struct(">B16sB6s")
_PLAIN = Struct(">hHHHHH4x")


class Format8(NamedTuple):
    """A reading of data format 8. A field whose sensor is missing is None."""

    data_format: Literal[8] = 8
    temperature: float | None = None
    humidity: float | None = None
    pressure: int | None = None
    battery_voltage: float | None = None
    tx_power: int | None = None
    movement_counter: int | None = None
    measurement_sequence: int | None = None
    mac: str | None = None


def decode(payload: bytes, keys: Keys) -> Format8:
    """Decrypt and decode data format 8.

    payload: 24 bytes from the format byte (0x08) on. keys: tried in their order.
    Raises FormatError: bad_length, key_required, decrypt_failed.

    The checksum finds wrong keys (but for 1 in 256) and proves nothing about the sender: against
    replay, accept a reading only when its measurement_sequence has moved forward.
    """
    if len(payload) != _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    _, ciphertext, checksum, address = _LAYOUT.unpack(payload)
    for plaintext in plaintexts(ciphertext, address, keys):
        if crc8(plaintext) == checksum:
            t, h, p, power, movements, sequence = _PLAIN.unpack(plaintext)
            return Format8(
                temperature=TEMPERATURE.decode(t),
                humidity=HUMIDITY.decode(h),
                pressure=PRESSURE.decode(p),
                battery_voltage=VOLTAGES[power >> 5],
                tx_power=TX_POWERS[power & 31],
                movement_counter=U16.decode(movements),
                measurement_sequence=U16.decode(sequence),
                mac=mac_text(address),
            )
    raise FormatError("decrypt_failed", "encrypted, and no key of this device fits")


def encode(measurement: Format8, key: bytes) -> bytes:
    """The 24 bytes of a reading; values outside the range are clipped.

    Raises FormatError: key_required, when the extra for encryption is not installed.
    """
    m = measurement
    plaintext = _PLAIN.pack(
        TEMPERATURE.encode(m.temperature),
        HUMIDITY.encode(m.humidity),
        PRESSURE.encode(m.pressure),
        encode_power(m.battery_voltage, m.tx_power),
        U16.encode(m.movement_counter),
        U16.encode(m.measurement_sequence),
    )
    return _LAYOUT.pack(8, encrypt(plaintext, key), crc8(plaintext), encode_mac(m.mac, 6))
