"""What an advertisement means: advertising data in, one decoded reading out.

    from ruuvi_host.formats import decode

    advert = "0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"
    print(decode(bytes.fromhex(advert)).temperature)  # 24.3

One file per data format; a new one is a file and a line in `FORMATS`.
"""

from collections.abc import Callable, Container
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
from ruuvi_host.formats.ad import MANUFACTURER_SPECIFIC, SERVICE_DATA_16, find, parse
from ruuvi_host.formats.df5 import NONE, usual_first
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
    reading: type[Measurement]
    decode: Callable[[bytes], Measurement]
    encode: Callable[[Any], bytes]
    """Takes a reading of this format."""
    sequence_length: int | None = None
    """How many numbers its measurement_sequence has before it starts over."""


class EncryptedFormat(NamedTuple):
    """A data format that only the device's key opens."""

    name: str
    reading: type[Measurement]
    decode: Callable[[bytes, Keys], Measurement]
    encode: Callable[[Any, bytes], bytes]
    """Takes a reading of this format, and the key."""
    sequence_length: int


FORMATS: dict[int, Format] = {
    0x03: Format("RAWv1", df3.Format3, df3.decode, df3.encode),
    0x05: Format("RAWv2", df5.Format5, df5.decode, df5.encode, 0xFFFF),
    0x06: Format("Air", df6.Format6, df6.decode, df6.encode, 0x100),
    0x07: Format("motion and presence", df7.Format7, df7.decode, df7.encode, 0xFF),
    0xC5: Format("cut RAWv2", dfc5.FormatC5, dfc5.decode, dfc5.encode, 0xFFFF),
    0xE0: Format("Air prototype, extended", dfe0.FormatE0, dfe0.decode, dfe0.encode, 0xFFFF),
    0xE1: Format("Air, extended", dfe1.FormatE1, dfe1.decode, dfe1.encode, 0xFFFFFF),
    0xF0: Format("Air prototype", dff0.FormatF0, dff0.decode, dff0.encode, 0x10),
}
ENCRYPTED: dict[int, EncryptedFormat] = {
    0x08: EncryptedFormat(
        "encrypted environmental", df8.Format8, df8.decode, df8.encode, sequence_length=0xFFFF
    ),
    0xFA: EncryptedFormat(
        "encrypted RAWv1", dffa.FormatFA, dffa.decode, dffa.encode, sequence_length=0x100
    ),
}
URL = (2, 4)
"""The data formats that travel in an Eddystone URL."""


@usual_first
def decode(
    advertising_data: bytes, keys: Keys = NO_KEYS, without: Container[int] = NONE
) -> Measurement:
    """Decode the reading in advertising data, of any data format.

    advertising_data: complete, from the first length byte on; a scan response may follow.
    keys: for the encrypted formats.
    without: numbers of data formats that are somebody else's here and count as unknown; those
    from 0xF0 on may be used by private projects too.
    Raises FormatError with one of its eight codes, and nothing else.
    """
    # The first structure of ours decides: when it is rejected, nothing else is tried.
    ours = find(advertising_data, MANUFACTURER_SPECIFIC, COMPANY)
    if ours is not None:
        return decode_payload(ours[2:], keys, without)
    found = parse(advertising_data)
    for type_, data in found.structures:
        if type_ == SERVICE_DATA_16 and (fragment := df2_4.find_fragment(data)) is not None:
            reading = df2_4.decode(fragment)
            if reading.data_format in without:
                raise _unknown(reading.data_format)
            return reading
    if found.malformed:
        raise FormatError("malformed_ad", "cut short, with no Ruuvi payload before the cut")
    raise FormatError("not_ruuvi", "no Ruuvi payload")


def decode_payload(
    payload: bytes, keys: Keys = NO_KEYS, without: Container[int] = NONE
) -> Measurement:
    """Decode the bytes behind Ruuvi's company identifier, as Bluetooth libraries deliver them.

    The rest is as with `decode`.
    """
    if not payload:
        raise FormatError("bad_length", "the Ruuvi payload is empty")
    data_format = payload[0]
    if data_format in without:
        raise _unknown(data_format)
    known = FORMATS.get(data_format)
    if known:
        return known.decode(payload)
    encrypted = ENCRYPTED.get(data_format)
    if encrypted:
        return encrypted.decode(payload, keys)
    raise _unknown(data_format)


def _unknown(data_format: int) -> FormatError:
    return FormatError("unknown_format", f"data format {data_format:X} is not known here")


def encode(measurement: Measurement, key: bytes | None = None) -> bytes:
    """The payload of a reading, from the format byte on: for simulators and tests.

    Of formats 2 and 4: the fragment of the URL. Values outside the range of the format are
    clipped, None becomes its "not available".
    key: 16 bytes, for the encrypted formats.
    Raises FormatError: unknown_format, key_required.
    """
    data_format = measurement.data_format
    if data_format in FORMATS:
        return FORMATS[data_format].encode(measurement)
    if isinstance(measurement, df2_4.FormatUrl):
        return df2_4.encode(measurement)
    if data_format not in ENCRYPTED:
        raise _unknown(data_format)
    if key is None:
        raise FormatError("key_required", f"data format {data_format:X} needs a key")
    return ENCRYPTED[data_format].encode(measurement, key)


def sequence_length(data_format: int) -> int | None:
    """How many numbers the measurement_sequence has before it starts over; None: there is none."""
    known = FORMATS.get(data_format) or ENCRYPTED.get(data_format)
    return known.sequence_length if known else None


def name_of(data_format: int) -> str:
    """A data format for people: 5 (RAWv2)."""
    known = FORMATS.get(data_format) or ENCRYPTED.get(data_format)
    return f"{data_format:X} ({known.name if known else 'URL'})"
