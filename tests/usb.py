"""A machine with USB ports that is made of files: sysfs as Linux has it, and device nodes that are
links to ptys. Plugging in and out is writing and removing them."""

from pathlib import Path

from ruuvi_host.device.identity import Machine

CONTROLLER = "devices/pci0000:00/0000:00:14.0"


class UsbMachine:
    """Its folders are made under `root`."""

    def __init__(self, root: Path) -> None:
        self._sys = root / "sys"
        self.dev = root / "dev"
        self.dev.mkdir()
        (self._sys / "class/tty").mkdir(parents=True)
        self.machine = Machine(str(self.dev), str(self._sys))

    def plug_in(
        self,
        name: str,
        target: str = "/dev/null",
        *,
        socket: str = "1-2",
        usb_id: str = "1915:520f",
        serial: str = "",
        interface: str = "1.0",
    ) -> str:
        """`name`: of the tty, as ttyACM0. target: what is behind it. Returns the path."""
        bus = f"usb{socket.partition('-')[0]}"
        device = self._sys / CONTROLLER / bus / socket
        tty = device / f"{socket}:{interface}" / "tty" / name
        tty.mkdir(parents=True)
        vendor, _, product = usb_id.partition(":")
        (device / "idVendor").write_text(f"{vendor}\n")
        (device / "idProduct").write_text(f"{product}\n")
        if serial:
            (device / "serial").write_text(f"{serial}\n")
        (tty / "device").symlink_to(tty.parent.parent)
        (self._sys / "class/tty" / name).symlink_to(tty)
        node = self.dev / name
        node.symlink_to(target)
        return str(node)

    def unplug(self, name: str) -> None:
        (self.dev / name).unlink()
        entry = self._sys / "class/tty" / name
        tty = entry.resolve()
        entry.unlink()
        (tty / "device").unlink()
        tty.rmdir()
        for left in ("serial", "idVendor", "idProduct"):
            (tty.parent.parent.parent / left).unlink(missing_ok=True)
