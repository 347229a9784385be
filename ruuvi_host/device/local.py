"""Serial devices and pseudo-terminals of this machine: opened for us alone, nothing translated."""

import asyncio
import fcntl
import os
import struct
import termios
from contextlib import suppress

from ruuvi_host.device.port import LineErrors, Port
from ruuvi_host.device.pyserial import Serial, SerialTransport, open_serial, port_names, set_line
from ruuvi_host.device.trouble import PTY_MAJORS, why_not_opened
from ruuvi_host.errors import PortError

READ_SIZE = 4096
FULL = 4095
"""Bytes of a read that left some behind: the line discipline gives no more at once."""
MOST_READS = 16
"""Reads in a turn of the loop; what then is left waits for the next."""
_ICOUNT = struct.Struct("20i")
"""struct serial_icounter_struct of linux/serial.h: cts, dsr, rng, dcd, rx, tx, frame, overrun,
parity, brk, buf_overrun, and nine reserved."""


class LocalDevice:
    """An open device or pty. Opening and releasing it may block.

    dtr, rts: the levels of these lines from the beginning. rtscts: flow control by hardware.
    Raises PortError that says what is wrong and what to do about it.
    """

    def __init__(self, path: str, baud: int, dtr: bool, rts: bool, rtscts: bool = False) -> None:
        try:
            self.serial = open_serial(path, baud, dtr, rts, rtscts)
        except (OSError, ValueError) as error:
            raise PortError(path, why_not_opened(path, error, port_names)) from error
        try:
            _finish_setup(self.serial.fd)
        except (termios.error, OSError) as error:
            self.serial.close()
            raise PortError(path, f"cannot be set up: {error}") from error
        self._errors_before = self._errors_now = _line_errors(self.serial.fd)

    def set_line(self, name: str, asserted: bool) -> None:
        """Set "dtr" or "rts". Raises OSError."""
        set_line(self.serial, name, asserted)

    def line_errors(self) -> LineErrors | None:
        """Since it was opened, or until it was lost; None: the driver does not count."""
        now = _line_errors(self.serial.fd) or self._errors_now
        before = self._errors_before
        if now is None or before is None:
            return None
        self._errors_now = now
        return LineErrors(now.overruns - before.overruns, now.framing - before.framing)

    def release(self) -> None:
        """Close it."""
        # Unsent bytes would make close wait for a peer that may never read.
        with suppress(termios.error, OSError):
            self.serial.reset_output_buffer()
        with suppress(OSError):
            self.serial.close()


class LocalTransport(SerialTransport):  # type: ignore[misc]  # untyped upstream
    """pyserial-asyncio's transport, without its traps; it never closes the device."""

    _serial: Serial
    _protocol: Port

    def __init__(self, port: Port, device: LocalDevice) -> None:
        self._gathering: asyncio.TimerHandle | None = None
        port.connection_made(self)
        port.gatherer = self
        super().__init__(asyncio.get_running_loop(), port, device.serial)

    def gather(self, seconds: float) -> None:
        """Do not watch the device for so long; 0: watch it."""
        if self._closing:
            return
        if seconds > 0:
            self._remove_reader()
            self._gathering = self._loop.call_later(seconds, self._gathered)
        else:
            self._ensure_reader()

    def look(self) -> None:
        """Hand over what has come, if it was not watched, and watch it again."""
        if self._gathering:
            self._gathering.cancel()
            self._gathered()

    def _gathered(self) -> None:
        self._gathering = None
        try:
            data = all_there(self._serial.fileno())
        except BlockingIOError:
            data = b""
        except OSError as error:
            self._abort(error)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._protocol.nothing_came()
        if not self._gathering:
            self._ensure_reader()

    def _read_ready(self) -> None:
        # Upstream makes two system calls of it, and reads no more than 1,024 bytes at once.
        try:
            data = all_there(self._serial.fileno())
        except BlockingIOError:
            return
        except OSError as error:
            self._abort(error)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._abort(None)

    def _abort(self, exc: BaseException | None) -> None:
        if self._gathering:
            self._gathering.cancel()
            self._gathering = None
        super()._abort(exc)

    def _fatal_error(self, exc: BaseException, message: str = "") -> None:
        self._abort(exc)  # the reader is told; no traceback in the log

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        self._protocol.connection_lost(exc)


def all_there(fd: int) -> bytes:
    """What has come. Who could not read for a while must catch up with a line that goes on: one
    full read in a turn of the loop is less than comes meanwhile. Raises OSError."""
    data = os.read(fd, READ_SIZE)
    if len(data) < FULL:
        return data
    pieces = [data]
    with suppress(OSError):  # nothing more; or it is lost, which the next read tells, too
        while len(data) >= FULL and len(pieces) < MOST_READS:
            pieces.append(data := os.read(fd, READ_SIZE))
    return b"".join(pieces)


def _finish_setup(fd: int | None) -> None:
    """What pyserial leaves to do for raw mode and for exclusive use."""
    assert fd is not None
    attributes = termios.tcgetattr(fd)
    attributes[0] &= ~(termios.BRKINT | termios.ISTRIP | termios.IXON | termios.IXOFF)
    # Closing must not drop DTR: on some boards that is the reset line.
    attributes[2] &= ~termios.HUPCL
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
    if os.major(os.fstat(fd).st_rdev) not in PTY_MAJORS:
        # flock keeps out those who ask for it, this also those who do not. On a pty it would
        # outlive us: the other end keeps the terminal open.
        fcntl.ioctl(fd, termios.TIOCEXCL)


def _line_errors(fd: int | None) -> LineErrors | None:
    if fd is None:
        return None
    try:
        counted = fcntl.ioctl(fd, termios.TIOCGICOUNT, bytes(_ICOUNT.size))
    except OSError:
        return None
    _, _, _, _, _, _, framing, overrun, _, _, buffer_overrun, *_ = _ICOUNT.unpack(counted)
    return LineErrors(overrun + buffer_overrun, framing)
