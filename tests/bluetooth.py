"""A kernel with Bluetooth for tests on machines without: sockets that stand in, and a sysfs."""

import errno
import os
import socket
from pathlib import Path

from ruuvi_host.bridge.kernel import Kernel


class StandIn(Kernel):
    """Its adapters are folders; whoever binds to one gets the other end of `controller`.

    refusals: errors that `bind` answers with, one after the other, before it succeeds.
    """

    def __init__(self, root: Path, *refusals: int, no_socket: int = 0) -> None:
        super().__init__(str(root), str(root / "proc"))
        self.root = root
        self.refusals = list(refusals)
        self.bound: list[int] = []
        self.switched_off: list[int] = []
        self.controller: socket.socket | None = None
        """The controller's end of the last socket that was bound: a packet each way."""
        self._no_socket = no_socket
        self._ends: list[socket.socket] = []

    def add(self, index: int, address: str = "", *, soft: str = "0", hard: str = "0") -> None:
        """Plug an adapter in."""
        folder = self.root / f"class/bluetooth/hci{index}"
        folder.mkdir(parents=True)
        if address:
            (folder / "address").write_text(f"{address.lower()}\n")
        switch = self.root / f"class/rfkill/rfkill{index + 3}"
        switch.mkdir(parents=True)
        for name, text in (("name", f"hci{index}"), ("soft", soft), ("hard", hard)):
            (switch / name).write_text(f"{text}\n")

    def hold(self, pid: int, name: str) -> None:
        """A program has an HCI socket open."""
        inode = 7000 + pid
        table = self.root / "proc/net/hci"
        table.parent.mkdir(parents=True, exist_ok=True)
        head = "sk               RefCnt Rmem   Wmem   User   Inode  Parent\n"
        before = table.read_text() if table.exists() else head
        table.write_text(f"{before}ffff 2      0      0      0      {inode:<6d} 0\n")
        fds = self.root / f"proc/{pid}/fd"
        fds.mkdir(parents=True)
        (fds / "3").symlink_to("/dev/null")
        (fds / "4").symlink_to(f"socket:[{inode}]")
        (self.root / f"proc/{pid}/comm").write_text(f"{name}\n")

    def open(self) -> socket.socket:
        if self._no_socket:
            raise OSError(self._no_socket, os.strerror(self._no_socket))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ends.append(theirs)
        self.controller = theirs
        return ours

    def bind(self, opened: socket.socket, index: int) -> None:
        if self.refusals and (number := self.refusals.pop(0)):
            raise OSError(number, os.strerror(number))
        if not (self.root / f"class/bluetooth/hci{index}").exists():
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        self.bound.append(index)

    def switch_off(self, index: int) -> None:
        self.switched_off.append(index)

    def close(self) -> None:
        """What the tests have left open."""
        for end in self._ends:
            end.close()
