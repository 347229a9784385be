"""The ends of lines that a scripted controller is reached by: a pty, TCP, a pair of sockets."""

import errno
import os
import socket
import tty
from contextlib import suppress
from typing import Protocol

READ_SIZE = 4096


class End(Protocol):
    """A non-blocking line. Nothing here raises because a host has gone or is not there."""

    path: str
    """What `--hci` is given."""
    keeps_packets: bool
    """Each write is one message, so packets are neither joined nor cut."""

    @property
    def is_present(self) -> bool:
        """Is there a host? Known after `read`."""
        ...

    def fileno(self) -> int:
        """What to select."""
        ...

    def read(self) -> bytes:
        """What the host has written; b"": nothing."""
        ...

    def write(self, data: bytes) -> int | None:
        """How much was taken; None: there is no host."""
        ...

    def close(self) -> None:
        """The line vanishes."""
        ...


class PtyEnd:
    """A pty behind the symbolic link `path`, which is always its name."""

    keeps_packets = False

    def __init__(self, path: str) -> None:
        self.path = path
        self.is_present = False
        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self._slave = os.ttyname(slave)
        os.close(slave)  # so that it is known whether a host has it open
        with suppress(FileNotFoundError):
            os.unlink(path)
        os.symlink(self._slave, path)

    def fileno(self) -> int:
        return self._master

    def read(self) -> bytes:
        try:
            data = os.read(self._master, READ_SIZE)
        except BlockingIOError:
            data = b""
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self.is_present = False
            return b""
        self.is_present = True
        return data

    def write(self, data: bytes) -> int | None:
        if not self.is_present:
            return None
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return None

    def close(self) -> None:
        with suppress(OSError):
            if os.readlink(self.path) == self._slave:
                os.unlink(self.path)
        os.close(self._master)


class SocketEnd:
    """One end of a connected socket."""

    path = ""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.keeps_packets = connection.type == socket.SOCK_SEQPACKET
        self.is_present = True
        self._connection = connection

    def fileno(self) -> int:
        return self._connection.fileno()

    def read(self) -> bytes:
        try:
            data = self._connection.recv(READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self.is_present = self.is_present and bool(data)
        return data

    def write(self, data: bytes) -> int | None:
        if not self.is_present:
            return None
        try:
            return self._connection.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return None

    def close(self) -> None:
        self._connection.close()


class TcpEnd:
    """A server on loopback for one host at a time; port 0: the system chooses."""

    keeps_packets = False

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self.path = f"socket://127.0.0.1:{self.port}"
        self._host: SocketEnd | None = None

    @property
    def is_present(self) -> bool:
        return self._host is not None

    def fileno(self) -> int:
        return self._host.fileno() if self._host else self._listener.fileno()

    def read(self) -> bytes:
        if not self._host:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return b""
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._host = SocketEnd(connection)
        data = self._host.read()
        if not self._host.is_present:
            self._host.close()
            self._host = None
        return data

    def write(self, data: bytes) -> int | None:
        return self._host.write(data) if self._host else None

    def close(self) -> None:
        if self._host:
            self._host.close()
        self._listener.close()
