"""What is scanned: from the settings of the host and the facts of a controller to a plan.

HCI cannot choose primary channels; a controller always scans all three.
"""

from dataclasses import dataclass, replace
from enum import Enum

from firmware_protocol.messages import SetAll
from firmware_protocol.scan import enabled_channels
from ruuvi_host.hci.facts import ControllerFacts


class ScanKind(Enum):
    """The two families of scan commands, which must never be mixed between two resets."""

    LEGACY = "legacy"
    EXTENDED = "extended"


class ScanChoice(Enum):
    """What a user asks for. AUTO: extended if the controller has it, and once the other kind."""

    AUTO = "auto"
    LEGACY = "legacy"
    EXTENDED = "extended"


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """One way to scan. At least one PHY is on."""

    kind: ScanKind
    uncoded: bool
    """Scan 1M, where 2M is found from."""
    coded: bool


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of a SET_ALL: `applied`, and `refused`, which the ACK says."""

    applied: SetAll
    """With the channels of before if the host gave none."""
    refused: bool


def kind_of(choice: ScanChoice, facts: ControllerFacts) -> ScanKind:
    """The kind of scan that a choice begins with."""
    if choice is ScanChoice.AUTO:
        return ScanKind.EXTENDED if facts.extended else ScanKind.LEGACY
    return ScanKind(choice.value)


def has_coded(facts: ControllerFacts, kind: ScanKind) -> bool:
    """Can the Coded PHY be heard? Legacy commands know nothing of it."""
    return facts.coded and kind is ScanKind.EXTENDED


def plan(settings: SetAll, facts: ControllerFacts, kind: ScanKind) -> ScanPlan | None:
    """How to scan for these settings; None: there is nothing to scan, as without any channel, which
    only a host can cause whose first settings have none."""
    if not enabled_channels(settings):
        return None
    coded = settings.use_coded_phy and has_coded(facts, kind)
    # 2M is never a primary PHY: what is on 2M begins on 1M.
    uncoded = settings.use_1m_phy or settings.use_2m_phy
    return ScanPlan(kind, uncoded, coded) if uncoded or coded else None


def rule(settings: SetAll, before: SetAll, facts: ControllerFacts, kind: ScanKind) -> Ruling:
    """What becomes of SET_ALL, known at once, before the controller is asked for anything.

    Refused are: no channel at all (those of `before` stay), and coded where there is none. The
    rest is applied all the same, as the firmware does. SET_x go the same way, with one flag
    changed.
    """
    has_channels = bool(enabled_channels(settings))
    if not has_channels:
        settings = replace(settings, ch_37=before.ch_37, ch_38=before.ch_38, ch_39=before.ch_39)
    lacks_coded = settings.use_coded_phy and not has_coded(facts, kind)
    return Ruling(settings, refused=not has_channels or lacks_coded)


def warnings(settings: SetAll, facts: ControllerFacts, kind: ScanKind) -> list[str]:
    """What of these settings the radio does otherwise than a coprocessor; each to be told once."""
    found = []
    if settings.use_2m_phy and kind is ScanKind.LEGACY:
        found.append(
            "this radio cannot hear extended advertising (Ruuvi Air's E1); format 6 is heard"
        )
    if settings.use_coded_phy and not has_coded(facts, kind):
        found.append("this radio cannot hear the Coded PHY; the other settings are in force")
    if len(enabled_channels(settings)) not in (0, 3):
        found.append(
            "a standard controller cannot be told which channels to scan; all three are scanned"
        )
    return found
