"""An adapter of this machine as a port: the kernel's user channel, a packet for each read."""

import asyncio
import errno
import os
import socket
from contextlib import suppress

from ruuvi_host.bridge.kernel import Kernel, why_not_taken
from ruuvi_host.bridge.names import AdapterName
from ruuvi_host.device.port import Port
from ruuvi_host.errors import PortError

_LONGEST = 4 + 0xFFFF
"""Bytes of a packet with its type: ACL data have a length of two bytes."""
_AT_ONCE = 64
"""Packets that are read in one turn of the loop."""
_TAKES = 3
"""bluetoothd switches an adapter on again as soon as it sees it."""


def open_user_channel(name: AdapterName, kernel: Kernel, *, take: bool) -> socket.socket:
    """Take all of an adapter. Blocks. Raises PortError with what to do about it.

    take: switch it off if somebody has it switched on.
    """
    index = name.index
    if index is None:
        adapter = kernel.find(name.address)
        if adapter is None:
            raise PortError(name.text, _nowhere(name, kernel))
        index = adapter.index
    try:
        opened = kernel.open()
    except OSError as error:
        raise PortError(name.text, why_not_taken(error, name.text, [])) from error
    try:
        for attempt in range(_TAKES):
            if attempt:
                kernel.switch_off(index)
            try:
                kernel.bind(opened, index)
                break
            except OSError as error:
                if error.errno != errno.EBUSY or not take or attempt == _TAKES - 1:
                    raise
    except OSError as error:
        opened.close()
        why = why_not_taken(error, f"hci{index}", kernel.adapters())
        raise PortError(name.text, why) from error
    opened.setblocking(False)
    return opened


def _nowhere(name: AdapterName, kernel: Kernel) -> str:
    try:
        kernel.open().close()
    except OSError as error:
        return why_not_taken(error, name.text, [])
    there = [
        f"{a.name} ({a.address.hex(':').upper() if any(a.address) else 'address not known'})"
        for a in kernel.adapters()
    ]
    found = f"There is {', '.join(there)}" if there else "There is none"
    return f"there is no adapter with this address. {found}"


class UserChannel(asyncio.Transport):
    """Hands packets to a Port as if they came over a line."""

    def __init__(self, port: Port, opened: socket.socket) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._port = port
        self._socket = opened
        self._ended = False
        port.connection_made(self)
        self._loop.add_reader(opened, self._read)

    def _read(self) -> None:
        packets = []
        loss: OSError | None = None
        try:
            for _ in range(_AT_ONCE):
                packet = self._socket.recv(_LONGEST)
                if not packet:
                    loss = OSError(errno.ENODEV, os.strerror(errno.ENODEV))
                    break
                packets.append(packet)
        except BlockingIOError:
            pass
        except OSError as error:
            loss = error
        if packets:
            self._port.data_received(b"".join(packets))
        if loss:
            self._end(loss)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """One packet. What the kernel has no room for is lost, and its answer will be missed."""
        if self._ended:
            return
        try:
            self._socket.send(data)
        except BlockingIOError:
            pass
        except OSError as error:
            self._end(error)

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        if not self._ended:
            self._loop.remove_reader(self._socket)

    def resume_reading(self) -> None:
        if not self._ended:
            self._loop.add_reader(self._socket, self._read)

    def is_closing(self) -> bool:
        return self._ended

    def close(self) -> None:
        self._end(None)

    abort = close

    def _end(self, loss: OSError | None) -> None:
        if self._ended:
            return
        self._ended = True
        self._loop.remove_reader(self._socket)
        with suppress(OSError):
            self._socket.close()
        # EPIPE is what the kernel says of an adapter that was pulled out.
        gone = loss and loss.errno in (errno.EPIPE, errno.ENODEV)
        self._loop.call_soon(self._port.connection_lost, None if gone else loss)
