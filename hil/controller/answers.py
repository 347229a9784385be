"""The answers of the scripted controller to commands, byte by byte."""

from enum import IntEnum

from .habits import LE_EXTENDED_ADVERTISING, Habits

OK, UNKNOWN, DISALLOWED, UNSUPPORTED, INVALID = 0x00, 0x01, 0x0C, 0x11, 0x12
"""Statuses, Core Vol 1 Part F."""


class Op(IntEnum):
    """Opcodes."""

    EVENT_MASK = 0x0C01
    RESET = 0x0C03
    LE_HOST = 0x0C6D
    VERSION = 0x1001
    COMMANDS = 0x1002
    ADDRESS = 0x1009
    LE_EVENT_MASK = 0x2001
    LE_FEATURES = 0x2003
    RANDOM_ADDRESS = 0x2005
    SCAN_PARAMETERS = 0x200B
    SCAN_ENABLE = 0x200C
    EXTENDED_PARAMETERS = 0x2041
    EXTENDED_ENABLE = 0x2042
    STATIC_ADDRESSES = 0xFC09


LENGTHS: dict[int, int] = {
    Op.RESET: 0,
    Op.VERSION: 0,
    Op.COMMANDS: 0,
    Op.ADDRESS: 0,
    Op.EVENT_MASK: 8,
    Op.LE_EVENT_MASK: 8,
    Op.LE_FEATURES: 0,
    Op.LE_HOST: 2,
    Op.RANDOM_ADDRESS: 6,
    Op.STATIC_ADDRESSES: 0,
}
"""Opcode: bytes of parameters. The scan commands have rules of their own."""
EMPTY_VALUES: dict[int, int] = {Op.VERSION: 8, Op.COMMANDS: 64, Op.ADDRESS: 6, Op.LE_FEATURES: 8}
"""A Command Complete that refuses is as long as one that does not: zeros."""
ALWAYS = ((5, 6), (5, 7), (14, 3), (15, 1), (25, 0), (25, 2), (25, 4), (26, 2), (26, 3))
"""Byte and bit, Core Vol 4 Part E 6.27: event mask, reset, version, address, LE event mask, LE
features, random address, legacy scanning."""
EXTENDED_SCANNING = ((37, 5), (37, 6))
LE_HOST_SUPPORT = (24, 6)


def command_complete(opcode: int, status: int, values: bytes, credit: int) -> bytes:
    """With its 04. credit: how many commands the host may send now."""
    if status != OK:
        values = bytes(EMPTY_VALUES.get(opcode, 0))
    parameters = bytes((credit,)) + opcode.to_bytes(2, "little") + bytes((status,)) + values
    return bytes((0x04, 0x0E, len(parameters))) + parameters


def command_status(opcode: int, status: int, credit: int) -> bytes:
    """With its 04."""
    return bytes((0x04, 0x0F, 4, status, credit)) + opcode.to_bytes(2, "little")


def supported(habits: Habits) -> bytes:
    """The 64 bytes of Read Local Supported Commands."""
    bits = list(ALWAYS)
    if habits.features >> LE_EXTENDED_ADVERTISING & 1:
        bits += EXTENDED_SCANNING
    if habits.has_two_modes:
        bits.append(LE_HOST_SUPPORT)
    octets = bytearray(64)
    for octet, bit in bits:
        octets[octet] |= 1 << bit
    return bytes(octets)


def parameters_are_valid(parameters: bytes, *, is_extended: bool) -> bool:
    """Are those of Set (Extended) Scan Parameters as long as they must be, and in their ranges?"""
    if not is_extended:
        return len(parameters) == 7 and _is_valid_scan(parameters[:5], 0x4000) and parameters[5] < 4
    if len(parameters) < 3 or not parameters[2] or parameters[0] > 3:
        return False
    sets = [parameters[i : i + 5] for i in range(3, len(parameters), 5)]
    if len(sets) != parameters[2].bit_count():
        return False
    return all(_is_valid_scan(scan, 0xFFFF) for scan in sets)


def _is_valid_scan(scan: bytes, longest: int) -> bool:
    """Type, interval, window: Core Vol 4 Part E 7.8.10 and 7.8.64."""
    if len(scan) != 5 or scan[0] > 1:
        return False
    interval, window = (int.from_bytes(scan[i : i + 2], "little") for i in (1, 3))
    return 4 <= window <= interval <= longest
