"""Each fault of the line for a moment; for longer with RUUVI_SOAK_SECONDS=S (and pytest's
--timeout=0)."""

import asyncio
import os
from pathlib import Path

import pytest
from serial_faults import FAULTS

SECONDS = float(os.environ.get("RUUVI_SOAK_SECONDS", "1.5"))


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_lost_without_a_reason(name: str, tmp_path: Path) -> None:
    asyncio.run(_run(name, tmp_path))


async def _run(name: str, folder: Path) -> None:
    async with asyncio.timeout(SECONDS + 50):
        figures = await FAULTS[name](SECONDS, folder)
    assert figures.offered > 0
    assert figures.delivered > 0
