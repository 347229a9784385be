"""How to bring a controller back: four rungs, each with its evidence.

The ladder outlives the transport: rung 3 closes and opens it, and the next life goes on where the
last one stood. Silence is not death: a cellar has no reports. So silence leads to rungs 1, 2 and 3
late and slowly, an unanswered command at once.
"""

from enum import IntEnum


class Rung(IntEnum):
    """What is done, the mildest first."""

    SCAN_ANEW = 1
    RESET = 2
    """HCI_Reset and all of the start; the coprocessor boots."""
    REOPEN = 3
    """The transport is closed and opened. By its owner: the session is spent."""
    POWER = 4
    """The product's own reset, or "unplug it". By its owner: the session is spent."""


class Ladder:
    """Where on the ladder a controller stands. One for all lives of a transport."""
