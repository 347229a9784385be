"""How a scripted controller behaves: what it can do, what it says it can, and how it breaks."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

LE_2M_PHY, LE_CODED_PHY, LE_EXTENDED_ADVERTISING = 8, 11, 12
"""Bits of the LE features (Core Vol 6 Part B, 4.6)."""
EVERYTHING = 1 << LE_2M_PHY | 1 << LE_CODED_PHY | 1 << LE_EXTENDED_ADVERTISING | 0x3F
EXTENDED_ONLY = EVERYTHING & ~(1 << LE_CODED_PHY)
RASPBERRY_PI = int.from_bytes(bytes.fromhex("3F000008"), "little")
"""A CYW43455: Bluetooth 5.0, and no extended advertising."""
NO_ADDRESS = bytes(6)
ADDRESS = bytes.fromhex("C04843") + (os.getpid() & 0xFFFFFF).to_bytes(3, "big")
"""Of this process: no two bridges of a machine may have one, and tests run side by side."""
ZEPHYR, NORDIC, CYPRESS = 0x05F1, 0x0059, 0x0131


class Fault(StrEnum):
    """How it breaks, and what mends it. "Power" is what `heal` gives."""

    QUIET = "quiet"
    """No reports until scanning is switched off and on. Commands are answered."""
    QUIET_UNTIL_RESET = "quiet-until-reset"
    QUIET_FOR_GOOD = "quiet-for-good"
    """Until power."""
    EMPTY = "empty"
    """Reports without data, until HCI_Reset."""
    DEAF = "deaf"
    """No answer, no reports, until power."""
    NOISE = "noise"
    """400 bytes that begin no packet, then it goes on as before."""
    ERROR = "hardware-error"
    """The event, then as QUIET_UNTIL_RESET."""
    ASSERT = "assert"
    """Zephyr's last words, then as DEAF."""
    DIES = "dies"
    """The line vanishes; see hil.controller.serving."""


@dataclass(frozen=True, slots=True)
class Habits:
    """Valid, if odd: a host has to live with all of it."""

    features: int = EVERYTHING
    """LE features, as it tells them."""
    lacks: int = 0
    """Bits of `features` that are a lie: scan commands that need them get 0x01, or for the coded
    PHY 0x11."""
    hears_legacy_only: bool = False
    """Takes the extended commands and never reports anything while they are in use."""
    is_deaf_to_legacy: bool = False
    """Never answers the legacy scan commands (some RTL8761B)."""
    address: bytes = ADDRESS
    """BD_ADDR, most significant byte first; NO_ADDRESS: as an nRF52 answers."""
    static_addresses: tuple[bytes, ...] = ()
    """What 0xFC09 tells; (): it is an unknown command, unless `company` is Zephyr or Nordic."""
    company: int = ZEPHYR
    version: int = 0x0C
    """Of HCI; 0x0C is 5.3. It says nothing about abilities."""
    has_two_modes: bool = False
    """Classic Bluetooth, too: Write LE Host Support must come before scanning."""
    refusals: Mapping[int, int] = field(default_factory=dict)
    """Opcode: the status it is always answered with."""
    refuses_by_status: bool = False
    """Command Status instead of Command Complete for commands that are refused."""
    off_when_off: int = 0x00
    """What "scan off" gets when it is off: 0x00 or 0x0C."""
    credits_late: bool = False
    """Answers say "no more commands for now"; a Command Complete for opcode 0 says "now"."""
    answer_after: float = 0.0
    """Seconds."""
    chatter: bool = False
    """Vendor events, a Number Of Completed Packets, ACL, SCO and ISO data between all else."""
    reports_per_event: int = 1
    cuts: int = 0
    """Writes are cut into pieces of 1 to so many bytes; 0: not cut."""
    begins_with: bytes = b""
    """It was left in the middle of a packet: received before the first byte."""

    @property
    def truth(self) -> int:
        """LE features that are there."""
        return self.features & ~self.lacks
