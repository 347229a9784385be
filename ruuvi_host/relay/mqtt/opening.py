"""The socket of a connection to a broker while it is opened, in a thread of its own.

paho neither closes one whose handshake fails (of TLS, of WebSockets), nor, in 2.1, ends a handshake
in which nothing comes before two minutes have gone. The client is handed in: `client.py` alone
knows the libraries.
"""

import socket
import ssl
from contextlib import suppress
from typing import Any


class Opening:
    """Of one attempt to connect."""

    def __init__(self, paho: Any) -> None:
        self.is_given_up = False
        self._socket: socket.socket | None = None
        """None: there is none yet, or it is paho's."""
        self._connects: Any = paho._create_socket_connection
        self._creates: Any = paho._create_socket
        paho._create_socket_connection = self._connect
        paho._create_socket = self._create

    def with_tls(self, context: ssl.SSLContext) -> None:
        """It is one of this context, once it is connected."""
        handshaking: Any = context
        handshaking.sslsocket_class = _Handshaking
        handshaking.opening = self

    def give_up(self) -> None:
        """Wake the thread that waits for the other side; it closes the socket itself."""
        self.is_given_up = True
        self._wake()

    def opened(self, its_socket: socket.socket) -> None:
        """There is one, or it has taken the place of the one below it. Called in that thread."""
        self._socket = its_socket
        if self.is_given_up:
            self._wake()

    def _wake(self) -> None:
        opened = self._socket
        if opened is not None:
            with suppress(OSError):
                socket.socket.shutdown(opened, socket.SHUT_RDWR)

    def _connect(self) -> Any:
        made = self._connects()
        self.opened(made)
        return made

    def _create(self) -> Any:
        try:
            return self._creates()
        except BaseException:
            if self._socket is not None:
                self._socket.close()
            raise
        finally:
            self._socket = None


class _Handshaking(ssl.SSLSocket):
    """Tells who opens it."""

    def do_handshake(self, block: bool = False) -> None:
        context: Any = self.context
        context.opening.opened(self)
        super().do_handshake(block)
