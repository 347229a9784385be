"""Opens a port by its name: a device of this machine, or one that is reached over the network."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from ruuvi_host.config.coprocessor import BAUD
from ruuvi_host.device.local import LocalDevice, LocalTransport
from ruuvi_host.device.port import Port, Tap

D = TypeVar("D")


async def open_port(
    path: str,
    baud: int = BAUD,
    *,
    dtr: bool = True,
    rts: bool = True,
    rtscts: bool = False,
    tap: Tap | None = None,
) -> Port:
    """Open `path` (a device, a pty, socket://host:port or rfc2217://host:port) for us alone.

    dtr, rts: the levels of these lines, where there are any. rtscts: flow control by hardware, for
    a device of this machine. tap: gets a copy of all bytes, both ways.
    Raises PortError that says what is wrong and what to do about it.
    """
    port = Port(path, tap)
    if "://" not in path:
        device = await in_thread(
            lambda: LocalDevice(path, baud, dtr, rts, rtscts), LocalDevice.release
        )
        port.device = device
        LocalTransport(port, device)
        return port
    # Not with the rest: most ports are on this machine.
    from ruuvi_host.device.network import Rfc2217Transport, address, connect, open_rfc2217

    scheme, host, number = address(path)
    if scheme == "socket":
        await connect(port, host, number)
        return port
    client = await in_thread(
        lambda: open_rfc2217(path, baud, dtr, rts), lambda opened: opened.close()
    )
    port.device = client
    Rfc2217Transport(port, client)
    return port


async def in_thread(open_it: Callable[[], D], close_it: Callable[[D], None]) -> D:
    """Call `open_it`, which may block, in a thread."""
    opening = asyncio.get_running_loop().run_in_executor(None, open_it)

    def close_what_was_opened(opened: "asyncio.Future[D]") -> None:
        if not opened.cancelled() and opened.exception() is None:
            threading.Thread(target=close_it, args=(opened.result(),), daemon=True).start()

    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The thread cannot be stopped; what it still opens must not stay open and locked.
        opening.add_done_callback(close_what_was_opened)
        raise
