"""Which device a port is, so that it is found again under another name.

The kernel numbers ttys as they come: what was /dev/ttyACM0 may be /dev/ttyACM1 after the plug was
out, and another device may be /dev/ttyACM0 now. A USB device is known by vendor, product and serial
number; one that has no serial number, or shares it with another, by the socket it is plugged into.
All of it is read from sysfs. Other ports (of the board itself, pseudo-terminals, links that udev
keeps, URLs) are what their name says.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ruuvi_host.errors import PortError

USB = "usb:"


@dataclass(frozen=True, slots=True)
class UsbPort:
    """A serial port on USB."""

    path: str
    """Now: /dev/ttyACM0."""
    vendor: str
    """Four hex digits, lower case; likewise `product`."""
    product: str
    serial: str
    """Empty: the device has none."""
    interface: str
    """Of a device with several ports: which one it is, as in "1.0"."""
    place: str
    """Controller, sockets on the way and interface; the same as long as the plug is not moved."""

    @property
    def name(self) -> str:
        """As in `usb:` names, without that."""
        return ":".join(filter(None, (self.vendor, self.product, self.serial)))


class Machine:
    """The ports of this machine. The folders are those of the system, but for tests."""

    def __init__(self, dev: str = "/dev", sys: str = "/sys") -> None:
        self.dev = dev
        self._classes = Path(sys, "class/tty")

    def usb_ports(self) -> list[UsbPort]:
        return sorted(self._usb_ports(), key=lambda port: port.path)

    def usb_port(self, path: str) -> UsbPort | None:
        """The port that `path` is; None: not one on USB, or the name is more than a tty number."""
        folder, name = os.path.split(path)
        return self._read(name) if folder == self.dev and name else None

    def _usb_ports(self) -> Iterator[UsbPort]:
        names: list[str] = []
        with suppress(OSError):
            names = os.listdir(self._classes)
        for name in names:
            if name.startswith(("ttyACM", "ttyUSB")) and (port := self._read(name)):
                yield port

    def _read(self, name: str) -> UsbPort | None:
        path = os.path.join(self.dev, name)
        with suppress(OSError):
            place = (self._classes / name / "device").resolve(strict=True)
            for device in (place, *place.parents):
                if (device / "idVendor").exists() and os.path.exists(path):
                    # 1-1.4:1.0 is interface 1.0 of what is plugged into 4 of 1 of bus 1
                    interface = next((p.name for p in (place, *place.parents) if ":" in p.name), "")
                    sockets, _, number = interface.partition(":")
                    controller = device.as_posix().split("/usb")[0]
                    return UsbPort(
                        path,
                        _text(device / "idVendor").lower(),
                        _text(device / "idProduct").lower(),
                        _text(device / "serial"),
                        number,
                        f"{controller} {sockets.partition('-')[2]}:{number}",
                    )
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""


class Finder:
    """Where the port that a user has named is now.

    name: as given: a path, a `usb:` name, or a URL.
    """

    def __init__(self, name: str, machine: Machine | None = None) -> None:
        self.name = name
        self._machine = machine or Machine()
        self._wanted = _read_usb_name(name) if name.startswith(USB) else None
        self._known: UsbPort | None = None
        self._by_place = False

    @property
    def is_network(self) -> bool:
        return "://" in self.name

    @property
    def folders(self) -> list[str]:
        """Where something changes when the port comes back."""
        if self.is_network:
            return []
        own = os.path.dirname(self.name) if self._wanted is None else self._machine.dev
        return [self._machine.dev, *(f for f in (own,) if f and f != self._machine.dev)]

    def find(self) -> str:
        """The path to open. Raises PortError when it is not there, or not clear which one it is."""
        if self._known:
            return self._again(self._known).path
        if self._wanted:
            return self._by_name(*self._wanted).path
        return self.name

    def is_there(self) -> bool:
        """Is there anything to open? True also for what only opening can tell."""
        try:
            path = self.find()
        except PortError:
            return False
        return self.is_network or os.path.exists(path)

    def opened(self, path: str) -> None:
        """`path` has been opened: this is the one to be found again."""
        port = self._machine.usb_port(path)
        if port is None:
            return
        twins = [p for p in self._machine.usb_ports() if _is_alike(p, port)]
        self._by_place = not port.serial or len(twins) > 1
        self._known = port

    def _again(self, known: UsbPort) -> UsbPort:
        for port in self._machine.usb_ports():
            if _is_alike(port, known) and (not self._by_place or port.place == known.place):
                return port
        raise PortError(self.name, f"the device {known.name} is not plugged in")

    def _by_name(self, vendor: str, product: str, serial: str) -> UsbPort:
        ports = self._machine.usb_ports()
        found = [p for p in ports if (p.vendor, p.product) == (vendor, product)]
        if serial:
            found = [p for p in found if p.serial == serial]
        if not found:
            there = ", ".join(f"{USB}{p.name}" for p in ports)
            raise PortError(
                self.name,
                f"there is no such USB device. {f'There is {there}' if there else 'There is none'}",
            )
        if len(found) > 1:
            raise PortError(
                self.name,
                f"this is {' and '.join(p.path for p in found)}. Add the serial number "
                "(usb:VID:PID:SERIAL), or name one under /dev/serial/by-path",
            )
        return found[0]


def _is_alike(one: UsbPort, other: UsbPort) -> bool:
    return (one.vendor, one.product, one.serial, one.interface) == (
        other.vendor,
        other.product,
        other.serial,
        other.interface,
    )


def _read_usb_name(name: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"usb:([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(.+))?", name)
    if not found:
        raise PortError(name, "write usb:VID:PID or usb:VID:PID:SERIAL, as in usb:1915:520f")
    return found[1].lower(), found[2].lower(), found[3] or ""
