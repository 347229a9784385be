"""A whole host in this process, with its local API on a real port, and the clock of a test.

All of it is what `ruuvi-host run` runs; only the clock is another one. Its coprocessor is a pseudo-
terminal on which nobody answers, so it never posts anything; what the tests want to be heard is
put into its table.
"""

import asyncio
import json
import os
import pty
import tty
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import pytest

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.sources import Inputs
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.table import AdvertisementTable
from ruuvi_host.jobs import door, run
from ruuvi_host.jobs.reporting import Reporting
from ruuvi_host.jobs.state import StateDirectory
from ruuvi_host.lifetime import ended
from ruuvi_host.monitoring.counters import LinkCounters
from ruuvi_host.monitoring.starts import ResetReason, Start
from ruuvi_host.monitoring.systemd import Notifier
from ruuvi_host.monitoring.watchdog import Standstill

PATIENCE = 30.0


@dataclass(frozen=True)
class Wanted:
    """What the host is to be like."""

    config: Mapping[str, Any]
    """Keys of a gateway, as its file has them."""
    device: DeviceId
    options: tuple[tuple[str, str], ...] = ()
    """As of --set."""
    files: Mapping[str, str | None] | None = None
    """Name → content of the files beside the configuration; None: a folder in its place, so that
    nothing can be written there."""
    clock_is_right: bool = True
    version: str = "1.17.3"


@dataclass(frozen=True)
class ApiHost:
    """While it runs."""

    address: tuple[str, int]
    table: AdvertisementTable
    link: LinkCounters
    """Of the lives of its link that are over."""
    folder: Path
    """Of the configuration."""
    reporting: Reporting

    def make_older(self, seconds: float) -> None:
        """As if the host had begun earlier."""
        self.reporting._began -= seconds


class FixedWall:
    """The system's clock, but for the time of day, which stands still."""

    monotonic = staticmethod(monotonic)

    def __init__(self, wall: float) -> None:
        self._wall = wall

    def wall(self) -> float:
        return self._wall

    def synchronised(self) -> bool:
        return False

    def uptime(self) -> float:
        return 0.0


def write_files(folder: Path, files: Mapping[str, str | None]) -> None:
    for name, content in files.items():
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content.encode())


@asynccontextmanager
async def api_host(
    wanted: Wanted, folder: Path, wall: float, patch: pytest.MonkeyPatch
) -> AsyncIterator[ApiHost]:
    """folder: empty. wall: UTC in seconds, all the time."""
    patch.setattr(run, "SystemClock", lambda: FixedWall(wall))
    patch.setattr(door, "__version__", wanted.version)
    place = folder / "config"
    place.mkdir()
    path = place / "gw_cfg.json"
    path.write_text(json.dumps(wanted.config), "utf-8")
    path.chmod(0o600)
    write_files(place, wanted.files or {})
    state = StateDirectory.open(folder / "state")
    state.save_gateway(wanted.device)
    options = {"api.listen": "127.0.0.1:0", "nrf_firmware": "1.0.0"} | dict(wanted.options)
    if wanted.clock_is_right:
        options["trust_clock"] = "true"
    inputs = Inputs(path, overrides=tuple((k, v, "--set") for k, v in options.items()))

    def reload() -> Loaded:
        loaded = load(inputs)
        return replace(loaded, config=loaded.config.without_ruuvi())

    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        host = run.Host(
            (CoprocessorSettings(os.ttyname(slave)),),
            *(reload(), state, reload, Start(1, ResetReason.POWER_ON, ""), Notifier()),
        )
        with Standstill(PATIENCE, lambda text: None) as standstill:
            running = asyncio.create_task(host.run(standstill))
            try:
                url = urlsplit(await _listening(host, running))
                yield ApiHost(
                    (url.hostname or "", url.port or 0),
                    host._receiving.table,
                    host._receiving._coprocessors._supervisors[0]._history.past,
                    place,
                    host._reporting,
                )
            finally:
                await ended(running)
    finally:
        state.close()
        os.close(master)
        os.close(slave)


async def _listening(host: run.Host, running: asyncio.Task[None]) -> str:
    async with asyncio.timeout(PATIENCE):
        while not host._door.listening:
            if running.done():
                running.result()
            await asyncio.sleep(0.001)
    return host._door.listening[0]


PHYS = {None: (1, 15), "2M": (1, 2), "Coded": (4, 4)}
"""Secondary PHY of a case → primary and secondary as the coprocessor reports them."""


def advertisements(tags: Iterable[Mapping[str, Any]]) -> list[Advertisement]:
    """Those of a case."""
    return [
        Advertisement(
            bytes.fromhex(tag["mac"].replace(":", "")),
            bytes.fromhex(tag["data"]),
            tag["rssi"],
            *PHYS[tag.get("secondary_phy")],
            tag.get("channel", 37),
            tag.get("tx_power"),
            monotonic(),
            tag["timestamp"] if "timestamp" in tag else tag["counter"],
        )
        for tag in tags
    ]
