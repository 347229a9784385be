"""What one bridge is given."""

from dataclasses import dataclass

from ruuvi_host.bridge.names import TransportName
from ruuvi_host.config.coprocessor import ResetCommand
from ruuvi_host.hci.plan import ScanChoice


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """The options of `ruuvi-host bridge`."""

    name: TransportName
    link: str | None = None
    """Symbolic link to the pty."""
    group: int | None = None
    """Group that may open the pty, too; None: only who may write to what this user has."""
    scan: ScanChoice = ScanChoice.AUTO
    take: bool = False
    """An adapter that is switched on is taken all the same."""
    address: bytes | None = None
    """In place of the controller's; most significant byte first."""
    device_id: bytes | None = None
    """In place of the derived one; eight bytes."""
    reset_command: ResetCommand | None = None
