"""A USB bus without hardware, for tests: umockdev fakes sysfs, udev's events and the device nodes.

    with Bus() as bus:
        bus.plug("dongle", tty="ttyACM0", socket="1-1", serial="1234", seed=7)
        ruuvi_host("listen", "--port", "/dev/ttyACM0", env=bus.env)
        bus.unplug("dongle")

What is plugged in is a simulated board. Needs Debian's umockdev and libumockdev0. The library
fakes the system for processes that it is preloaded into, and only its own process can change the
fakes; so this module is also the program that does that, and `Bus` speaks with it.

umockdev takes a device out of sysfs, and does no more: that its links vanish and its port hangs up
is done here, in the order of a real kernel and its udev.
"""

import asyncio
import ctypes
import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ruuvi_host.simulator.board import Board
from ruuvi_host.simulator.pty import PtyServer

WRAPPER = shutil.which("umockdev-wrapper")
PRELOAD = "libumockdev-preload.so.0"
NEEDS = "umockdev (Debian packages umockdev, libumockdev0)"
RATE = 50.0
"""Advertisements per second that each board hears."""


class Bus:
    """The tests' side. A context manager: nothing stays behind."""

    def __enter__(self) -> Self:
        assert WRAPPER
        self._process = subprocess.Popen(
            [WRAPPER, sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.root = Path(self._answer())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def env(self) -> dict[str, str]:
        """For a process that is to see this bus."""
        return {"LD_PRELOAD": PRELOAD, "UMOCKDEV_DIR": str(self.root)}

    def plug(self, name: str, *, tty: str, socket: str, serial: str = "", seed: int = 1) -> None:
        """A dongle appears. name: what the test calls it. socket: as 1-1 or 1-4.2."""
        self._ask(do="plug", name=name, tty=tty, socket=socket, serial=serial, seed=seed)

    def unplug(self, name: str, *, leave_links: bool = False) -> None:
        """leave_links: udev is late, or not there: its links lead nowhere."""
        self._ask(do="unplug", name=name, leave_links=leave_links)

    def _ask(self, **what: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        assert answer == "done", answer

    def _answer(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the bus has ended"
        return line.rstrip("\n")


# --- the program


class _Testbed:
    """umockdev's, by way of ctypes."""

    def __init__(self) -> None:
        self._library = library = ctypes.CDLL("libumockdev.so.0")
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        for name, result, arguments in (
            ("new", pointer, []),
            ("get_root_dir", text, [pointer]),
            ("add_from_string", ctypes.c_int, [pointer, text, pointer]),
            ("remove_device", None, [pointer, text]),
            ("uevent", None, [pointer, text, text]),
        ):
            function = getattr(library, f"umockdev_testbed_{name}")
            function.restype, function.argtypes = result, arguments
        self._self = library.umockdev_testbed_new()
        self.root: str = library.umockdev_testbed_get_root_dir(self._self).decode()
        Path(self.root, "dev").mkdir(exist_ok=True)
        os.environ["UMOCKDEV_DIR"] = self.root  # C code has set it, where Python does not see it

    def add(self, description: str) -> None:
        added = self._library.umockdev_testbed_add_from_string(
            self._self, description.encode(), None
        )
        assert added, description

    def remove(self, device: str) -> None:
        syspath = f"/sys{device}".encode()
        self._library.umockdev_testbed_uevent(self._self, syspath, b"remove")
        self._library.umockdev_testbed_remove_device(self._self, syspath)

    def announce(self, device: str) -> None:
        self._library.umockdev_testbed_uevent(self._self, f"/sys{device}".encode(), b"add")


class _Plugged(PtyServer):
    """A board in a socket of the bus."""

    def __init__(self, bed: _Testbed, tty: str, socket: str, serial: str, seed: int) -> None:
        # The node is a link to the pseudo-terminal; umockdev's own do not survive an unplug.
        node = f"{bed.root}/dev/{tty}"
        super().__init__(Board(tags=5, rate=RATE, seed=seed, baud=0), link=node)
        self.leave_links = False
        self._bed = bed
        self._tty = tty
        device = f"/devices/pci0000:00/0000:00:14.0/usb1/{socket}"
        self._paths = [device, f"{device}/{socket}:1.0", f"{device}/{socket}:1.0/tty/{tty}"]
        has_serial = f"A: serial={serial}\nE: ID_SERIAL_SHORT={serial}\n" if serial else ""
        bed.add(
            f"P: {device}\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\nA: bNumInterfaces=1\n"
            f"A: idVendor=1915\nA: idProduct=520f\nA: manufacturer=Ruuvi\nA: product=dongle\n"
            f"{has_serial}\n"
            f"P: {self._paths[1]}\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\n"
            f"A: bInterfaceNumber=00\n\n"
            f"P: {self._paths[2]}\nE: SUBSYSTEM=tty\nE: DEVNAME=/dev/{tty}\n"
            f"E: MAJOR=166\nE: MINOR={tty[-1]}\nL: device=../../../{socket}:1.0\n\n"
        )
        identity = "_".join(filter(None, ("usb-Ruuvi_dongle", serial)))
        sockets = socket.partition("-")[2]
        self._links = [
            Path(bed.root, f"dev/serial/by-id/{identity}-if00"),
            Path(bed.root, f"dev/serial/by-path/pci-0000:00:14.0-usb-0:{sockets}:1.0"),
        ]

    def open(self) -> None:
        super().open()
        for path in self._paths:
            self._bed.announce(path)
        for link in self._links:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)  # of two alike the last one has it, with udev too
            link.symlink_to(f"../../{self._tty}")

    def close(self) -> None:
        super().close()  # the hang-up; and the node vanishes
        for path in reversed(self._paths):
            self._bed.remove(path)
        for link in [] if self.leave_links else self._links:
            with suppress(OSError):
                if os.readlink(link) == f"../../{self._tty}":
                    link.unlink()
                link.parent.rmdir()
                link.parent.parent.rmdir()


async def _serve() -> None:
    bed = _Testbed()
    print(bed.root, flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    plugged: dict[str, tuple[_Plugged, asyncio.Task[None]]] = {}
    while line := await reader.readline():
        what = json.loads(line)
        action, name = what.pop("do"), what.pop("name")
        if action == "plug":
            board = _Plugged(bed, **what)
            board.open()
            plugged[name] = board, asyncio.create_task(board.run(), name=name)
        else:
            board, task = plugged.pop(name)
            board.leave_links = what["leave_links"]
            board.close()
            task.cancel()
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())
