"""What an advertisement means: advertising data in, one decoded reading out.

    from ruuvi_host.formats import decode

    advert = "0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"
    print(decode(bytes.fromhex(advert)).temperature)  # 24.3

One file per data format; a new one is a file and a line in `FORMATS`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ruuvi_host.errors import FormatError
from ruuvi_host.formats import (
    df2_4,
    df3,
    df5,
    df6,
    df7,
    df8,
    dfc5,
    dfe0,
    dfe1,
    dff0,
    dffa,
)
from ruuvi_host.formats.ad import MANUFACTURER_SPECIFIC, SERVICE_DATA_16, parse
from ruuvi_host.formats.df5 import usual_first
from ruuvi_host.formats.encryption import NO_KEYS, Keys, derive_key
from ruuvi_host.formats.measurement import Measurement, fields

__all__ = [
    "decode",
    "decode_payload",
    "encode",
    "Measurement",
    "fields",
    "FormatError",
    "Keys",
    "derive_key",
]

COMPANY = bytes.fromhex("9904")
"""Ruuvi's company identifier 0x0499, as on the air."""


class Format(NamedTuple):
    """A data format of manufacturer specific data."""

    name: str
    decode: Callable[[bytes], Measurement]
    encode: Callable[[Any], bytes] | None = None
    """Takes a reading of this format; None: no encoder."""


class EncryptedFormat(NamedTuple):
    """A data format that only the device's key opens."""

    name: str
    decode: Callable[[bytes, Keys], Measurement]


FORMATS: dict[int, Format] = {
    0x03: Format("RAWv1", df3.decode, df3.encode),
    0x05: Format("RAWv2", df5.decode, df5.encode),
    0x06: Format("Air", df6.decode, df6.encode),
    0x07: Format("motion and presence", df7.decode),
    0xC5: Format("cut RAWv2", dfc5.decode, dfc5.encode),
    0xE0: Format("Air prototype, extended", dfe0.decode, dfe0.encode),
    0xE1: Format("Air, extended", dfe1.decode, dfe1.encode),
    0xF0: Format("Air prototype", dff0.decode, dff0.encode),
}
ENCRYPTED: dict[int, EncryptedFormat] = {
    0x08: EncryptedFormat("encrypted environmental", df8.decode),
    0xFA: EncryptedFormat("encrypted RAWv1", dffa.decode),
}


@usual_first
def decode(advertising_data: bytes, keys: Keys = NO_KEYS) -> Measurement:
    """Decode the reading in advertising data, of any data format.

    advertising_data: complete, from the first length octet on; a scan response may follow.
    keys: for the encrypted formats.
    Raises FormatError with one of its eight codes, and nothing else.

    The numbers from 0xF0 on may be used by private projects too: whoever has one of those around
    leaves out readings by their data_format.
    """
    found = parse(advertising_data)
    # The first structure of ours decides: when it is rejected, nothing else is tried.
    for type_, data in found.structures:
        if type_ == MANUFACTURER_SPECIFIC and data[:2] == COMPANY:
            return decode_payload(data[2:], keys)
    for type_, data in found.structures:
        if type_ == SERVICE_DATA_16 and (fragment := df2_4.find_fragment(data)) is not None:
            return df2_4.decode(fragment)
    if found.malformed:
        raise FormatError("malformed_ad", "cut short, with no Ruuvi payload before the cut")
    raise FormatError("not_ruuvi", "no Ruuvi payload")


def decode_payload(payload: bytes, keys: Keys = NO_KEYS) -> Measurement:
    """Decode the octets behind Ruuvi's company identifier, as Bluetooth libraries deliver them.

    Errors as with `decode`.
    """
    if not payload:
        raise FormatError("bad_length", "the Ruuvi payload is empty")
    data_format = payload[0]
    if data_format in FORMATS:
        return FORMATS[data_format].decode(payload)
    if data_format in ENCRYPTED:
        return ENCRYPTED[data_format].decode(payload, keys)
    raise FormatError("unknown_format", f"data format {data_format:X} is not known")


def encode(measurement: Measurement) -> bytes:
    """The payload of a reading, from the format octet on: for simulators and tests.

    Values outside the range of the format are clipped, None becomes its "not available".
    Raises FormatError: unknown_format, when this format has no encoder.
    """
    known = FORMATS.get(measurement.data_format)
    if known is None or known.encode is None:
        raise FormatError("unknown_format", f"format {measurement.data_format:X} has no encoder")
    return known.encode(measurement)


def name_of(data_format: int) -> str:
    """A data format for people: 5 (RAWv2)."""
    known = FORMATS.get(data_format) or ENCRYPTED.get(data_format)
    return f"{data_format:X} ({known.name if known else 'URL'})"
