"""What a broker is told beyond a gateway's messages: discovery by Home Assistant, the values of all
data formats, and computed ones. Their keys, and what stands in their way."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ruuvi_host.config.derived import derived_key, in_order
from ruuvi_host.config.keys import HostKey, flag, text
from ruuvi_host.config.target_parts import DataFormat

PREFIX = "homeassistant"
"""What config topics begin with, unless Home Assistant was told otherwise."""
LONGEST_PREFIX = 256
"""Bytes; as of other prefixes."""

_FORBIDDEN = "+#\0"
"""A topic with one of these ends the connection."""
_ADDRESS = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")
"""As it stands in topics."""
_NEEDS = "needs {0}data_format ruuvi_raw_and_decoded or ruuvi_decoded: "
_SWITCH, _PREFIX, _SHARED = (f"homeassistant.{name}" for name in ("enabled", "prefix", "shared"))


@dataclass(frozen=True, slots=True)
class HomeAssistant:
    """How Home Assistant is told what there is."""

    prefix: str = PREFIX
    """Of the topics of configs."""
    shared: bool = False
    """Several hosts hear the same sensors, and are one source of their values."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What a broker is told beyond a gateway's messages; nothing by default."""

    decode_all: bool = False
    """All data formats are decoded, with names, offsets and keys of our user's sensors."""
    derived: tuple[str, ...] = ()
    """Some of DERIVED, in their order there."""
    homeassistant: HomeAssistant | None = None
    """None: it is not told what there is."""

    @classmethod
    def from_keys(cls, value: Callable[[str], Any]) -> "Extras":
        """value: of a key, without what stands before its name."""
        told = HomeAssistant(value(_PREFIX), value(_SHARED)) if value(_SWITCH) else None
        return cls(value("decode_all"), in_order(value("derived")), told)

    def without(self, key: str) -> "Extras":
        """key: as in `in_the_way`."""
        match key:
            case "decode_all":
                return replace(self, decode_all=False)
            case "derived":
                return replace(self, derived=())
        return replace(self, homeassistant=None)


def extra_keys(where: str = "") -> tuple[HostKey, ...]:
    """where: what stands before their names."""
    return (*_reading_keys(where), *_homeassistant_keys(where))


def _reading_keys(where: str) -> tuple[HostKey, ...]:
    return (
        flag(
            f"{where}decode_all",
            False,
            "Decode all data formats, and not only 5, 6 and E1 as a gateway does; and use names, "
            "offsets and keys of `[sensors]`.",
        ),
        derived_key(", with a data format that is decoded", f"{where}derived"),
    )


def _homeassistant_keys(where: str) -> tuple[HostKey, ...]:
    return (
        flag(
            f"{where}{_SWITCH}",
            False,
            "Tell Home Assistant what there is (MQTT discovery), so that it makes its entities.",
        ),
        text(f"{where}{_PREFIX}", PREFIX, "The discovery prefix that Home Assistant has."),
        flag(
            f"{where}{_SHARED}",
            False,
            "Several hosts hear the same sensors: Home Assistant takes the readings of each. All "
            "of them need this, the same kind of prefix, format, interval and names.",
        ),
    )


def in_the_way(
    topic_prefix: str,
    data_format: DataFormat,
    extras: Extras,
    *,
    named: str = "",
) -> Iterator[tuple[str, str]]:
    """What cannot be done so: for each the key, and half a sentence.

    topic_prefix: of messages, as configured; empty: it has the gateway's address in it.
    named: how the key data_format begins.
    """
    needs = _NEEDS.format(named)
    if data_format is DataFormat.RAW:
        if extras.decode_all:
            yield "decode_all", f"{needs}nothing is decoded with ruuvi_raw"
        if extras.derived:
            yield "derived", f"{needs}the body of a gateway stays as a gateway makes it"
    homeassistant = extras.homeassistant
    if homeassistant is None:
        return
    if data_format is DataFormat.RAW:
        yield _SWITCH, f"{needs}Home Assistant reads decoded values"
    prefix = homeassistant.prefix
    if why := wrong_with_prefix(prefix):
        yield _PREFIX, why
    levels = topic_prefix.split("/")[:-1]
    if homeassistant.shared and topic_prefix and not any(map(_ADDRESS.fullmatch, levels)):
        yield (
            _SHARED,
            f"needs {named}prefix with the gateway's address as a level of its own, as in "
            "ruuvi/AA:BB:CC:DD:EE:FF/",
        )


def wrong_with_prefix(prefix: str) -> str:
    """Why configs cannot begin so; empty: they can."""
    if not all(prefix.split("/")) or any(c in prefix for c in _FORBIDDEN):
        return (
            "must be levels of a topic with / between them, without +, # and NUL: the discovery "
            "prefix that Home Assistant has"
        )
    if any("\ud800" <= c <= "\udfff" for c in prefix):
        return "has a character that MQTT does not allow"
    if len(prefix.encode()) > LONGEST_PREFIX:
        return f"is longer than {LONGEST_PREFIX} bytes"
    return ""
