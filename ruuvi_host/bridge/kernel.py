"""The kernel's Bluetooth, by its numbers: many Pythons are built without AF_BLUETOOTH.

`Kernel` is the one door to it. A test stands in for its sockets, and for its folder of facts.
Source: Linux, net/bluetooth/hci_sock.c and include/net/bluetooth/hci_sock.h.
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

AF_BLUETOOTH = 31
BTPROTO_HCI = 1
CHANNEL_USER = 1
"""All of the controller for one process; the kernel's own host keeps away from it."""

_SOCKADDR = struct.Struct("=HHH")
"""struct sockaddr_hci: family, number of the adapter, channel."""
_DOWN = 0x400448CA
"""HCIDEVDOWN. Needs CAP_NET_ADMIN."""
_INFO = 0x800448D3
"""HCIGETDEVINFO. Anybody may ask."""
_INFO_SIZE = 92
_IS_UP = 1 << 0


@dataclass(frozen=True, slots=True)
class Adapter:
    """What can be known of an adapter without opening it."""

    index: int
    address: bytes = b""
    """Most significant byte first; empty: not known. Zeros while it was never up, in some."""
    is_up: bool | None = None
    """Somebody has switched it on, most often bluetoothd. None: not known."""
    blocked: str = ""
    """By what, in rfkill's words: "soft" (by software), "hard" (by a switch); empty: it is not."""

    @property
    def name(self) -> str:
        return f"hci{self.index}"


class Kernel:
    """This machine's Bluetooth. sys, proc: the folders of sysfs and of processes. Errors are those
    of the system."""

    def __init__(self, sys: str = "/sys", proc: str = "/proc") -> None:
        self._sys, self._proc = Path(sys), Path(proc)

    def open(self) -> socket.socket:
        """A raw HCI socket that is bound to nothing."""
        return socket.socket(AF_BLUETOOTH, socket.SOCK_RAW, BTPROTO_HCI)

    def bind(self, opened: socket.socket, index: int) -> None:
        """Take all of an adapter. May take seconds: its driver loads firmware.

        By libc, since Python's own `bind` has no place for the channel.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        address = _SOCKADDR.pack(AF_BLUETOOTH, index, CHANNEL_USER)
        if libc.bind(opened.fileno(), address, len(address)):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def switch_off(self, index: int) -> None:
        """Take an adapter down, from whoever has it."""
        with self.open() as control:
            fcntl.ioctl(control, _DOWN, index)

    def adapters(self) -> list[Adapter]:
        """All of this machine, by their numbers."""
        numbers = []
        with suppress(OSError):
            for name in os.listdir(self._sys / "class/bluetooth"):
                number = name.removeprefix("hci")
                if number != name and number.isdecimal():  # hci0:12 is a connection
                    numbers.append(int(number))
        return [self._adapter(index) for index in sorted(numbers)]

    def find(self, address: bytes) -> Adapter | None:
        """The adapter with this address."""
        return next((a for a in self.adapters() if a.address == address), None)

    def holders(self) -> list[str]:
        """The programs that have HCI sockets, as far as this user may know: bluetoothd, a bridge.
        Which adapter a socket is for, the kernel does not tell."""
        sockets = {f"socket:[{line.split()[5]}]" for line in self._sockets()}
        found = []
        for process in sorted(self._proc.glob("[0-9]*")) if sockets else ():
            with suppress(OSError):
                if any(os.readlink(fd) in sockets for fd in (process / "fd").iterdir()):
                    found.append(f"{_read(process / 'comm')} (process {process.name})")
        return found

    def _sockets(self) -> Iterator[str]:
        with suppress(OSError):
            lines = (self._proc / "net/hci").read_text("utf-8", "replace").splitlines()
            yield from (line for line in lines[1:] if len(line.split()) > 5)

    def _adapter(self, index: int) -> Adapter:
        told, up = self._address(index), None
        with suppress(OSError), self.open() as control:
            info = fcntl.ioctl(control, _INFO, index.to_bytes(2, "little") + bytes(_INFO_SIZE - 2))
            told = info[10:16][::-1]
            up = bool(int.from_bytes(info[16:20], "little") & _IS_UP)
        return Adapter(index, told, up, self._blocked(index))

    def _address(self, index: int) -> bytes:
        """Old kernels have it in a file."""
        with suppress(OSError, ValueError):
            text = (self._sys / f"class/bluetooth/hci{index}/address").read_text()
            address = bytes.fromhex(text.strip().replace(":", ""))
            return address if len(address) == 6 else b""
        return b""

    def _blocked(self, index: int) -> str:
        for switch in self._switches():
            if _read(switch / "name") == f"hci{index}":
                by = [kind for kind in ("hard", "soft") if _read(switch / kind) == "1"]
                return by[0] if by else ""
        return ""

    def _switches(self) -> Iterator[Path]:
        with suppress(OSError):
            yield from sorted((self._sys / "class/rfkill").iterdir())


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text("utf-8", "replace").strip()
    return ""


def why_not_taken(error: OSError, name: str, adapters: list[Adapter]) -> str:
    """Why an adapter cannot be had, and what to do about it. adapters: those that there are."""
    match error.errno:
        case errno.EAFNOSUPPORT | errno.EPROTONOSUPPORT:
            return (
                "this kernel has no Bluetooth: `sudo modprobe bluetooth`. In a container it has "
                "none but with the machine's own network: start it with `--network host`"
            )
        case errno.EPERM | errno.EACCES:
            return (
                "no permission: it takes CAP_NET_ADMIN. Under systemd "
                "AmbientCapabilities=CAP_NET_ADMIN (the unit ruuvi-host-bridge@ has it), in a "
                "container `--cap-add NET_ADMIN`, else run it as root"
            )
        case errno.ENODEV:
            there = ", ".join(adapter.name for adapter in adapters)
            return f"there is no such adapter. {f'There is {there}' if there else 'There is none'}"
        case errno.EBUSY:
            return (
                "it is switched on, most likely by bluetoothd (or it is just being set up). "
                "`bluetoothctl power off` gives it free; `--take` takes it, and cuts off the "
                "keyboards and headsets that use it"
            )
        case errno.EUSERS | errno.EALREADY:
            return "another program has taken it: another bridge, or a virtual machine. Stop that"
        case errno.ERFKILL:
            switch = next((a.blocked for a in adapters if a.name == name), "")
            if switch == "hard":
                return "it is switched off by a switch or key of this machine (see `rfkill list`)"
            return "it is blocked: `sudo rfkill unblock bluetooth`"
    return f"cannot be opened: {os.strerror(error.errno or errno.EIO)}"
