"""The HCI commands that scanning needs: their bytes, and names for people.

Source: Bluetooth Core, Volume 4, Part E (section numbers of 5.4); error codes: Volume 1, Part F.
"""

from dataclasses import dataclass
from enum import IntEnum

from ruuvi_host.hci.h4 import COMMAND
from ruuvi_host.hci.plan import ScanKind, ScanPlan

FLUSH = bytes(258)
"""As many zeros as the longest command has bytes behind its type: they complete one that was left
in the middle. Zero is no H4 type, so otherwise they are skipped."""

TIMEOUT = 2.0
"""Seconds. Controllers answer within milliseconds; in a flood of reports answers are late."""
RESET_TIMEOUT = 5.0
RESET_TRIES = 3

SCAN_TICK = 0.000625
"""Seconds: the unit of interval and window."""
WINDOW = 160
"""100 ms. Longer, and a jammed channel deafens longer; shorter, and more time goes into changing
channels. With one PHY the interval is the same: the radio listens all the time."""


class Opcode(IntEnum):
    """Group and number of a command, as it is sent."""

    SET_EVENT_MASK = 0x0C01
    RESET = 0x0C03
    WRITE_LE_HOST_SUPPORT = 0x0C6D
    READ_LOCAL_VERSION = 0x1001
    READ_LOCAL_COMMANDS = 0x1002
    READ_BD_ADDR = 0x1009
    LE_SET_EVENT_MASK = 0x2001
    LE_READ_LOCAL_FEATURES = 0x2003
    LE_SET_RANDOM_ADDRESS = 0x2005
    LE_SET_SCAN_PARAMETERS = 0x200B
    LE_SET_SCAN_ENABLE = 0x200C
    LE_SET_EXTENDED_SCAN_PARAMETERS = 0x2041
    LE_SET_EXTENDED_SCAN_ENABLE = 0x2042
    ZEPHYR_READ_STATIC_ADDRESSES = 0xFC09


@dataclass(frozen=True, slots=True)
class HciCommand:
    """One command."""

    opcode: Opcode
    parameters: bytes = b""
    returns: int = 0
    """Bytes that must follow the status in its answer."""
    timeout: float = TIMEOUT
    tries: int = 1

    def packet(self) -> bytes:
        """As it is sent, the type first."""
        head = bytes((COMMAND, *self.opcode.to_bytes(2, "little"), len(self.parameters)))
        return head + self.parameters


RESET = HciCommand(Opcode.RESET, timeout=RESET_TIMEOUT, tries=RESET_TRIES)
READ_LOCAL_VERSION = HciCommand(Opcode.READ_LOCAL_VERSION, returns=8)
"""Also what a quiet controller is asked for a sign of life."""
READ_LOCAL_COMMANDS = HciCommand(Opcode.READ_LOCAL_COMMANDS, returns=64)
READ_LOCAL_FEATURES = HciCommand(Opcode.LE_READ_LOCAL_FEATURES, returns=8)
READ_BD_ADDR = HciCommand(Opcode.READ_BD_ADDR, returns=6)
READ_STATIC_ADDRESSES = HciCommand(Opcode.ZEPHYR_READ_STATIC_ADDRESSES, returns=1)
WRITE_LE_HOST_SUPPORT = HciCommand(Opcode.WRITE_LE_HOST_SUPPORT, b"\x01\x00")

_HARDWARE_ERROR = 1 << 15
_LE_META = 1 << 61
# 7.3.1. LE Meta is off after a reset: a controller that scans and reports nothing.
SET_EVENT_MASK = HciCommand(
    Opcode.SET_EVENT_MASK, (_LE_META | _HARDWARE_ERROR).to_bytes(8, "little")
)

_LEGACY_REPORTS = 1 << 1
_EXTENDED_REPORTS = 1 << 12


def set_le_event_mask(*, extended: bool) -> HciCommand:
    """7.8.1. Bits that a controller cannot know are not set: one may refuse them."""
    mask = _LEGACY_REPORTS | (_EXTENDED_REPORTS if extended else 0)
    return HciCommand(Opcode.LE_SET_EVENT_MASK, mask.to_bytes(8, "little"))


def set_random_address(random: bytes) -> HciCommand:
    """7.8.4. Made random static: the two top bits of the last byte are set.

    A random part of only ones or only zeros is not allowed; `random` is taken to be random.
    """
    return HciCommand(Opcode.LE_SET_RANDOM_ADDRESS, random[:5] + bytes((random[5] | 0xC0,)))


PUBLIC, RANDOM = 0, 1
"""Own address types. RANDOM always: an nRF52 has no public address, and a controller may refuse to
scan with a type that it has no address of, although passive scanning sends none."""

_PASSIVE = 0
_ACCEPT_ALL = 0


def scan_parameters(plan: ScanPlan, own_address: int = RANDOM) -> HciCommand:
    """7.8.10 and 7.8.64: passive, everything. Only while scanning is off.

    Two PHYs have a window each in an interval of twice its length: one listens, then the other.
    """
    both = plan.coded and plan.uncoded
    times = (2 * WINDOW if both else WINDOW).to_bytes(2, "little") + WINDOW.to_bytes(2, "little")
    one = bytes((_PASSIVE,)) + times
    if plan.kind is ScanKind.LEGACY:
        return HciCommand(Opcode.LE_SET_SCAN_PARAMETERS, one + bytes((own_address, _ACCEPT_ALL)))
    phys = plan.uncoded | plan.coded << 2
    head = bytes((own_address, _ACCEPT_ALL, phys))
    return HciCommand(Opcode.LE_SET_EXTENDED_SCAN_PARAMETERS, head + one * (2 if both else 1))


def scan_enable(kind: ScanKind, *, on: bool) -> HciCommand:
    """7.8.11 and 7.8.65: duplicates are not filtered; no end."""
    if kind is ScanKind.LEGACY:
        return HciCommand(Opcode.LE_SET_SCAN_ENABLE, bytes((on, 0)))
    return HciCommand(Opcode.LE_SET_EXTENDED_SCAN_ENABLE, bytes((on, 0, 0, 0, 0, 0)))


_NAMES = {
    Opcode.SET_EVENT_MASK: "Set Event Mask",
    Opcode.RESET: "Reset",
    Opcode.WRITE_LE_HOST_SUPPORT: "Write LE Host Support",
    Opcode.READ_LOCAL_VERSION: "Read Local Version",
    Opcode.READ_LOCAL_COMMANDS: "Read Local Supported Commands",
    Opcode.READ_BD_ADDR: "Read BD_ADDR",
    Opcode.LE_SET_EVENT_MASK: "LE Set Event Mask",
    Opcode.LE_READ_LOCAL_FEATURES: "LE Read Local Supported Features",
    Opcode.LE_SET_RANDOM_ADDRESS: "LE Set Random Address",
    Opcode.LE_SET_SCAN_PARAMETERS: "LE Set Scan Parameters",
    Opcode.LE_SET_SCAN_ENABLE: "LE Set Scan Enable",
    Opcode.LE_SET_EXTENDED_SCAN_PARAMETERS: "LE Set Extended Scan Parameters",
    Opcode.LE_SET_EXTENDED_SCAN_ENABLE: "LE Set Extended Scan Enable",
    Opcode.ZEPHYR_READ_STATIC_ADDRESSES: "Zephyr Read Static Addresses",
}

UNKNOWN_COMMAND = 0x01
COMMAND_DISALLOWED = 0x0C
UNSUPPORTED_VALUE = 0x11
INVALID_PARAMETERS = 0x12

_ERRORS = {
    0x01: "unknown command",
    0x03: "hardware failure",
    0x07: "memory capacity exceeded",
    0x09: "connection limit exceeded",
    0x0C: "command disallowed",
    0x0D: "limited resources",
    0x11: "unsupported feature or parameter value",
    0x12: "invalid command parameters",
    0x1A: "unsupported remote feature",
    0x1F: "unspecified error",
    0x20: "unsupported LE parameter value",
    0x30: "parameter out of range",
    0x3A: "controller busy",
    0x45: "packet too long",
}
"""Those that a controller without connections can come to."""


def command_name(opcode: int) -> str:
    """Like "LE Set Scan Enable (0x200C)"."""
    name = _NAMES.get(opcode)  # type: ignore[call-overload]
    return f"{name} (0x{opcode:04X})" if name else f"command 0x{opcode:04X}"


def error_name(status: int) -> str:
    """Like "0x0C, command disallowed"."""
    name = _ERRORS.get(status)
    return f"0x{status:02X}, {name}" if name else f"error 0x{status:02X}"
