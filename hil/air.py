"""What is in the air, when it can be chosen: the counterpart of hil/firmware/generator.h.

A `Pattern` with a rate and a size is given to the board as the id of a SET_ALL whose filter is
off. Each report carries two counters, so that every loss is exact, and where it happened.
"""

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from firmware_protocol.messages import Report, SetAll

RATES = (0, 1, 10, 20, 50, 100, 226, 500, 2, 200)
"""Events per second; the index is what is sent."""
AS_THE_LINE_CARRIES = 15
COUNTED_SIZE = 13
"""Bytes of advertising data that hold the counters."""
MARK = 0x8000
TAGS = tuple(bytes((0xC0, *b"HIL", 0, index)) for index in range(8))
"""Addresses of Pattern.TAGS."""
FRAME_IN_DATA = bytes.fromhex("CA 00 19 17 9E 0A 2C")
"""A whole GET_ALL and a delimiter: what Pattern.FRAMES is filled with."""


class Pattern(IntEnum):
    """See hil/firmware/generator.h."""

    PLAIN = 0
    FRAMES = 1
    MIXED = 2
    EXTENDED = 3
    CODED = 4
    RANDOM = 5
    TAGS = 6


@dataclass(frozen=True, slots=True)
class Air:
    """Events of one kind. rate: one of RATES, or None: as many as the line carries."""

    rate: int | None
    size: int = 31
    pattern: Pattern = Pattern.PLAIN

    @property
    def word(self) -> int:
        """As the board takes it."""
        index = AS_THE_LINE_CARRIES if self.rate is None else RATES.index(self.rate)
        return MARK | self.pattern << 12 | index << 8 | self.size

    def settings(self, **others: bool | int) -> SetAll:
        """The SET_ALL that sets it. It scans on all channels and PHYs unless told otherwise."""
        flags: dict[str, bool | int] = {"max_adv_len": 0} | others
        return SetAll(fltr_id=self.word, fltr_tags=False, **flags)  # type: ignore[arg-type]  # by name, of two types


@dataclass(frozen=True, slots=True)
class Counters:
    """What a report of ours tells."""

    event: int
    """Its number, since the air was set."""
    sent: int
    """Reports that had been handed to the line before it."""


def counters(report: Report) -> Counters | None:
    """None: not a counted report."""
    data = report.data
    if len(data) < COUNTED_SIZE or data[4:5] != b"H" or report.address[:4] != TAGS[0][:4]:
        return None
    return Counters(int.from_bytes(data[5:9], "big"), int.from_bytes(data[9:13], "big"))


@dataclass(frozen=True, slots=True)
class Loss:
    """Between the first and the last report that was received."""

    received: int
    on_the_way: int
    """Handed to the line, and not received: by the line or the host."""
    before: int
    """Happened in the air and never handed to the line: by a filter, a limit or a busy line."""
    disordered: int


def loss(reports: list[Report]) -> Loss:
    """What was lost between the first and the last of these. Reports of others do not count."""
    counted = [found for report in reports if (found := counters(report))]
    if not counted:
        return Loss(0, 0, 0, 0)
    first, last = counted[0], counted[-1]
    sent = last.sent - first.sent + 1
    events = last.event - first.event + 1
    pairs = pairwise(counted)
    disordered = sum(later.event <= earlier.event for earlier, later in pairs)
    return Loss(len(counted), sent - len(counted), events - sent, disordered)
