"""Receiving without relaying: what opens the port, or a simulated board, and calls a listener."""

from collections.abc import Callable

from firmware_protocol.events import Event, Received
from firmware_protocol.messages import Report, SetAll
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.coprocessor import GATHER_MS, CoprocessorSettings
from ruuvi_host.device.opening import open_port
from ruuvi_host.device.port import Tap
from ruuvi_host.device.supervisor import Supervisor
from ruuvi_host.lifetime import together
from ruuvi_host.monitoring.link_status import LinkStatus


async def listen(
    port: str | None,
    received: Callable[[list[Report], float], None],
    settings: SetAll = SetAll(),  # noqa: B008 - it is immutable
    tap: Tap | None = None,
    ended: Callable[[LinkStatus], None] | None = None,
) -> None:
    """Configure the coprocessor on `port` (None: a simulated one), and call `received` with the
    reports of each read and its monotonic time, until cancelled.

    settings: what it is to scan; as a gateway does, when nothing is said.
    tap: gets a copy of all bytes, both ways. ended: told at the end how it has gone.
    """

    async def supervise(path: str) -> None:
        # What is recorded to be looked at has the times at which it came.
        coprocessor = CoprocessorSettings(path, gather_ms=0 if tap else GATHER_MS)
        supervisor = Supervisor(coprocessor, settings, on_event, SystemClock(), tap=tap)
        try:
            await supervisor.run()
        finally:
            if ended:
                ended(supervisor.status)

    def on_event(event: Event, now: float) -> None:
        if isinstance(event, Received):
            received(event.reports, now)

    if port is not None:
        await supervise(port)
        return
    from ruuvi_host.simulator.board import Board
    from ruuvi_host.simulator.pty import PtyServer

    with PtyServer(Board()) as server:
        await together(board=server.run(), supervisor=supervise(server.path))


async def overhear(port: str, tap: Tap) -> None:
    """Only listen to `port`, and say nothing, until cancelled. Raises PortError when it is lost."""
    opened = await open_port(port, tap=tap)
    try:
        while True:
            await opened.read()
    finally:
        await opened.close()
