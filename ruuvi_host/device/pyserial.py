"""The one module that knows pyserial and pyserial-asyncio, and what must be known of them.

Of pyserial-asyncio 0.6, dealt with in local.py: it takes no lock; opening blocks; `write(b"")`
makes the loop spin in an assertion; `close()` waits for a peer that may never read, and then drains
and closes inside the loop, which a USB adapter can hold up for half a minute; a failed write is
logged with a traceback; and when a loss and an abort meet, the second one finds that the port is
None. Of pyserial 3.5: closing a network port sleeps 0.3 s, and forgets the socket when the peer has
reset the connection. Its SerialException is an OSError, often without a number.
"""

import errno
import socket
import sys
from contextlib import suppress
from queue import Queue

import serial
import serial_asyncio
from serial import rfc2217

from ruuvi_host.device.trouble import describe

Serial = serial.Serial
SerialTransport = serial_asyncio.SerialTransport


def open_serial(path: str, baud: int, dtr: bool, rts: bool, rtscts: bool = False) -> Serial:
    """Open a device or pty with a lock. Blocks. Raises OSError or ValueError."""
    device = serial.Serial(baudrate=baud, timeout=0, write_timeout=0, exclusive=True, rtscts=rtscts)
    device.port, device.dtr, device.rts = path, dtr, rts
    device.open()
    return device


MOST_QUEUED = 1 << 14
"""Bytes that pyserial's own thread may have read and nobody has taken. With more it reads no
further, and TCP holds the others back."""


class _Bounded:
    """Gives the queue of pyserial's reader a limit. It makes one without, inside of `open`."""

    def __get__(self, client: "Rfc2217Client", owner: type) -> "Queue[bytes] | None":
        return client.queue

    def __set__(self, client: "Rfc2217Client", queue: "Queue[bytes] | None") -> None:
        client.queue = queue
        if queue:
            queue.maxsize = MOST_QUEUED


class Rfc2217Client(rfc2217.Serial):
    """pyserial's client of a port on another machine. All its methods block."""

    _socket: socket.socket | None  # not in the stubs
    _read_buffer = _Bounded()
    queue: "Queue[bytes] | None" = None

    def close(self) -> None:
        connection = self._socket
        if self.queue:
            # The reader may wait for room, and `close` for the reader.
            with self.queue.mutex:
                self.queue.maxsize = sys.maxsize
                self.queue.not_full.notify_all()
        super().close()
        if connection:
            connection.close()  # which pyserial forgets when the peer has reset it

    def set_line(self, name: str, asserted: bool) -> None:
        """Set "dtr" or "rts". Raises OSError."""
        set_line(self, name, asserted)

    def line_errors(self) -> None:
        """Not known."""

    def release(self) -> None:
        """Close it, unless the reader has done so already."""
        self.close()


def set_line(device: serial.SerialBase, name: str, asserted: bool) -> None:
    """Set the modem line "dtr" or "rts". Blocks. Raises OSError with number and sentence."""
    try:
        setattr(device, name, asserted)
    except OSError as error:
        raise OSError(error.errno or errno.EIO, describe(error)) from error


def port_names() -> list[str]:
    """The serial ports of this machine, as paths; ptys are not among them."""
    from serial.tools.list_ports import comports  # for people, and rarely

    # pyserial makes numbers of what it reads of a device, which may be unplugged this moment.
    with suppress(OSError, TypeError, ValueError):
        return sorted(port.device for port in comports())
    return []
