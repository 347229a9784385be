"""What a person says about one sensor: the table [sensors."AA:BB:CC:DD:EE:FF"]."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ruuvi_host.config.keys import HostKey, number, text
from ruuvi_host.errors import ConfigError

MAX_SENSORS = 300
"""That can be named. All that is done for each of them is done every few seconds."""
MAX_NAME = 60
"""Characters."""

ADDRESS_PATTERN = "^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$"
"""Of a table's name, in a JSON Schema."""
_ADDRESS = re.compile(ADDRESS_PATTERN)
_KEY = re.compile(r"[0-9A-Fa-f]{32}")


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """One sensor that has a table of its own. The defaults, and why."""

    KEYS: ClassVar[tuple[HostKey, ...]] = (
        text("name", "", f"What people call it; at most {MAX_NAME} characters."),
        number(
            "temperature_offset",
            0.0,
            "Added to its temperature, in °C. Offsets count in readings of our own form (`listen`, "
            "files, databases, metrics, the page, MQTT with `decode_all`), and never in what a "
            "gateway posts.",
            -100,
            100,
        ),
        number(
            "humidity_offset",
            0.0,
            "Added to its relative humidity, in %RH; the sum stays within 0 and 100.",
            -100,
            100,
        ),
        number("pressure_offset", 0.0, "Added to its air pressure, in Pa.", -50_000, 50_000),
        number(
            "silent_minutes",
            30.0,
            "Minutes without a report after which it is told as silent; 0: it is not watched.",
            0,
            10_080,
        ),
        number(
            "battery_volts",
            2.5,
            "Below this its battery is told as low: 0.2 V less below 0 °C and 0.5 V less below "
            "-20 °C, where a good one has less, too. 0: it is not watched.",
            0,
            20,
        ),
        text(
            "key",
            "",
            "Key of its encrypted readings, formats 8 and FA: 32 hexadecimal digits.",
            secret=True,
        ),
    )

    address: bytes
    """Six bytes, as in its reports."""
    name: str = ""
    """Printable; empty: it has none."""
    temperature_offset: float = 0.0
    humidity_offset: float = 0.0
    pressure_offset: float = 0.0
    """Pa."""
    silent_after: float = 1800.0
    """Seconds; 0: not watched. Half an hour: one at the edge of the range is heard once in a few
    minutes."""
    battery_volts: float = 2.5
    """V; 0: not watched. The limits, in the cold too, are those of Ruuvi's own apps."""
    key: bytes | None = field(default=None, repr=False)
    """16 bytes."""

    @classmethod
    def from_table(cls, address: str, values: Mapping[str, Any]) -> "SensorSettings":
        """What a table of those keys comes down to. Raises ConfigError naming the key."""
        given = {key.name: values.get(key.name, key.default) for key in cls.KEYS}
        name, key = given["name"], given["key"]
        if len(name) > MAX_NAME:
            raise ConfigError("name", f"must have at most {MAX_NAME} characters")
        if not name.isprintable():
            raise ConfigError("name", "must not have line ends or control characters")
        if key and not _KEY.fullmatch(key):  # never repeated
            raise ConfigError("key", "must be 32 hexadecimal digits")
        return cls(
            address=bytes.fromhex(address.replace(":", "")),
            name=name.strip(),
            temperature_offset=given["temperature_offset"],
            humidity_offset=given["humidity_offset"],
            pressure_offset=given["pressure_offset"],
            silent_after=60.0 * given["silent_minutes"],
            battery_volts=given["battery_volts"],
            key=bytes.fromhex(key) if key else None,
        )


def normal_address(text: str) -> str:
    """An address as it is written everywhere: AA:BB:CC:DD:EE:FF. Raises ValueError."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError("is no address as AA:BB:CC:DD:EE:FF")
    return text.upper()
