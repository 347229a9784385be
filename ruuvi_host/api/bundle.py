"""GET /host/bundle: the archive for the report of a fault, as a download."""

import asyncio
import os
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from ruuvi_host import __version__
from ruuvi_host.api.answer import answer
from ruuvi_host.api.door import Door
from ruuvi_host.config.show import secrets

_MISSING = {"doctor.txt": "only `ruuvi-host doctor --bundle` has it, on the machine itself"}


async def bundle(request: Request, door: Door) -> Response:
    """Answers after a few seconds, in which the serial port is listened to."""
    # Imported only for those who ask: two megabytes.
    from ruuvi_host.bundle.archive import Material, pack
    from ruuvi_host.bundle.machine import facts

    evidence = await door.evidence()
    now = door.clock.wall()
    material = Material(
        __version__,
        now,
        config=evidence.config,
        secrets=list(secrets(door.loaded.sources)),
        status=door.document(),
        log=evidence.log,
        starts=evidence.starts,
        machine=facts(),
        records=evidence.records,
        missing=_MISSING | {"capture.pcapng": "nothing came over the serial port"},
    )
    archive = await asyncio.to_thread(pack, material, os.urandom(32))
    name = f"ruuvi-host-report-{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}.zip"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return answer(200, archive, "application/zip", disposition)
