"""Facts about this machine from /proc and /sys, for the statistics that a gateway posts.

They are read at each call. What cannot be read has a default value: incomplete statistics are
better than none.
"""

import ctypes
from contextlib import suppress
from pathlib import Path

_ROOT = Path("/")

_ROUTE_UP = 0x1
_NO_ADDRESS_V4, _NO_ADDRESS_V6 = "00000000", "0" * 32

MAX_FREE = 0xFFFFFFFF
"""The maximum of the gateway's 32-bit numbers."""


def memory_available(root: Path = _ROOT, *, most: int | None = MAX_FREE) -> int:
    """Bytes that programs can still allocate (MemAvailable); 0: unknown.

    most: what is told of more; None: all of it.
    """
    for line in _lines(root / "proc/meminfo"):
        name, _, rest = line.partition(":")
        if name == "MemAvailable" and (words := rest.split()) and words[0].isdecimal():
            free = int(words[0]) * 1024
            return free if most is None else min(free, most)
    return 0


def boot_id(root: Path = _ROOT) -> str:
    """An id that changes at each boot; empty: unknown."""
    return "".join(_lines(root / "proc/sys/kernel/random/boot_id")[:1]).strip()


def default_route(root: Path = _ROOT) -> str | None:
    """The network device of the default route; None: there is no default route."""
    routes = [*_routes_v4(root), *_routes_v6(root)]
    return min(routes)[1] if routes else None


def is_wireless(device: str, root: Path = _ROOT) -> bool:
    folder = root / "sys/class/net" / device
    return (folder / "wireless").exists() or (folder / "phy80211").exists()


def give_back_memory() -> None:
    """Let the C library return free memory to the system: a megabyte after all imports."""
    with suppress(OSError, AttributeError):  # musl has no such call
        ctypes.CDLL(None).malloc_trim(0)


class RouteWatch:
    """Counts losses of the default route. One that is over before the next `look` is not seen."""

    def __init__(self, root: Path = _ROOT) -> None:
        self._root = root
        self._device: str | None = None
        self.losses = 0
        """Since the start."""
        self.wireless = False
        """The device of the default route, or of the last one while there is none."""

    def look(self) -> None:
        device = default_route(self._root)
        if device is not None:
            self.wireless = is_wireless(device, self._root)
        elif self._device is not None:
            self.losses += 1
        self._device = device


def _routes_v4(root: Path) -> list[tuple[int, str]]:
    """(metric, device) of each default route."""
    routes = []
    for line in _lines(root / "proc/net/route")[1:]:
        fields = line.split()
        # device, destination, gateway, flags, reference count, use, metric, mask
        if len(fields) >= 8 and fields[1] == fields[7] == _NO_ADDRESS_V4 and _is_up(fields[3]):
            routes.append((int(fields[6]), fields[0]))
    return routes


def _routes_v6(root: Path) -> list[tuple[int, str]]:
    routes = []
    for line in _lines(root / "proc/net/ipv6_route"):
        fields = line.split()
        # destination, its prefix, source, its prefix, next hop, metric, references, use, flags,
        # device; "lo" stands there when there is no IPv6
        is_default = len(fields) >= 10 and fields[:2] == [_NO_ADDRESS_V6, "00"]
        if is_default and fields[9] != "lo" and _is_up(fields[8]):
            routes.append((int(fields[5], 16), fields[9]))
    return routes


def _is_up(flags: str) -> bool:
    return bool(int(flags, 16) & _ROUTE_UP)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
