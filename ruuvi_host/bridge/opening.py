"""Opens what `--hci` names, whatever kind it is, as a Port."""

import os

from ruuvi_host.bridge.kernel import Kernel
from ruuvi_host.bridge.names import AdapterName, NetworkName, SerialName, TransportName
from ruuvi_host.bridge.user_channel import UserChannel, open_user_channel
from ruuvi_host.device.identity import Finder, Machine
from ruuvi_host.device.opening import in_thread, open_port
from ruuvi_host.device.port import Port


class Opener:
    """The way to one controller. take: an adapter that is switched on is taken all the same."""

    def __init__(
        self,
        name: TransportName,
        *,
        take: bool = False,
        kernel: Kernel | None = None,
        machine: Machine | None = None,
    ) -> None:
        self.name = name
        self._take = take
        self._kernel = kernel or Kernel()
        self._finder = Finder(name.port, machine) if isinstance(name, SerialName) else None

    @property
    def is_line(self) -> bool:
        """A serial line: a controller may have been left in the middle of a command. What is behind
        TCP may throw away all that it receives with a byte that it does not expect (bumble)."""
        return isinstance(self.name, SerialName)

    def is_there(self) -> bool:
        """Is there anything to open, as far as can be told without opening it?"""
        if self._finder:
            return self._finder.is_there()
        if isinstance(self.name, NetworkName):
            return True
        name = self.name
        assert isinstance(name, AdapterName)
        if name.index is None:
            return self._kernel.find(name.address) is not None
        return any(name.index == adapter.index for adapter in self._kernel.adapters())

    @property
    def folders(self) -> list[str]:
        """Where something changes when the controller comes back."""
        return self._finder.folders if self._finder else []

    async def open(self) -> Port:
        """One attempt. Raises PortError that says what to do about it."""
        name = self.name
        if isinstance(name, AdapterName):
            kernel, take = self._kernel, self._take
            opened = await in_thread(
                lambda: open_user_channel(name, kernel, take=take), lambda s: s.close()
            )
            port = Port(name.text)
            UserChannel(port, opened)
            return port
        if isinstance(name, NetworkName):
            return await open_port(name.text)
        assert self._finder
        path = self._finder.find()
        port = await open_port(path, name.baud, rtscts=has_flow_control(path))
        self._finder.opened(path)
        return port


def has_flow_control(path: str) -> bool:
    """RTS and CTS, which Zephyr's hci_uart needs; but not on a port that is USB all the way."""
    return not os.path.basename(os.path.realpath(path)).startswith("ttyACM")
