"""Notifications to systemd: ready, status, watchdog keep-alive, reloading, stopping.

The protocol (sd_notify(3)) is a datagram of NAME=VALUE lines to the Unix socket that $NOTIFY_SOCKET
names. Without it, nothing is sent. Sending never waits and never fails: the host works without
systemd, too.
"""

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress


class Notifier:
    """Sends notifications to `address`; empty: sends none.

    interval: seconds, the watchdog's time limit between two calls of `alive`; None: no watchdog.
    """

    def __init__(self, address: str = "", interval: float | None = None) -> None:
        self.interval = interval
        self._status = ""
        self._socket: socket.socket | None = None
        # An @ stands for the zero byte of an abstract name.
        self._address = "\0" + address[1:] if address.startswith("@") else address

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> "Notifier":
        """Removes the variables, so that a program that we start does not send in our name."""
        address = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        pid = environment.pop("WATCHDOG_PID", "")
        meant = not pid or pid == str(os.getpid())
        watched = meant and microseconds.isdecimal() and int(microseconds) > 0
        return cls(address, int(microseconds) / 1e6 if watched else None)

    def ready(self) -> None:
        self._send("READY=1")

    def alive(self) -> None:
        if self.interval is not None:
            self._send("WATCHDOG=1")

    def status(self, sentence: str) -> None:
        """One line, shown by `systemctl status`. Sent only when it has changed."""
        if sentence != self._status:
            self._status = sentence
            self._send(f"STATUS={sentence.replace(chr(10), ' ')}")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` ends this state."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with suppress(OSError):
            if self._socket is None:
                kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
                self._socket = socket.socket(socket.AF_UNIX, kind)
            self._socket.sendto(text.encode("utf-8", "replace"), self._address)
