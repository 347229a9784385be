"""What the rigs that are programs on this machine share: a board made to order, on a cable."""

import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path

from .cable import Cable, Faults
from .rig import Ability, BareRig, Setup


class LocalRig(BareRig):
    """A rig whose board is started by `boot` and ended by `shut_down`."""

    abilities = frozenset(Ability) - {Ability.RADIO, Ability.TRUTH}

    def __init__(self) -> None:
        with ExitStack() as stack:
            self.directory = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="ruuvi-host-hil-"))
            )
            self._cable = Cable(str(self.directory / "port"))
            self._resources = stack.pop_all()
        self.path = self._cable.path
        self._setup: Setup | None = None

    def boot(self, setup: Setup) -> socket.socket:
        """Start a board; what is returned is its serial line."""
        raise NotImplementedError  # each rig has its own

    def shut_down(self) -> None:
        """Take its power away."""
        raise NotImplementedError  # each rig has its own

    def start(self, setup: Setup) -> None:
        self._power_off()
        self._cable.set_faults(None)
        self._cable.plug()
        self._power_on(setup)

    def stop(self) -> None:
        self._power_off()
        self._cable.close()
        self._resources.close()

    def unplug(self) -> None:
        """The board has its power from the cable."""
        self._cable.unplug()
        if self._setup:
            self._cable.disconnect()
            self.shut_down()

    def replug(self) -> None:
        self._cable.plug()
        if self._setup:
            self._cable.connect(self.boot(self._setup))

    def set_faults(self, faults: Faults | None) -> None:
        self._cable.set_faults(faults)

    def _power_on(self, setup: Setup) -> None:
        self._cable.connect(self.boot(setup))
        self._setup = setup
        self.baud = setup.baud

    def _power_off(self) -> None:
        if self._setup:
            self._cable.disconnect()
            self.shut_down()
            self._setup = None
