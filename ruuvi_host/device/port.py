"""Open serial ports, exclusively; the one module that knows pyserial and pyserial-asyncio.

A local port or pty goes through pyserial-asyncio, socket:// is a plain TCP connection of asyncio's
own, and rfc2217:// is pyserial's client, which a thread reads because it has no file descriptor
that the event loop could wait for. All three tell a `Port` what has come in.

What must be known of pyserial-asyncio 0.6, and is dealt with here: it takes no lock; opening
blocks; `write(b"")` makes the loop spin in an assertion; `close()` waits for a peer that may never
read, and then drains and closes inside the loop, which a USB adapter can hold up for half a minute;
a failed write is logged with a traceback; and when a loss and an abort meet, the second one finds
that the port is None. And of pyserial 3.5: closing a network port sleeps 0.3 s, and forgets the
socket when the peer has reset the connection.
"""

import asyncio
import errno
import fcntl
import os
import socket
import struct
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

import serial
import serial_asyncio
from serial import rfc2217
from serial.tools.list_ports import comports

from ruuvi_host.config.coprocessor import BAUD
from ruuvi_host.device.trouble import describe, why_not_opened
from ruuvi_host.errors import PortError

READ_SIZE = 4096
_CONNECT_TIMEOUT = 5.0
_CLOSE_TIMEOUT = 1.0
_POLL_TIMEOUT = 0.1
_PTY_MAJORS = range(136, 144)
_ICOUNT = struct.Struct("20i")
"""struct serial_icounter_struct of linux/serial.h: cts, dsr, rng, dcd, rx, tx, frame, overrun,
parity, brk, buf_overrun, and nine reserved."""

A = TypeVar("A")
D = TypeVar("D")


class Tap(Protocol):
    """Who wants a copy of all that passes. Called inside the loop: must not wait."""

    def received(self, data: bytes) -> None:
        """As it was read, cut anywhere, before anybody has looked at it."""
        ...

    def sent(self, data: bytes) -> None:
        """As it was handed to the system."""
        ...


class LineErrors(NamedTuple):
    """What this machine's UART and its driver have counted since the port was opened."""

    overruns: int
    """Bytes that came faster than they were fetched, in the UART or behind it."""
    framing: int


class Port(asyncio.Protocol):
    """An open port: bytes both ways. Made by `open_port`; one reader or receiver at a time.

    It is the asyncio protocol of its transport, and its own stream: a StreamReader would throw
    away what has come in before a loss, and cannot tell "nothing came" without losing track of
    what did.
    """

    def __init__(self, path: str, tap: Tap | None = None) -> None:
        self.path = path
        self.tap = tap
        self.receiver: Callable[[bytes], float] | None = None
        """Gets all that comes in from now on, in place of `read`, inside the loop: that saves a
        turn of the loop for each read. Returns the monotonic time at which a `wait` shall end at
        the latest. Must not wait, and not raise."""
        self.is_network = "://" in path
        """Delays are those of a network: quiet lines say less about incomplete frames."""
        self.release: Callable[[], None] | None = None
        """Gives the port back to the system. May block, so it is called in a thread."""
        self.device: serial.SerialBase | None = None
        """What has modem lines and counts errors, if there is such a thing."""
        self._errors_before: LineErrors | None = None
        self._errors_now: LineErrors | None = None
        self._poked = False
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received: list[bytes] = []
        self._loss: PortError | None = None
        self._lost = asyncio.Event()
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None

    async def read(self, timeout: float = inf) -> bytes:
        """All that has come in; waits until there is something.

        b"": nothing came for `timeout` seconds, or it was poked.
        Raises PortError when the port is lost, after the last bytes have been read.
        """
        until = self._loop.time() + timeout
        while not self._received and self._loss is None:
            if self._poked:
                self._poked = False
                return b""
            if self._loop.time() >= until:
                # After a standstill the time is over before the loop has looked at the port:
                # two turns, one that looks and one that hands over.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                if self._received or self._loss:
                    break
                return b""
            await self._wait(until)
        if self._received:
            data = b"".join(self._received)
            self._received.clear()
            return data
        assert self._loss is not None
        raise self._loss

    async def wait(self, until: float) -> None:
        """For who has a `receiver`: until this monotonic time, or any time before.

        What has come in by then has been handed over. Raises PortError when the port is lost.
        """
        if self._loss is None and not self._poked:
            await self._wait(until)
        if self._loop.time() >= until:
            # As in `read`: what has come since the loop last looked is no silence.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self._poked = False
        if self._loss:
            raise self._loss

    async def _wait(self, until: float) -> None:
        self._set_alarm(until)
        self._waiter = self._loop.create_future()
        await self._waiter

    def take_rest(self) -> bytes:
        """What has come in and was not read; for who is about to close it."""
        data = b"".join(self._received)
        self._received.clear()
        return data

    def write(self, data: bytes) -> None:
        """Queue `data` for sending; never waits. Without effect when the port is lost."""
        if data and self._transport:
            if self.tap:
                self.tap.sent(data)
            self._transport.write(data)

    def poke(self) -> None:
        """Let a `read` that waits return, so that its caller looks around."""
        self._poked = True
        self._wake()

    async def set_line(self, name: str, asserted: bool) -> None:
        """Set a modem line, "dtr" or "rts". Raises OSError when it cannot be."""
        device = self.device
        if device is None:
            raise OSError(errno.ENOTTY, "this port has no modem lines")
        try:
            await self._loop.run_in_executor(None, setattr, device, name, asserted)
        except serial.SerialException as error:
            raise OSError(error.errno or errno.EIO, describe(error)) from error

    def line_errors(self) -> LineErrors | None:
        """None: not known. Many drivers count, ptys and networks do not. Of a port that was lost
        it is what was known when it was last asked."""
        now = _line_errors(self.device) or self._errors_now
        before = self._errors_before
        if now is None or before is None:
            return None
        self._errors_now = now
        return LineErrors(now.overruns - before.overruns, now.framing - before.framing)

    def attach(self, device: serial.SerialBase) -> None:
        """`device` is what it talks through."""
        self.device = device
        self._errors_before = self._errors_now = _line_errors(device)

    async def close(self) -> None:
        """Close at once; what has not been sent is dropped. Takes at most a second."""
        if self._transport:
            self._transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._lost.wait()
                if self.release:
                    await self._loop.run_in_executor(None, self.release)

    def _set_alarm(self, until: float) -> None:
        """Be woken at `until` or earlier: moving the alarm at each read would cost as much as a
        read, so one that comes too early is left to ring."""
        if self._alarm:
            if self._alarm.when() <= until:
                return
            self._alarm.cancel()
        self._alarm = self._loop.call_at(until, self._ring) if until < inf else None

    def _ring(self) -> None:
        self._alarm = None
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    # --- what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self.tap:
            self.tap.received(data)
        if self.receiver:
            self._set_alarm(self.receiver(data))
            return
        self._received.append(data)
        self._wake()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._loss is None:
            why = describe(exc) if exc else "unplugged, or closed by the other end"
            self._loss = PortError(self.path, f"lost: {why}")
            self._loss.__cause__ = exc
        self._lost.set()
        self._wake()


async def open_port(
    path: str,
    baud: int = BAUD,
    *,
    dtr: bool = True,
    rts: bool = True,
    tap: Tap | None = None,
) -> Port:
    """Open `path` (a device, a pty, socket://host:port or rfc2217://host:port) for us alone.

    dtr, rts: the levels of these lines, where there are any. tap: gets a copy of all bytes, both
    ways.
    Raises PortError that says what is wrong and what to do about it.
    """
    port = Port(path, tap)
    if "://" not in path:
        device = await _in_thread(lambda: _open_local(path, baud, dtr, rts), _close_local)
        port.release = lambda: _close_local(device)
        port.attach(device)
        _SerialTransport(port, device)
        return port
    scheme, host, number = _address(path)
    if scheme == "socket":
        return await _connect(port, host, number)
    client = await _in_thread(lambda: _open_rfc2217(path, baud, dtr, rts), _Rfc2217Client.close)
    port.attach(client)
    _Rfc2217Transport(port, client)
    return port


def _line_errors(device: serial.SerialBase | None) -> LineErrors | None:
    if not isinstance(device, serial.Serial) or device.fd is None:
        return None
    try:
        counted = fcntl.ioctl(device.fd, termios.TIOCGICOUNT, bytes(_ICOUNT.size))
    except OSError:
        return None
    _, _, _, _, _, _, framing, overrun, _, _, buffer_overrun, *_ = _ICOUNT.unpack(counted)
    return LineErrors(overrun + buffer_overrun, framing)


def port_names() -> list[str]:
    """The serial ports of this machine, as paths; ptys are not among them."""
    # pyserial makes numbers of what it reads of a device, which may be unplugged this moment.
    with suppress(OSError, TypeError, ValueError):
        return sorted(port.device for port in comports())
    return []


async def _in_thread(open_it: Callable[[], D], close_it: Callable[[D], None]) -> D:
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


# --- devices and ptys


def _open_local(path: str, baud: int, dtr: bool, rts: bool) -> serial.Serial:
    try:
        device = serial.Serial(baudrate=baud, timeout=0, write_timeout=0, exclusive=True)
        device.port, device.dtr, device.rts = path, dtr, rts
        device.open()
    except (serial.SerialException, OSError, ValueError) as error:
        raise PortError(path, why_not_opened(path, error, port_names)) from error
    try:
        _finish_setup(device.fd)
    except (termios.error, OSError) as error:
        device.close()
        raise PortError(path, f"cannot be set up: {error}") from error
    return device


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


def _close_local(device: serial.Serial) -> None:
    # Unsent bytes would make close wait for a peer that may never read.
    with suppress(serial.SerialException, termios.error, OSError):
        device.reset_output_buffer()
    with suppress(OSError):
        device.close()


class _SerialTransport(serial_asyncio.SerialTransport):  # type: ignore[misc]  # untyped upstream
    """pyserial-asyncio's transport, without its traps; it never closes the device."""

    _serial: serial.Serial
    _protocol: Port

    def __init__(self, port: Port, device: serial.Serial) -> None:
        port.connection_made(self)
        super().__init__(asyncio.get_running_loop(), port, device)

    def _read_ready(self) -> None:
        # Upstream makes two system calls of it, and reads no more than 1,024 bytes at once.
        try:
            data = os.read(self._serial.fileno(), READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._abort(error)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._abort(None)

    def _fatal_error(self, exc: BaseException, message: str = "") -> None:
        self._abort(exc)  # the reader is told; no traceback in the log

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        self._protocol.connection_lost(exc)


# --- socket:// and rfc2217://


def _address(url: str) -> tuple[str, str, int]:
    """Scheme, host and port number of a URL."""
    scheme = url.partition("://")[0]
    if scheme not in ("socket", "rfc2217"):
        raise PortError(
            url, "unknown kind of port; network ports begin with socket:// or rfc2217://"
        )
    try:
        parts = urlsplit(url)
        host, number = parts.hostname, parts.port
    except ValueError:
        host = number = None
    if not host or not number:
        raise PortError(url, f"not an address; write {scheme}://host:port")
    return scheme, host, number


async def _connect(port: Port, host: str, number: int) -> Port:
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            await asyncio.get_running_loop().create_connection(lambda: port, host, number)
    except (TimeoutError, OSError) as error:
        raise PortError(port.path, f"cannot be opened: {describe(error)}") from error
    return port


class _Rfc2217Client(rfc2217.Serial):
    _socket: socket.socket | None  # not in the stubs

    def close(self) -> None:
        connection = self._socket
        super().close()
        if connection:
            connection.close()  # which pyserial forgets when the peer has reset it


def _open_rfc2217(url: str, baud: int, dtr: bool, rts: bool) -> _Rfc2217Client:
    client = _Rfc2217Client(baudrate=baud, timeout=_POLL_TIMEOUT)
    client.port, client.dtr, client.rts = url, dtr, rts
    try:
        client.open()
    except (serial.SerialException, OSError, ValueError) as error:
        raise PortError(url, f"cannot be opened: {describe(error.__context__ or error)}") from error
    return client


class _Rfc2217Transport(asyncio.Transport):
    """Reads pyserial's client in a thread."""

    def __init__(self, port: Port, client: _Rfc2217Client) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._port = port
        self._client = client
        self._aborted = False
        port.connection_made(self)
        threading.Thread(target=self._read, name=f"read {port.path}", daemon=True).start()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        # Blocks only when the socket's buffer is full, for which a session writes too little.
        with suppress(serial.SerialException):  # the thread notices it too
            self._client.write(data)

    def abort(self) -> None:
        self._aborted = True

    def _read(self) -> None:
        loss: Exception | None = None
        while not self._aborted:
            try:
                data = self._client.read(1)
                data += self._client.read(self._client.in_waiting)
            except serial.SerialException as error:
                loss = error
                break
            if data:
                self._tell(self._port.data_received, data)
        self._client.close()
        self._tell(self._port.connection_lost, loss)

    def _tell(self, function: Callable[[A], None], argument: A) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(function, argument)
