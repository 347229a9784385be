"""A spool over a real file: batches to fill it with, and how it is emptied again."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from conftest import ManualClock
from hypothesis import strategies as st

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.spool.spool import Spool

GATEWAY = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))
NOW = 1_800_000_000
bytes6 = st.binary(min_size=6, max_size=6)
advertisements = st.builds(
    Advertisement,
    address=bytes6,
    data=st.binary(max_size=255),
    rssi=st.integers(-128, 127),
    primary_phy=st.integers(0, 255),
    secondary_phy=st.integers(0, 255),
    channel=st.integers(0, 255),
    tx_power=st.none() | st.integers(-63, 63),
    received=st.just(0.0),
    timestamp=st.integers(0, 2**32 - 1),
)
batches = st.builds(
    Batch,
    nonce=st.integers(0, 2**32 - 1),
    gateway=st.builds(DeviceId, id=st.binary(min_size=8, max_size=8), addr=bytes6),
    advertisements=st.lists(advertisements, min_size=1, max_size=4).map(tuple),
    counted=st.booleans(),
)


def batch(nonce: int, *sensors: int, timestamp: int = NOW) -> Batch:
    return Batch(
        nonce,
        GATEWAY,
        tuple(
            Advertisement(
                n.to_bytes(6, "big"), b"\x02\x01\x06", -60, 1, 15, 37, None, 0.0, timestamp
            )
            for n in sensors or (1,)
        ),
    )


def spool_in(folder: Path, clock: ManualClock | None = None, **settings: Any) -> Spool:
    clock = clock or ManualClock(NOW)
    return Spool(folder, "custom", SpoolSettings(**settings), RelayCounters(), clock)


async def fill(spool: Spool, *batches: Batch) -> None:
    for each in batches:
        await spool.add(spool.new(each))


async def take_all(spool: Spool, window: float = 0.0) -> list[Batch]:
    """Take out what is in it, in order."""
    taken = []
    while waiting := await spool.oldest(window, lambda: 99):
        taken.append(waiting.batch)
        await spool.remove(waiting)
    assert (spool.batches, spool.reports) == (0, 0)
    return taken


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def noise(nonce: int, size: int) -> Batch:
    """A batch of about `size` bytes that cannot be compressed."""
    count = max(1, size // 250)
    heard = batch(1).advertisements[0]
    return Batch(nonce, GATEWAY, tuple(heard._replace(data=os.urandom(250)) for _ in range(count)))


def open_files(folder: Path) -> set[str]:
    """What this process has open in `folder`."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that reads this folder
            if (target := link.readlink()).is_relative_to(folder):
                found.add(target.name)
    return found


class Slow:
    """A ruuvi_host.relay.spool.disk.Disk that does nothing before it is told to go on."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._jobs: list[Callable[[], None]] | None = []

    def submit(self, job: Callable[[], None]) -> None:
        self.asked.set()
        if self._jobs is None:
            job()
        else:
            self._jobs.append(job)

    def go_on(self) -> None:
        jobs, self._jobs = self._jobs or [], None
        for job in jobs:
            job()

    def stop(self) -> None: ...
