"""What an advertisement means: advertising data in, one decoded reading out.

    from ruuvi_host.formats import decode, fields

    advert = "0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"
    print(fields(decode(bytes.fromhex(advert)))["temperature"])  # 24.3

One file per data format; a new one is a file, its import and its line in `FORMATS`.
"""

from collections.abc import Container

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
from ruuvi_host.formats.format import Format
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


FORMATS: dict[int, Format] = {
    known.number: known
    for known in (
        df2_4.FORMAT_2,
        df2_4.FORMAT_4,
        df3.FORMAT,
        df5.FORMAT,
        df6.FORMAT,
        df7.FORMAT,
        df8.FORMAT,
        dfc5.FORMAT,
        dfe0.FORMAT,
        dfe1.FORMAT,
        dff0.FORMAT,
        dffa.FORMAT,
    )
}
"""Every data format by its number."""


@usual_first
def decode(
    advertising_data: bytes, keys: Keys = NO_KEYS, without: Container[int] = NONE
) -> Measurement:
    """Decode the reading in advertising data, of any data format.

    advertising_data: complete, from the first length byte on; a scan response may follow.
    keys: for the encrypted formats.
    without: numbers of data formats that count as unknown; those from 0xF0 on may be used by
    private projects, for something else.
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
    known = FORMATS.get(data_format)
    if known is None or known.in_url or data_format in without:
        raise _unknown(data_format)
    if known.cipher:
        payload = known.cipher.decrypt(payload, keys)
    return known.decode(payload)


def _unknown(data_format: int) -> FormatError:
    return FormatError("unknown_format", f"data format {data_format:X} is not known here")


def encode(measurement: Measurement, key: bytes | None = None) -> bytes:
    """The payload of a reading, from the format byte on: for simulators and tests.

    Of formats 2 and 4: the fragment of the URL. Values outside the range of the format are
    clipped, None becomes its "not available".
    key: 16 bytes, for the encrypted formats.
    Raises FormatError: unknown_format, key_required.
    """
    known = FORMATS.get(measurement.data_format)
    if known is None:
        raise _unknown(measurement.data_format)
    payload = known.encode(measurement)
    if known.cipher is None:
        return payload
    if key is None:
        raise FormatError("key_required", f"data format {known.number:X} needs a key")
    return known.cipher.encrypt(payload, key)
