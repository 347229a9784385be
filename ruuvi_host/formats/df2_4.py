"""Data formats 2 and 4: a reading in the fragment of an Eddystone URL, https://ruu.vi/#AjwYAMFc.

Obsolete since 2018. Source: github.com/ruuvi/ruuvi-sensor-protocols, dataformat_04.md.
"""

from binascii import a2b_base64, b2a_base64
from struct import Struct
from typing import Literal, NamedTuple

from ruuvi_host.errors import FormatError
from ruuvi_host.formats.coding import (
    Number,
    Whole,
    decode_sign_magnitude,
    encode_sign_magnitude,
)
from ruuvi_host.formats.format import Format

_EDDYSTONE = b"\xaa\xfe"  # the service UUID, as on the air
_URL_FRAME = 0x10
_SCHEMES = range(4)  # http://www., https://www., http://, https://
_SITE = b"ruu.vi/#"
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/"
_FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_LAYOUT = Struct(">BBBBH")
_HUMIDITY = Number(2, 0, 0xFF)
_PRESSURE = Whole(0, 0xFFFF, base=50000)


class FormatUrl(NamedTuple):
    """A reading of data format 2 or 4. Never None when decoded; None is encoded as 0."""

    data_format: Literal[2, 4] = 4
    temperature: float | None = None
    humidity: float | None = None
    pressure: int | None = None
    tag_id: str | None = None
    """One character; None in format 2 and where the sender left it out."""


def find_fragment(service_data: bytes) -> bytes | None:
    """What stands behind `#` in a Ruuvi URL; None for any other service data.

    service_data: of an AD structure, from the UUID on.
    """
    head, url = service_data[:5], service_data[5:]
    if len(head) < 5 or head[:2] != _EDDYSTONE or head[2] != _URL_FRAME or head[4] not in _SCHEMES:
        return None  # head[3] is the power at 0 m
    return url[len(_SITE) :] if url.startswith(_SITE) and url.isascii() else None


def decode(fragment: bytes) -> FormatUrl:
    """Decode the fragment of a Ruuvi URL: 8 or 9 ASCII characters.

    Raises FormatError: bad_length, bad_encoding (not base64), unknown_format.
    """
    if len(fragment) not in (8, 9):
        raise FormatError("bad_length", f"{len(fragment)} characters in the URL, not 8 or 9")
    if fragment.translate(None, _ALPHABET):
        raise FormatError("bad_encoding", "a character behind # of the URL is not base64")
    payload = a2b_base64(fragment[:8].translate(_FROM_URL_SAFE))
    data_format, humidity, whole, hundredths, pressure = _LAYOUT.unpack(payload)
    if data_format not in (2, 4):
        raise FormatError("unknown_format", f"the URL holds data format {data_format:X}")
    return FormatUrl(
        data_format=data_format,
        temperature=decode_sign_magnitude(whole, hundredths),
        humidity=_HUMIDITY.decode(humidity),
        pressure=_PRESSURE.decode(pressure),
        # The ninth character of format 2 only fills the URL.
        tag_id=fragment[8:].decode() if data_format == 4 and len(fragment) == 9 else None,
    )


def encode(measurement: FormatUrl) -> bytes:
    """The fragment of a reading's URL; values outside the range are clipped.

    Senders of format 4 leave out the hundredths of the temperature.
    """
    m = measurement
    temperature, tag_id = m.temperature, ""
    if m.data_format == 4:
        temperature, tag_id = round(min(max(m.temperature or 0, -127), 127)), m.tag_id or ""
    payload = _LAYOUT.pack(
        m.data_format,
        _HUMIDITY.encode(m.humidity),
        *encode_sign_magnitude(temperature),
        _PRESSURE.encode(m.pressure),
    )
    return b2a_base64(payload, newline=False).translate(_TO_URL_SAFE) + tag_id.encode()


FORMAT_2, FORMAT_4 = (
    Format(
        number=number,
        name="URL",
        reading=FormatUrl,
        decode=decode,
        encode=encode,
        length=_LAYOUT.size,
        sequence=None,
        address=None,
        movements=None,
        in_url=True,
    )
    for number in (2, 4)
)
