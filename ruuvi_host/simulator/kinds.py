"""What kinds of tags there are: what each sends, in which advertising, and what it cannot measure.

Every data format is a kind by itself, under its number: a new format can be simulated at once.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ruuvi_host.errors import ConfigError
from ruuvi_host.formats import COMPANY, FORMATS, encode
from ruuvi_host.formats.ad import MANUFACTURER_SPECIFIC, SERVICE_DATA_16

KEY = b"RuuviComRuuviTag"
"""Of all simulated tags that encrypt: the firmware's default password, with no identifier mixed
in. It is public, and only good for trying out."""

FLAGS = bytes.fromhex("020106")
"""AD structure: general discoverable, no classic Bluetooth."""
RUUVI_SERVICE = bytes.fromhex("98FC")
EDDYSTONE_SERVICE = bytes.fromhex("AAFE")
INCOMPLETE, COMPLETE = 0x02, 0x03
"""Types of a list of services."""
EDDYSTONE_URL = bytes.fromhex("AAFE 10 F6 03") + b"ruu.vi/#"
"""URL frame, power at 0 m, https://"""

LONGEST_LEGACY = 31
"""Bytes of advertising data; whatever is longer needs extended advertising."""

LISTS_SERVICE = {0x06: COMPLETE, 0x07: INCOMPLETE, 0xC5: INCOMPLETE, 0xF0: COMPLETE}
"""Data formats whose senders put the list of services before the payload, and its type."""


class Kind(NamedTuple):
    """A kind of tag."""

    formats: tuple[int, ...]
    """Data formats that it sends in turn, all of the same sample."""
    missing: tuple[str, ...] = ()
    """Fields that it has no sensor for."""

    @property
    def fields(self) -> frozenset[str]:
        """All that it can measure."""
        found = {name for number in self.formats for name in _reading(number)._fields}
        return frozenset(found.difference(self.missing))


_NO_MICROPHONE = ("sound_instant", "sound_average", "sound_peak")

KINDS: dict[str, Kind] = {
    **{f"{number:x}": Kind((number,)) for number in sorted(FORMATS)},
    # Ruuvi Air as it is sold: both at once, and without a microphone.
    "air": Kind((0x06, 0xE1), _NO_MICROPHONE),
    # RuuviTag Pro with two sensors (temperature, motion), and with three (humidity).
    "2in1": Kind((0x05,), ("humidity", "pressure")),
    "3in1": Kind((0x05,), ("pressure",)),
}


def kind_of(name: str) -> Kind:
    """The kind with this name. Raises ConfigError."""
    kind = KINDS.get(name.lower())
    if kind is None:
        raise ConfigError("--tag", f"{name!r} is none of {', '.join(KINDS)}")
    return kind


class Advert(NamedTuple):
    """Advertising data, and the way in which it is sent."""

    data: bytes
    is_extended: bool


def advert(number: int, values: Mapping[str, Any], missing: tuple[str, ...] = ()) -> Advert:
    """What a tag sends in a data format, laid out as its real senders do.

    values: by field name. What the format has and `values` has not is not available.
    """
    reading = _reading(number)
    known = {
        name: values[name] for name in reading._fields if name in values and name not in missing
    }
    if sequence := FORMATS[number].sequence:
        known["measurement_sequence"] = values["measurement_sequence"] % sequence.length
    payload = encode(reading(**known | {"data_format": number}), KEY)
    if FORMATS[number].in_url:
        services = _structure(COMPLETE, EDDYSTONE_SERVICE)
        return Advert(
            FLAGS + services + _structure(SERVICE_DATA_16, EDDYSTONE_URL + payload), False
        )
    ours = _structure(MANUFACTURER_SPECIFIC, COMPANY + payload)
    if len(FLAGS + ours) > LONGEST_LEGACY:
        return Advert(ours + _structure(COMPLETE, RUUVI_SERVICE), True)
    list_type = LISTS_SERVICE.get(number)
    services = _structure(list_type, RUUVI_SERVICE) if list_type else b""
    return Advert(FLAGS + services + ours, False)


def _reading(number: int) -> Any:
    """The type of a data format's readings."""
    return FORMATS[number].reading


def _structure(type_: int, data: bytes) -> bytes:
    return bytes((len(data) + 1, type_)) + data
