"""What a rig is: something that speaks CA-UART on a port, and what can be done to it.

Tests ask with `@needs("unplug")` and are skipped, by name, where the rig cannot.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from .cable import Faults
from .experience import Experience


class Ability(StrEnum):
    """What a rig may be able to do."""

    ANSWER = "answer"
    """Takes commands; a recording does not."""
    RESET = "reset"
    """Reboots the coprocessor."""
    POWER = "power"
    """Takes its power away and gives it back."""
    UNPLUG = "unplug"
    """Pulls the cable: the port vanishes, and comes back under the same name."""
    FAULTS = "inject_faults"
    """Damages what is on the line."""
    GENERATE = "generate"
    """Sets what is in the air: rate, size and pattern; see hil/air.py."""
    TRUTH = "truth"
    """Knows what happens inside: the LED, what was really in the air."""
    SPEED = "line_speed"
    """Runs at another speed."""
    SETUP = "setup"
    """Makes the board anew: generation, watchdog, transmitter."""
    RADIO = "radio"
    """Has a real one."""
    CHANNELS = "channels"
    """Scans the primary channels that it is told to, and tells in each report which one it was. HCI
    has no word for either: a Bluetooth controller scans all three, and a bridge tells 255."""
    PATIENCE = "patience"
    """Waits for the rest of a command for as long as it takes. A bridge gives half a command up."""
    STATIC = "static_address"
    """Its address is random static, as that of every nRF52."""
    RECEIVER = "official_receiver"
    """Takes bytes as the official firmware does, with all that this brings: chunks that end with
    0x0A, a ring that bad frames stay in. Others may be better, and need not be the same."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How a board is to be made. Rigs with a real board take what is there."""

    firmware: str = "2.0.0"
    watchdog: float | None = None
    """Seconds; None: that of the firmware."""
    baud: int = 115200
    transmit: str = "ideal"
    """Or "faithful": loses frames as the official firmware does."""

    @property
    def watchdog_seconds(self) -> float:
        """What it comes to."""
        usual = 42.0 if self.firmware == "2.0.0" else 20.0
        return usual if self.watchdog is None else self.watchdog


class RigError(Exception):
    """The rig does not work. The message says what to do about it."""


class RigMissingError(RigError):
    """Something has to be installed first: `packages`, by Debian's names."""

    def __init__(self, name: str, packages: list[str]) -> None:
        super().__init__(f"rig {name}: not installed here: {', '.join(packages)} (Debian's names)")
        self.packages = packages


class Rig(Protocol):
    """See the top of this file. Methods that a rig has not the ability for raise RigError."""

    name: str
    description: str
    """A few words for the report: the emulator, the port."""
    abilities: frozenset[Ability]
    reply_bound: float
    """Seconds in which 99 of 100 replies must come. On a machine that does other things as well
    this is only a guard against standstill."""
    path: str
    """The port, for a host to open."""
    baud: int
    experience: Experience | None
    """What is known of how the board answers, if all tests have the same one."""

    def start(self, setup: Setup) -> None:
        """A board made like this, freshly booted. A rig with a real board does what it can."""
        ...

    def stop(self) -> None:
        """Give everything back."""
        ...

    def reset(self) -> None: ...

    def unplug(self) -> None: ...

    def replug(self) -> None: ...

    def set_faults(self, faults: Faults | None) -> None: ...

    def led_is_on(self) -> bool: ...

    def trouble(self) -> str:
        """What is wrong with the rig itself; empty if nothing is known to be."""
        ...


class BareRig:
    """A rig that can do nothing: what others have in common."""

    name = "bare"
    description = ""
    abilities: frozenset[Ability] = frozenset()
    reply_bound = 2.0
    path = ""
    baud = 115200
    experience: Experience | None = None

    def start(self, setup: Setup) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""

    def reset(self) -> None:
        self._cannot(Ability.RESET)

    def unplug(self) -> None:
        self._cannot(Ability.UNPLUG)

    def replug(self) -> None:
        self._cannot(Ability.UNPLUG)

    def set_faults(self, faults: Faults | None) -> None:
        self._cannot(Ability.FAULTS)

    def led_is_on(self) -> bool:
        return self._cannot(Ability.TRUTH)

    def trouble(self) -> str:
        return ""

    def _cannot(self, ability: Ability) -> bool:
        raise RigError(f"rig {self.name} cannot {ability}")
