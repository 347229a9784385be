"""What HCI events mean, but for advertising reports, which `reports` reads by the hundred.

An event stands as PacketSplitter gives it: code, length, parameters.

Source: Bluetooth Core, Volume 4, Part E, 7.7; Zephyr's vendor event: samples/bluetooth/hci_uart.
"""

from typing import NamedTuple

COMMAND_COMPLETE = 0x0E
COMMAND_STATUS = 0x0F
HARDWARE_ERROR = 0x10
LE_META = 0x3E
VENDOR = 0xFF

ADVERTISING_REPORT = 0x02
EXTENDED_ADVERTISING_REPORT = 0x0D

_ZEPHYR_ASSERT = 0xAA
_PRINTABLE = range(0x20, 0x7F)


class Answer(NamedTuple):
    """A command is done, or, with `complete` False and status 0, being done."""

    opcode: int
    """0: no command; the controller only says that it takes one."""
    status: int
    returned: bytes
    """What follows the status."""
    complete: bool
    credit: int = 1
    """Commands that the controller takes now; 0: none until it says so."""


class HardwareError(NamedTuple):
    """The controller reports a fault of its own."""

    code: int


class Assertion(NamedTuple):
    """Zephyr's last words: it loops for ever from here on."""

    file: str
    line: int


class Malformed(NamedTuple):
    """The lengths do not add up."""

    event: bytes


class Other(NamedTuple):
    """Nothing that scanning needs."""

    code: int


Event = Answer | HardwareError | Assertion | Malformed | Other


def is_report(event: bytes) -> bool:
    """Is it one for `reports`?"""
    return (
        event[0] == LE_META
        and len(event) > 2
        and event[2] in (ADVERTISING_REPORT, EXTENDED_ADVERTISING_REPORT)
    )


def parse(event: bytes) -> Event:
    """The meaning of an event. Never raises."""
    code, parameters = event[0], event[2:]
    if code == COMMAND_COMPLETE:
        return _complete(event, parameters)
    if code == COMMAND_STATUS:
        if len(parameters) < 4:
            return Malformed(event)
        status, credit = parameters[:2]
        return Answer(_u16(parameters, 2), status, b"", complete=False, credit=credit)
    if code == HARDWARE_ERROR:
        return HardwareError(parameters[0]) if parameters else Malformed(event)
    if code == VENDOR and parameters[:1] == bytes((_ZEPHYR_ASSERT,)):
        return _assertion(parameters[1:])
    return Other(code)


def _u16(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 2], "little")


def _complete(event: bytes, parameters: bytes) -> Event:
    if len(parameters) < 3:
        return Malformed(event)
    credit, opcode = parameters[0], _u16(parameters, 1)
    if opcode == 0:
        return Answer(0, 0, b"", complete=True, credit=credit)
    if len(parameters) < 4:  # every command that we know returns a status
        return Malformed(event)
    return Answer(opcode, parameters[3], parameters[4:], complete=True, credit=credit)


def _assertion(told: bytes) -> Assertion:
    """File name, a zero, and the line; it may be cut off anywhere, and comes from a wreck."""
    file, _, line = told.partition(b"\0")
    text = "".join(chr(byte) if byte in _PRINTABLE else "?" for byte in file)
    return Assertion(text, int.from_bytes(line[:4], "little"))
