"""What systemd is told: that we are ready, how we are, that we are alive.

The protocol is a datagram of NAME=VALUE lines to the Unix socket that $NOTIFY_SOCKET names
(sd_notify(3)). Without one, nothing happens. Telling never waits and never fails: a systemd that
does not listen is no reason not to relay.
"""

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress


class Notifier:
    """Tells whoever is at `address`; empty: nobody is.

    interval: seconds within which `alive` must be called again and again; None: nobody watches.
    """

    def __init__(self, address: str = "", interval: float | None = None) -> None:
        self.interval = interval
        self._status = ""
        self._socket: socket.socket | None = None
        # An @ stands for the zero byte of an abstract name.
        self._address = "\0" + address[1:] if address.startswith("@") else address

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> "Notifier":
        """Takes the variables out: a program that we start must not speak for us."""
        address = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        pid = environment.pop("WATCHDOG_PID", "")
        meant = not pid or pid == str(os.getpid())
        watched = meant and microseconds.isdecimal() and int(microseconds) > 0
        return cls(address, int(microseconds) / 1e6 if watched else None)

    def ready(self) -> None:
        self._tell("READY=1")

    def alive(self) -> None:
        if self.interval is not None:
            self._tell("WATCHDOG=1")

    def status(self, sentence: str) -> None:
        """One line, shown by `systemctl status`. Said again only when it has changed."""
        if sentence != self._status:
            self._status = sentence
            self._tell(f"STATUS={sentence.replace(chr(10), ' ')}")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` tells the end of it."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        with suppress(OSError):
            if self._socket is None:
                kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
                self._socket = socket.socket(socket.AF_UNIX, kind)
            self._socket.sendto(text.encode("utf-8", "replace"), self._address)
