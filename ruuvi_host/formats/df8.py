"""Data format 8: encrypted environmental data. A proposal, sent by proof-of-concept firmware.

Source: docs.ruuvi.com "Data format 8"; ruuvi.endpoints.c ruuvi_endpoint_8.c.
"""

from struct import Struct
from typing import Literal, NamedTuple

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
from ruuvi_host.formats.encryption import BLOCK, Keys, decrypt_block, encrypt_block
from ruuvi_host.formats.format import Cipher, Format
from ruuvi_host.formats.sequence import MeasurementSequence

_LAYOUT = Struct(">BhHHHHH4xB6s")
_CHECKSUM = 17
"""Byte with the CRC-8 of the block in clear."""


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


def decrypt(payload: bytes, keys: Keys) -> bytes:
    """The payload in clear.

    payload: 24 bytes from the format byte (0x08) on. keys: tried in their order.
    Raises FormatError: bad_length, key_required, decrypt_failed.

    The checksum finds wrong keys (but for 1 in 256) and proves nothing about the sender: against
    replay, accept a reading only when its measurement_sequence has moved forward.
    """
    if len(payload) != _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    return decrypt_block(payload, keys, lambda block: crc8(block) == payload[_CHECKSUM])


def encrypt(payload: bytes, key: bytes) -> bytes:
    """The payload on the air, with its checksum, of one in clear."""
    checked = payload[:_CHECKSUM] + bytes([crc8(payload[BLOCK])]) + payload[_CHECKSUM + 1 :]
    return encrypt_block(checked, key)


def decode(payload: bytes) -> Format8:
    """Decode data format 8, in clear. Raises FormatError: bad_length."""
    if len(payload) != _LAYOUT.size:
        raise wrong_length(payload, _LAYOUT.size)
    _, t, h, p, power, movements, sequence, _, address = _LAYOUT.unpack(payload)
    return Format8(
        8,
        TEMPERATURE.decode(t),
        HUMIDITY.decode(h),
        PRESSURE.decode(p),
        VOLTAGES[power >> 5],
        TX_POWERS[power & 31],
        U16.decode(movements),
        U16.decode(sequence),
        mac_text(address),
    )


def encode(measurement: Format8) -> bytes:
    """The 24 bytes of a reading, in clear; values outside the range are clipped."""
    m = measurement
    return _LAYOUT.pack(
        8,
        TEMPERATURE.encode(m.temperature),
        HUMIDITY.encode(m.humidity),
        PRESSURE.encode(m.pressure),
        encode_power(m.battery_voltage, m.tx_power),
        U16.encode(m.movement_counter),
        U16.encode(m.measurement_sequence),
        0,
        encode_mac(m.mac, 6),
    )


FORMAT = Format(
    number=8,
    name="encrypted environmental",
    reading=Format8,
    decode=decode,
    encode=encode,
    length=_LAYOUT.size,
    sequence=MeasurementSequence(11, 13, length=0xFFFF),
    address=slice(18, 24),
    movements=slice(9, 11),
    opaque=BLOCK,
    cipher=Cipher(decrypt, encrypt),
)
