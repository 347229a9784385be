"""What tests of a session with a controller share: kinds of scan, a report, rungs of the ladder."""

from hci_events import (
    extended_event,
    extended_report,
)
from hci_model import ControllerModel
from hci_world import World

from ruuvi_host.hci.plan import ScanKind

LEGACY, EXTENDED = ScanKind.LEGACY, ScanKind.EXTENDED
EXTENDED_REPORT = extended_event(extended_report(bits=0x10))


def pi() -> ControllerModel:
    return ControllerModel(
        features=0x0800_003F,
        has_extended_commands=False,
        company=0x0131,
        address=bytes.fromhex("DCA632010203"),
    )


def rungs(world: World) -> list[int]:
    return [rung for _, rung in world.climbed()]
