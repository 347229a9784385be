"""A small RFC 2217 server for tests: one client, one serial port, pyserial's protocol."""

import socket
import threading
from contextlib import suppress
from typing import Self

import pytest
import serial
from programs import PATIENCE
from serial import rfc2217

# pyserial 3.5 calls Thread.setDaemon and setName
pyserial_is_old = pytest.mark.filterwarnings(r"ignore:set(Daemon|Name)\(\):DeprecationWarning")


class _PtyDevice(serial.Serial):
    """A pty has no modem lines; what is set is written down."""

    cts = dsr = ri = cd = False
    lines_set: list[tuple[str, bool]]
    _rts_state: bool
    _dtr_state: bool

    def _update_rts_state(self) -> None:
        self.__dict__.setdefault("lines_set", []).append(("rts", self._rts_state))

    def _update_dtr_state(self) -> None:
        self.__dict__.setdefault("lines_set", []).append(("dtr", self._dtr_state))


class Rfc2217Server:
    """Serves the serial port `path` on a port of loopback. A context manager.

    clients: how many are served, one after the other.
    hesitant: a client is accepted, and then waits until `go_on`.
    """

    def __init__(self, path: str, *, clients: int = 1, hesitant: bool = False) -> None:
        self.accepted = threading.Event()
        self.go_on = threading.Event()
        self._clients = clients
        self.left = threading.Event()
        """The client has come and gone, as a client that was served."""
        if not hesitant:
            self.go_on.set()
        self._device = _PtyDevice(path, timeout=0.02)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"rfc2217://127.0.0.1:{self._listener.getsockname()[1]}"
        # A client of pyserial waits three seconds for each answer, unless it is told otherwise.
        self.url = f"{self.address}?timeout={PATIENCE:.0f}"
        self._connection: socket.socket | None = None
        self._manager: rfc2217.PortManager | None = None
        self._ended = False
        self._threads = [
            threading.Thread(target=work) for work in (self._to_device, self._to_client)
        ]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self.go_on.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        self._device.close()

    def levels(self, line: str) -> list[bool]:
        """What "dtr" or "rts" has been set to, one after the other."""
        return [asserted for name, asserted in self._device.lines_set if name == line]

    def forget_levels(self) -> None:
        self._device.lines_set.clear()

    def hang_up(self) -> None:
        """End the connection."""
        if self._connection:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def write(self, data: bytes) -> None:
        """What pyserial's PortManager wants of a connection."""
        assert self._connection
        with suppress(OSError):
            self._connection.sendall(data)

    def _to_device(self) -> None:
        for _ in range(self._clients):
            try:
                connection, _ = self._listener.accept()
            except OSError:  # nobody came
                break
            with connection:
                self._connection = connection
                self.accepted.set()
                self.go_on.wait()
                self._serve(connection)
        self._ended = True

    def _serve(self, connection: socket.socket) -> None:
        self._manager = rfc2217.PortManager(self._device, self)  # type: ignore[arg-type]  # stubs are wrong
        if self._threads[1].ident is None:
            self._threads[1].start()
        with suppress(OSError):
            while data := connection.recv(4096):
                self._device.write(b"".join(self._manager.filter(data)))
            self.left.set()

    def _to_client(self) -> None:
        with suppress(OSError):
            while not self._ended:
                data = self._device.read(self._device.in_waiting or 1)
                if data:
                    assert self._manager
                    self.write(b"".join(self._manager.escape(data)))
