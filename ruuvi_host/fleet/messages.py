"""What one message of a host says: a reading of a sensor, or the state of the host. Pure.

The other direction is `relay/mqtt/messages.py`. A message may come from anybody who is let in by
the broker, so nothing in it is taken for granted.
"""

import json
import re
from typing import Any, NamedTuple

from ruuvi_host.formats import COMPANY, FORMATS
from ruuvi_host.formats.ad import MANUFACTURER_SPECIFIC, find
from ruuvi_host.intake.advertisement import RSSI_NOT_AVAILABLE

LONGEST = 16 * 1024
"""Bytes of a payload that is looked at; the longest of a gateway has about 700."""
LATE = 60
"""Seconds between reception and sending, after which a message is a late one."""
_MAC = re.compile(r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}")
_NOBODY = "00:00:00:00:00:00"
"""The sensor of an empty round, which gateways publish."""
_HIGHEST = 1 << 40
"""Of a time in seconds, or a counter: more is no such thing."""
_ENVELOPE = frozenset({"gw_mac", "rssi", "aoa", "gwts", "ts", "cnt", "coords", "name", "offsets"})
"""Members that are about the message, not the measurement."""


class Heard(NamedTuple):
    """A reading of a sensor, as one host has heard it."""

    gateway: str
    tag: str
    """Both AA:BB:CC:DD:EE:FF."""
    rssi: int | None
    """dBm; None: not available."""
    ts: int | None
    """UTC seconds of the reception."""
    gwts: int | None
    """UTC seconds of the sending."""
    cnt: int | None
    """In the place of both, of a host without clock."""
    data: bytes
    """Advertising data; empty: it is not in the message."""
    data_format: int | None
    number: int | None
    """Of the measurement; None: the format has none, or it is not available."""
    members: dict[str, Any]
    """All that the message says."""

    @property
    def is_late(self) -> bool:
        """Was it kept for a while before it was sent?"""
        return self.ts is not None and self.gwts is not None and self.gwts - self.ts > LATE

    @property
    def values(self) -> dict[str, Any]:
        """What is measured, by the gateway's names."""
        return {k: v for k, v in self.members.items() if k not in _ENVELOPE and k != "data"}


class GatewayState(NamedTuple):
    """What a host, or the broker in its place, says of its connection."""

    gateway: str
    """Its address; or what stands before gw_status in the topic, when that is none."""
    state: str
    """online, or offline; empty: the broker was told to forget it."""


def read_message(topic: str, payload: bytes) -> Heard | GatewayState | None:
    """None: it is neither."""
    prefix, _, last = topic.rpartition("/")
    above = prefix.rpartition("/")[2].upper()
    told = _object(payload)
    if topic.endswith("gw_status"):
        gateway = above if _MAC.fullmatch(above) else topic.removesuffix("gw_status").rstrip("/")
        return _state(gateway, payload, told)
    # A prefix need not end in /.
    tag = last.upper()[-len(_NOBODY) :]
    if told is None or not _MAC.fullmatch(tag) or tag == _NOBODY:
        return None
    named = told.get("gw_mac")
    gateway = named.upper() if isinstance(named, str) else above
    if not _MAC.fullmatch(gateway):
        return None
    data = _hex(told.get("data"))
    if data is None:
        return None
    # A host that decodes all formats has its own names for those that no gateway decodes.
    data_format, number = (
        _of_data(data)
        if data
        else _of_members(
            told.get("dataFormat", told.get("data_format")),
            told.get("measurementSequenceNumber", told.get("measurement_sequence")),
        )
    )
    rssi = _whole(told.get("rssi"), -128)
    return Heard(
        gateway,
        tag,
        None if rssi is None or rssi >= RSSI_NOT_AVAILABLE else rssi,
        _whole(told.get("ts")),
        _whole(told.get("gwts")),
        _whole(told.get("cnt")),
        data,
        data_format,
        number,
        told,
    )


def _state(gateway: str, payload: bytes, told: dict[str, Any] | None) -> GatewayState | None:
    if not payload:
        return GatewayState(gateway, "")
    state = (told or {}).get("state")
    return GatewayState(gateway, state) if state in ("online", "offline") else None


def _object(payload: bytes) -> dict[str, Any] | None:
    if len(payload) > LONGEST:
        return None
    try:
        told = json.loads(payload, parse_constant=_refuse)
    except (ValueError, RecursionError):  # one of text, of numbers, of nesting
        return None
    return told if isinstance(told, dict) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _whole(value: object, lowest: int = 0) -> int | None:
    """Of a number. Old gateways, and documents, have times as texts."""
    if isinstance(value, str) and len(value) < 16 and value.lstrip("-").isdecimal():
        try:
            value = int(value)
        except ValueError:
            return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if lowest <= value < _HIGHEST else None


def _hex(value: object) -> bytes | None:
    """None: it is no data; empty: there is none."""
    if value is None:
        return b""
    try:
        return bytes.fromhex(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _of_data(data: bytes) -> tuple[int | None, int | None]:
    """Format, and number of the measurement."""
    ours = find(data, MANUFACTURER_SPECIFIC, COMPANY)
    if not ours or len(ours) < len(COMPANY) + 1:
        return None, None
    payload = ours[len(COMPANY) :]
    known = FORMATS.get(payload[0])
    if known is None or known.in_url:
        return None, None
    if known.sequence is None or known.cipher:
        return known.number, None
    numbers = known.sequence.numbers(payload, payload)
    return known.number, numbers[0] if numbers else None


def _of_members(data_format: object, number: object) -> tuple[int | None, int | None]:
    known = FORMATS.get(_whole(data_format) or 0)
    if known is None:
        return None, None
    told = _whole(number)
    if known.sequence is None or told is None or told >= known.sequence.length:
        return known.number, None
    return known.number, told
