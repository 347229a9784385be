"""Which serial ports this machine has, and who answers there."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from firmware_protocol.messages import address_text
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.device.pyserial import port_names
from ruuvi_host.errors import DeviceError, PortError
from ruuvi_host.jobs.check import identify

PATIENCE = 5.0
"""Seconds for an answer: two more tries than a coprocessor that is there has needed yet."""
LINKS = Path("/dev/serial/by-id")


@dataclass(frozen=True, slots=True)
class SeenPort:
    """A port, and who is there."""

    path: str
    """The name that stays the same, if there is one."""
    device: str
    """What it is now, as /dev/ttyACM0."""
    told: str = ""
    """What answers there, or why nobody does; empty: it was not asked."""
    answers: bool = False

    def __str__(self) -> str:
        name = self.path if self.path == self.device else f"{self.path} ({self.device})"
        return f"{name}: {self.told}" if self.told else name


def all_ports() -> list[SeenPort]:
    """Those of this machine, without asking them."""
    stable: dict[str, str] = {}
    with suppress(OSError):
        for link in sorted(LINKS.iterdir()):
            stable.setdefault(os.path.realpath(link), str(link))
    return [SeenPort(stable.get(os.path.realpath(name), name), name) for name in port_names()]


async def ask_all(ports: Sequence[SeenPort], patience: float = PATIENCE) -> list[SeenPort]:
    """The same, each with who answers. They are asked at the same time."""
    return list(await asyncio.gather(*(ask_port(port, patience) for port in ports)))


async def ask_port(port: SeenPort, patience: float = PATIENCE) -> SeenPort:
    """The port with who answers there within `patience` seconds."""
    try:
        async with asyncio.timeout(patience):
            device = await identify(CoprocessorSettings(port.device))
    except TimeoutError:
        return replace(port, told="nobody answers")
    except PortError as error:
        return replace(port, told=error.problem)
    except DeviceError as error:
        return replace(port, told=f"nobody answers ({error})")
    return replace(port, told=f"a coprocessor, {address_text(device.addr)}", answers=True)
