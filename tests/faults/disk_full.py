"""Run in a mount namespace of its own, with a small file system: `disk_full.py FOLDER`.

Fills a spool far beyond the disk, lets another program take every byte that is left, and drains.
Prints what happened, as one JSON object.
"""

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from firmware_protocol.messages import DeviceId
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.spool.spool import Spool

GATEWAY = DeviceId(bytes(8), bytes(6))
BATCHES = 1000


REPORTS = 100
"""In a batch: about 3 KB."""


def batch(nonce: int) -> Batch:
    """One that cannot be compressed."""
    heard = Advertisement(os.urandom(6), b"", -60, 1, 15, 37, None, 0.0, 1_800_000_000)
    parts = (heard._replace(data=os.urandom(28)) for _ in range(REPORTS))
    return Batch(nonce, GATEWAY, tuple(parts))


def take_all_room(folder: Path, number: int) -> None:
    """What another program does: every byte that is left."""
    with open(folder / f"other{number}", "wb", buffering=0) as file, suppress(OSError):
        while True:
            if not file.write(bytes(512)):
                break


async def main(folder: Path) -> None:
    clock, counters = SystemClock(), RelayCounters()
    spool = Spool(folder, "custom", SpoolSettings(), counters, clock)
    most_in_memory, when_the_first_left = 0, (0, 0)
    for nonce in range(BATCHES):
        if nonce == BATCHES // 2:
            take_all_room(folder, 1)
        await spool.add(spool.new(batch(nonce)))
        most_in_memory = max(most_in_memory, spool.only_in_memory[0])
        if counters.overflowed and not any(when_the_first_left):
            ballast = (folder / "custom.ballast").stat().st_size
            when_the_first_left = ballast, spool.only_in_memory[1]
    told = {
        "when_the_first_left": when_the_first_left,
        "kept": spool.batches,
        "overflowed": counters.overflowed,
        "most_in_memory": most_in_memory,
        "in_memory": spool.only_in_memory[0],
        "ballast": (folder / "custom.ballast").stat().st_size,
    }
    take_all_room(folder, 2)
    # A crash: another process finds all that was on disk.
    disk = spool.batches - spool.only_in_memory[0]
    spool = Spool(folder, "custom", SpoolSettings(), counters, clock)
    await spool.open()
    told["found"], told["were_on_disk"] = spool.batches, disk
    take_all_room(folder, 3)
    nonces = []
    while waiting := await spool.oldest(0.0, int):
        nonces.append(waiting.batch.nonce)
        await spool.remove(waiting)
    told |= {"drained": len(nonces), "twice": len(nonces) - len(set(nonces))}
    told |= {"in_order": nonces == sorted(nonces), "newest": max(nonces, default=-1)}
    for n in (1, 2, 3):
        with suppress(FileNotFoundError):
            (folder / f"other{n}").unlink()
    await spool.add(spool.new(batch(BATCHES)))
    told["works_again"] = spool.only_in_memory == (0, 0)
    await spool.close()
    print(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
