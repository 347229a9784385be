"""What a ControllerSession tells: frozen values, in the order in which things happened."""

from dataclasses import dataclass

from firmware_protocol.messages import AdvRprt2
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.ladder import Rung
from ruuvi_host.hci.plan import ScanKind, ScanPlan


@dataclass(frozen=True, slots=True)
class Started:
    """The controller has been reset and answers; it does not scan. The coprocessor is to boot.

    Told after each HCI_Reset, so after rung 2 and after a change of the kind of scan, too.
    """

    facts: ControllerFacts
    kind: ScanKind
    """What it will be scanned with."""


@dataclass(frozen=True, slots=True)
class Scanning:
    """The scan is on, or, with None, off: there is nothing to scan. Told when that changes."""

    plan: ScanPlan | None


@dataclass(frozen=True, slots=True)
class Heard:
    """Reports that passed all checks, in order. One event for all that a read brought."""

    reports: list[AdvRprt2]


@dataclass(frozen=True, slots=True)
class Refused:
    """The controller answered a command with an error."""

    opcode: int
    status: int
    remedy: str
    """What is done about it, in words for people; empty: nothing needs to be."""


@dataclass(frozen=True, slots=True)
class OtherKind:
    """The other kind of scan is tried from here on, after a reset. Once in a session."""

    kind: ScanKind
    reason: str


@dataclass(frozen=True, slots=True)
class Asserted:
    """Zephyr's controller has stopped at an assertion, and loops for ever. Rung 4 follows."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Climbed:
    """A rung, and why. The session itself does rungs 1 and 2.

    After rungs 3 and 4 it is spent: who owns it closes the transport, for 4 resets the product, and
    begins a new session with the same ladder and counters.
    """

    rung: Rung
    reason: str
    first: bool
    """Is it the highest since there were reports? The others are repetitions."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """Reports with data come again, after rung `rung`."""

    rung: Rung
    silence: float
    """Seconds without any while scanning."""


Happening = Started | Scanning | Heard | Refused | OtherKind | Asserted | Climbed | Recovered
