"""What ruuvi_host/device/pyserial.py would be with serialx: successors.py puts it there, to try.

serialx is a library of its own, not a fork. Of 1.15 this would have to be known: its transport
opens the port itself, and closes it itself in a task that nobody waits for, so ours is handed a
descriptor that is open already, and keeps the closing away from it. A modem line that cannot be set
is no error there. Its client of rfc2217:// is another one than pyserial's, and was not tried.
"""

import asyncio
import errno
import socket
import sys
from contextlib import suppress
from queue import Queue
from typing import Any

import serialx
from serial import rfc2217
from serialx.tools.list_ports import comports

from ruuvi_host.device.trouble import describe


class Serial(serialx.Serial):  # type: ignore[misc]  # not installed where this is checked
    """A port of this machine, with the name of pyserial that is called."""

    @property
    def fd(self) -> int:
        return int(self.fileno())

    def reset_output_buffer(self) -> None:
        """Of a port that is closed pyserial says an OSError; serialx fails in an assertion."""
        if self.is_open:
            super().reset_output_buffer()


def open_serial(path: str, baud: int, dtr: bool, rts: bool, rtscts: bool = False) -> Serial:
    """Open a device or pty with a lock. Blocks. Raises OSError or ValueError."""
    device = Serial(
        path,
        baud,
        exclusive=True,
        rtscts=rtscts,
        dtr_on_open=serialx.PinState.HIGH if dtr else serialx.PinState.LOW,
        rts_on_open=serialx.PinState.HIGH if rts else serialx.PinState.LOW,
        dtr_on_close=serialx.PinState.UNDEFINED,
        rts_on_close=serialx.PinState.UNDEFINED,
    )
    try:
        device.open()
    except OSError as error:
        if error.errno == errno.ENOTTY:  # pyserial says of it what trouble.py looks for
            raise OSError(f"Could not configure port: {error}") from error
        raise
    return device


class SerialTransport(serialx.SerialTransport):  # type: ignore[misc]
    """serialx's, over a port that is open, with the names that ours changes of the other one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any, device: Serial) -> None:
        super().__init__(loop, protocol)
        self._serial, self._has_reader = device, False
        self._fileno: int | None = device.fd
        self._ensure_reader()

    def _ensure_reader(self) -> None:
        if not self._closing and not self._has_reader:
            self._loop.add_reader(self._fileno, self._read_ready)
            self._has_reader = True

    def _remove_reader(self) -> None:
        if self._has_reader:
            self._loop.remove_reader(self._fileno)
            self._has_reader = False

    def pause_reading(self) -> None:
        self._remove_reader()

    def resume_reading(self) -> None:
        self._ensure_reader()

    def abort(self) -> None:
        self._abort(None)

    def _abort(self, exc: BaseException | None) -> None:
        if self._fileno is None:
            return
        self._closing = True
        self._remove_reader()
        self._loop.remove_writer(self._fileno)
        self._buffer.clear()
        self._fileno = None
        self._loop.call_soon(self._call_connection_lost, exc)


MOST_QUEUED = 1 << 14
"""See the module that this stands in the place of."""


class _Bounded:
    """Likewise."""

    def __get__(self, client: "Rfc2217Client", owner: type) -> "Queue[bytes] | None":
        return client.queue

    def __set__(self, client: "Rfc2217Client", queue: "Queue[bytes] | None") -> None:
        client.queue = queue
        if queue:
            queue.maxsize = MOST_QUEUED


class Rfc2217Client(rfc2217.Serial):
    """Still pyserial's."""

    _socket: socket.socket | None
    _read_buffer = _Bounded()
    queue: "Queue[bytes] | None" = None

    def close(self) -> None:
        connection = self._socket
        if self.queue:
            with self.queue.mutex:
                self.queue.maxsize = sys.maxsize
                self.queue.not_full.notify_all()
        super().close()
        if connection:
            connection.close()

    def set_line(self, name: str, asserted: bool) -> None:
        """Set "dtr" or "rts". Raises OSError."""
        set_line(self, name, asserted)

    def line_errors(self) -> None:
        """Not known."""

    def release(self) -> None:
        """Close it, unless the reader has done so already."""
        self.close()


def set_line(device: Any, name: str, asserted: bool) -> None:
    """Set the modem line "dtr" or "rts". Blocks. Raises OSError with number and sentence."""
    try:
        setattr(device, name, asserted)
    except OSError as error:
        raise OSError(error.errno or errno.EIO, describe(error)) from error


def port_names() -> list[str]:
    """The serial ports of this machine, as paths; ptys are not among them."""
    with suppress(OSError, TypeError, ValueError):
        return sorted(str(port.device) for port in comports())
    return []
