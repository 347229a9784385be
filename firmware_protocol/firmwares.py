"""The generations of the coprocessor's firmware, as far as they differ on the line."""

from dataclasses import dataclass
from math import inf

from firmware_protocol.commands import FIRMWARE_MAX_ADV_LEN, MAX_ADV_LEN


@dataclass(frozen=True, slots=True)
class Firmware:
    """What differs between the generations."""

    max_adv: int
    """Bytes of advertising data that it has room for."""
    watchdog: float
    """Seconds."""
    is_v1: bool
    """Reports as ADV_RPRT, knows the short SET_ALL only, echoes LED_CTRL, sends each reply at
    once whatever the line is doing, and is kept alive by commands and starts of a scan."""


FIRMWARES = {
    "2.0.0": Firmware(max_adv=FIRMWARE_MAX_ADV_LEN, watchdog=42.0, is_v1=False),
    "1.0.0": Firmware(max_adv=31, watchdog=20.0, is_v1=True),
}

PRODUCT = Firmware(max_adv=MAX_ADV_LEN, watchdog=inf, is_v1=False)
"""What speaks as 2.0.0 does, and is none of them: a coprocessor that is a program."""
