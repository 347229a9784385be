"""Open serial ports, exclusively; the one module that knows pyserial and pyserial-asyncio.

Local ports, ptys and socket:// go through pyserial-asyncio. rfc2217:// has no file descriptor
that the event loop could wait for, so a thread reads it.

What must be known of pyserial-asyncio 0.6, and is dealt with here: it takes no lock; opening
blocks; `write(b"")` makes the loop spin in an assertion; `close()` waits for a peer that may never
read, and the drain behind it blocks the loop; a failed write is logged with a traceback; and when
a loss and an abort meet, `connection_lost` is called twice, the second time on None.
"""

import asyncio
import errno
import fcntl
import os
import stat
import termios
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import serial
import serial_asyncio

from ruuvi_host.errors import PortError

BAUD = 115200
"""8 data bits, no parity, 1 stop bit, no flow control: what every board of the firmware uses."""

READ_SIZE = 4096
_CLOSE_TIMEOUT = 1.0
_PTY_MAJORS = range(136, 144)


class Port(Protocol):
    """An open port: octets both ways."""

    path: str
    is_network: bool
    """Delays are those of a network: quiet lines say less about incomplete frames."""

    async def read(self) -> bytes:
        """At least one octet. Raises PortError when the port is lost."""
        ...

    def write(self, data: bytes) -> None:
        """Queue `data` for sending; never waits."""
        ...

    async def close(self) -> None:
        """Close at once; what has not been sent is dropped."""
        ...


async def open_port(path: str, baud: int = BAUD) -> Port:
    """Open `path` (a device, a pty, socket://host:port or rfc2217://host:port) for us alone.

    Raises PortError that says what is wrong and what to do about it.
    """
    opening = asyncio.ensure_future(asyncio.to_thread(_open, path, baud))
    try:
        port = await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The thread cannot be stopped; whatever it still opens must not stay locked.
        opening.add_done_callback(_close_result)
        raise
    try:
        port.fileno()
    except (OSError, ValueError):  # io.UnsupportedOperation is both
        return _ThreadPort(path, port)
    return _SerialPort(path, port)


def _open(path: str, baud: int) -> serial.Serial:
    try:
        if "://" in path:
            return serial.serial_for_url(path, baudrate=baud, timeout=0.2)
        port = serial.Serial(path, baudrate=baud, timeout=0, exclusive=True)
    except (serial.SerialException, OSError, ValueError) as error:
        raise PortError(path, _why(path, error)) from error
    try:
        _finish_setup(port.fd)
    except (termios.error, OSError) as error:
        port.close()
        raise PortError(path, f"cannot be set up: {error}") from error
    return port


def _finish_setup(fd: int | None) -> None:
    """What pyserial leaves to do for raw mode and for exclusive use."""
    assert fd is not None
    attributes = termios.tcgetattr(fd)
    attributes[0] &= ~(termios.BRKINT | termios.ISTRIP | termios.IXON | termios.IXOFF)
    # Closing must not drop DTR: on some boards that is the reset line.
    attributes[2] &= ~termios.HUPCL
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
    if os.major(os.fstat(fd).st_rdev) not in _PTY_MAJORS:
        # flock keeps out those who ask for it, this also those who do not. On a pty it would
        # outlive us: the other end keeps the terminal open.
        fcntl.ioctl(fd, termios.TIOCEXCL)


def _close_result(opening: "asyncio.Future[serial.Serial]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


class _Transport(serial_asyncio.SerialTransport):  # type: ignore[misc]  # untyped upstream
    def _fatal_error(self, exc: BaseException, message: str = "") -> None:
        self._abort(exc)  # the reader is told; no traceback in the log

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        if self._serial is not None:
            super()._call_connection_lost(exc)


class _Protocol(asyncio.StreamReaderProtocol):
    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self.lost = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost.set()


class _SerialPort:
    """A port whose file descriptor the event loop waits for."""

    def __init__(self, path: str, port: serial.Serial) -> None:
        self.path = path
        self.is_network = "://" in path
        self._serial = port
        self._reader = asyncio.StreamReader()
        self._protocol = _Protocol(self._reader)
        self._transport = _Transport(asyncio.get_running_loop(), self._protocol, port)

    async def read(self) -> bytes:
        try:
            data = await self._reader.read(READ_SIZE)
        except (serial.SerialException, OSError) as error:
            raise PortError(self.path, f"lost: {_detail(error)}") from error
        if not data:
            raise PortError(self.path, "lost: closed by the other end")
        return data

    def write(self, data: bytes) -> None:
        if data:
            self._transport.write(data)

    async def close(self) -> None:
        if not self._protocol.lost.is_set():
            # Unsent octets in the driver would make the drain inside pyserial-asyncio wait.
            with suppress(serial.SerialException, termios.error, OSError):
                self._serial.reset_output_buffer()
            self._transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._protocol.lost.wait()


class _ThreadPort:
    """A port that can only be read by waiting inside pyserial."""

    def __init__(self, path: str, port: serial.Serial) -> None:
        self.path = path
        self.is_network = True
        self._serial = port
        self._loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader()
        self._closing = False
        threading.Thread(target=self._pump, name=f"read {path}", daemon=True).start()

    async def read(self) -> bytes:
        try:
            data = await self._reader.read(READ_SIZE)
        except (serial.SerialException, OSError) as error:
            raise PortError(self.path, f"lost: {_detail(error)}") from error
        if not data:
            raise PortError(self.path, "lost: closed by the other end")
        return data

    def write(self, data: bytes) -> None:
        if data:
            self._loop.run_in_executor(None, self._write, data)

    async def close(self) -> None:
        self._closing = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await asyncio.to_thread(self._serial.close)

    def _write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except (serial.SerialException, OSError) as error:
            self._tell(self._reader.set_exception, error)

    def _pump(self) -> None:
        while not self._closing:
            try:
                data = self._serial.read(1)
                if data:
                    data += self._serial.read(self._serial.in_waiting)
                    self._tell(self._reader.feed_data, data)
            except (serial.SerialException, OSError, TypeError, AttributeError) as error:
                # The latter two: pyserial's own fields vanish when close() overtakes a read.
                self._tell(self._reader.set_exception, serial.SerialException(str(error)))
                return

    def _tell(self, function: Any, argument: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(function, argument)


# --- what went wrong, in words


def _why(path: str, error: Exception) -> str:
    """Why a port cannot be opened, and what to do."""
    if "://" in path:
        return f"cannot be opened: {_detail(error)}"
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return f"there is no such port. {_ports_here()}"
    if number in (errno.EACCES, errno.EPERM):
        return f"no permission to open it. {_permission_advice(path)}"
    if number in (errno.EBUSY, errno.EAGAIN):
        return f"in use by {_holder(path)}. Stop it, or choose another port"
    with suppress(OSError):
        if not stat.S_ISCHR(os.stat(path).st_mode):
            return "not a serial port"
    if number is None and "configure port" in str(error):
        return "not a serial port"
    return f"cannot be opened: {_detail(error)}"


def _detail(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _ports_here() -> str:
    from serial.tools.list_ports import comports

    names = [port.device for port in comports()]
    return f"Ports here: {', '.join(names)}" if names else "This machine has no serial port"


def _permission_advice(path: str) -> str:
    import grp

    try:
        group = grp.getgrgid(os.stat(path).st_gid).gr_name
    except (OSError, KeyError):
        return "Ask the owner of the device"
    if group == "root":
        return (
            f"It belongs to root: give it a group with a udev rule, or run `sudo chmod a+rw {path}`"
        )
    return f"Join its group: `sudo usermod -aG {group} $USER`, then log in again"


def _holder(path: str) -> str:
    """Who has `path` open, as far as this user may know."""
    real = os.path.realpath(path)
    holders = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(os.path.realpath(fd) == real for fd in (process / "fd").iterdir()):
                holders.append(f"{(process / 'comm').read_text().strip()} (process {process.name})")
    return " and ".join(holders) or "another process (run as root to see which)"
