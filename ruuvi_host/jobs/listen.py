"""Receiving without relaying: what opens the port, or a simulated board, and calls a listener."""

from collections.abc import Callable

from firmware_protocol.messages import DeviceId, Report, SetAll
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.device.port import Tap, open_port
from ruuvi_host.device.supervisor import Supervisor
from ruuvi_host.lifetime import together


class _Ears:
    """The listener of a link, for those who want reports only."""

    def __init__(self, heard: Callable[[list[Report], float], None]) -> None:
        self.heard = heard

    def identified(self, device: DeviceId) -> None: ...

    def ready(self, *, refused: bool) -> None: ...

    def rebooted(self) -> None: ...


async def listen(
    port: str | None,
    heard: Callable[[list[Report], float], None],
    settings: SetAll = SetAll(),  # noqa: B008 - it is immutable
    tap: Tap | None = None,
) -> None:
    """Configure the coprocessor on `port` (None: a simulated one), and call `heard` with the
    reports of each read and its monotonic time, until cancelled.

    settings: what it is to scan; as a gateway does, when nothing is said.
    tap: gets a copy of all bytes, both ways.
    """
    if port is not None:
        coprocessor = CoprocessorSettings(port)
        await Supervisor(coprocessor, settings, _Ears(heard), SystemClock(), tap=tap).run()
        return
    from ruuvi_host.simulator.board import Board
    from ruuvi_host.simulator.pty import PtyServer

    with PtyServer(Board()) as server:
        board = CoprocessorSettings(server.path)
        supervisor = Supervisor(board, settings, _Ears(heard), SystemClock(), tap=tap)
        await together(board=server.run(), supervisor=supervisor.run())


async def overhear(port: str, tap: Tap) -> None:
    """Only listen to `port`, and say nothing, until cancelled. Raises PortError when it is lost."""
    opened = await open_port(port, tap=tap)
    try:
        while True:
            await opened.read()
    finally:
        await opened.close()
