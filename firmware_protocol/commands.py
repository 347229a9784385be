"""Command numbers and their facts: direction, expected reply, payload layout.

Source: ruuvi.endpoints.c `ruuvi_endpoint_ca_uart.h`; ruuvi.gateway_nrf.c v2.0.0 for the replies.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum

DELIMITER = 0x2C
"""Follows every field, the last one included. Fields are found by their sizes, never by this."""

MAX_ADV_LEN = 235
"""Longest advertising data that the C codec can emit (its frame length is one byte)."""

FIRMWARE_MAX_ADV_LEN = 192
"""Longest that firmware 2.0.0 has room for. It must not be asked for more: it would copy up to
255 bytes into a buffer of 192."""


class Command(IntEnum):
    """CMD bytes. The names are the firmware's."""

    SET_FLTR_TAGS = 0x05
    SET_FLTR_ID = 0x06
    SET_CODED_PHY = 0x07
    SET_SCAN_1MB_PHY = 0x08
    SET_SCAN_2MB_PHY = 0x09
    SET_CH_37 = 0x0A
    SET_CH_38 = 0x0B
    SET_CH_39 = 0x0C
    LED_CTRL = 0x0E
    SET_ALL = 0x0F
    ADV_RPRT = 0x10
    DEVICE_ID = 0x11
    ADV_RPRT2 = 0x12
    GET_DEVICE_ID = 0x18
    GET_ALL = 0x19
    ACK = 0x20


class Direction(Enum):
    """Who sends a command. The strings are those of the test vectors."""

    HOST_TO_COPROCESSOR = "host_to_device"
    COPROCESSOR_TO_HOST = "device_to_host"


ADV = -1
"""In a layout: advertising data, 0 bytes up to the limit."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is fixed about a command."""

    direction: Direction
    layouts: tuple[tuple[int, ...], ...]
    """Field sizes in bytes, without the delimiters; one layout for each form of the command."""
    reply: Command | None = None
    """What the other end answers with; None: nothing."""


_TO_COPROCESSOR = Direction.HOST_TO_COPROCESSOR
_TO_HOST = Direction.COPROCESSOR_TO_HOST
_STATE = Facts(_TO_COPROCESSOR, ((1,),), Command.ACK)

FACTS: dict[Command, Facts] = {
    Command.SET_FLTR_TAGS: _STATE,
    Command.SET_FLTR_ID: Facts(_TO_COPROCESSOR, ((2,),), Command.ACK),
    Command.SET_CODED_PHY: _STATE,
    Command.SET_SCAN_1MB_PHY: _STATE,
    Command.SET_SCAN_2MB_PHY: _STATE,
    Command.SET_CH_37: _STATE,
    Command.SET_CH_38: _STATE,
    Command.SET_CH_39: _STATE,
    # Firmware 1.0.0 answers LED_CTRL with an echo of the frame instead.
    Command.LED_CTRL: Facts(_TO_COPROCESSOR, ((2,),), Command.ACK),
    # Short form (all versions), long form with max_adv_len (2.0.0 and later).
    Command.SET_ALL: Facts(_TO_COPROCESSOR, ((2, 1), (2, 1, 1)), Command.ACK),
    Command.ADV_RPRT: Facts(_TO_HOST, ((6, ADV, 1),)),
    Command.DEVICE_ID: Facts(_TO_HOST, ((8, 6),)),
    Command.ADV_RPRT2: Facts(_TO_HOST, ((6, ADV, 1, 3),)),
    Command.GET_DEVICE_ID: Facts(_TO_COPROCESSOR, ((),), Command.DEVICE_ID),
    Command.GET_ALL: Facts(_TO_HOST, ((),), Command.SET_ALL),
    Command.ACK: Facts(_TO_HOST, ((1, 1),)),
}


def layout_of(command: Command, length: int) -> tuple[int, ...] | None:
    """The layout of a payload of `length` bytes, the size of advertising data filled in; None:
    too short for `command`, or it has no such payload."""
    for layout in FACTS[command].layouts:
        if ADV in layout:
            adv = length - shortest_payload(layout)
            if adv >= 0:
                return tuple(adv if size == ADV else size for size in layout)
        elif length == shortest_payload(layout):
            return layout
    return None


def shortest_payload(layout: tuple[int, ...]) -> int:
    """LEN with no advertising data: the fields, each with its delimiter."""
    return sum(size for size in layout if size != ADV) + len(layout)


def delimiter_positions(layout: tuple[int, ...]) -> tuple[int, ...]:
    """Where the delimiters of a concrete layout stand in the payload."""
    positions = []
    position = -1
    for size in layout:
        position += size + 1
        positions.append(position)
    return tuple(positions)
