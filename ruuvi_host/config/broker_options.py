"""What a host does at a broker and a gateway does not: messages that expire or are retained, a will
that waits, and a topic for its own state. Their keys, and what does not go together."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ruuvi_host.config.keys import HostKey, flag, text, whole

GATEWAY_MAC = "<gateway MAC>"
"""Stands for the address of the gateway in a topic."""
LONGEST_EXPIRY = 0xFFFF_FFFF
LONGEST_DELAY = 86_400
"""Seconds."""
LONGEST_TOPIC = 256
"""Bytes; as of prefixes."""

_DEFAULT_PREFIX = re.compile(r"ruuvi/[0-9A-F]{2}(:[0-9A-F]{2}){5}/")


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """Nothing of it by default."""

    message_expiry: int = 0
    """Seconds after which the broker need not deliver a reading any more; 0: none. MQTT 5."""
    will_delay: int = 0
    """Seconds that the broker waits before it says that we are gone. MQTT 5."""
    retain_readings: bool = False
    status_topic: str = ""
    """Of the state of the host, with GATEWAY_MAC where its address belongs; empty: it is not
    told."""

    @classmethod
    def from_keys(cls, value: Callable[[str], Any]) -> "BrokerOptions":
        """value: of a key, without what stands before its name."""
        return cls(*(value(key) for key in _FIELDS))

    def without(self, key: str) -> "BrokerOptions":
        """key: as in `at_odds`."""
        return replace(self, **{_FIELDS[key]: getattr(_NONE, _FIELDS[key])})


_NONE = BrokerOptions()
_FIELDS = {
    "message_expiry_s": "message_expiry",
    "will_delay_s": "will_delay",
    "retain_readings": "retain_readings",
    "status_topic": "status_topic",
}


def option_keys(where: str = "") -> tuple[HostKey, ...]:
    """where: what stands before their names."""
    return (
        whole(
            f"{where}message_expiry_s",
            0,
            "With MQTT 5: seconds after which the broker drops a reading that it still keeps for a "
            "subscriber; 0: it keeps it.",
            0,
            LONGEST_EXPIRY,
        ),
        whole(
            f"{where}will_delay_s",
            0,
            "With MQTT 5: seconds that the broker waits before it tells that the host is offline; "
            "30 hides a short break.",
            0,
            LONGEST_DELAY,
        ),
        flag(
            f"{where}retain_readings",
            False,
            "The broker keeps the last reading of each sensor for whoever subscribes later. It "
            "looks like a new one, also when the sensor has left.",
        ),
        text(
            f"{where}status_topic",
            "",
            f"Where the host tells its own state, as `ruuvi-host/{GATEWAY_MAC}/status`; "
            f"`{GATEWAY_MAC}` stands for the address. Empty: nowhere.",
        ),
    )


def at_odds(
    options: BrokerOptions, prefix: str, *, is_5: bool, retains: bool
) -> Iterator[tuple[str, str]]:
    """What cannot be had so: for each the key, and half a sentence.

    prefix: of topics, as configured; empty: the default. is_5: MQTT 5 is wanted. retains: anything
    may be retained.
    """
    for key, value in (
        ("message_expiry_s", options.message_expiry),
        ("will_delay_s", options.will_delay),
    ):
        if value and not is_5:
            yield key, "needs version 5 of MQTT"
    if options.will_delay and not retains:
        yield "will_delay_s", "without retained messages there is no will"
    if options.retain_readings and not retains:
        yield "retain_readings", "contradicts disable_retained_messages"
    if why := _wrong_with(options.status_topic, prefix):
        yield "status_topic", why


def _wrong_with(topic: str, prefix: str) -> str:
    if any(c in topic for c in "+#\0") or any("\ud800" <= c <= "\udfff" for c in topic):
        return "must be a topic without +, # and NUL: brokers end the connection at such a one"
    if len(topic.encode()) > LONGEST_TOPIC:
        return f"is longer than {LONGEST_TOPIC} bytes"
    below = prefix or f"ruuvi/{GATEWAY_MAC}/"
    if topic.startswith(below) or (not prefix and _DEFAULT_PREFIX.match(topic)):
        return f"must not begin with {below}: who subscribes to that takes each topic for a sensor"
    return ""
