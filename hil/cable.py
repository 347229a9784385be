"""A cable between a coprocessor that is a program and a host: a pseudo-terminal that can be
unplugged, and whose bytes can be damaged on the way.

A thread carries the bytes. What the host does not read for long is lost and counted.
"""

import os
import select
import socket
import threading
import tty
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from ruuvi_host.simulator.pty import make_link, remove_link

READ_SIZE = 4096
KEPT = 1 << 20
"""Bytes that wait for a host that does not read. A kernel keeps 4 KiB, which a busy machine lets
run full in a third of a second; that would be the machine's loss, and not what is looked for."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities, each per byte; in both directions unless only one is named."""

    lost: float = 0.0
    flipped: float = 0.0
    """One bit of it."""
    inserted: float = 0.0
    """A random byte comes before it."""
    to_host: bool = True
    to_coprocessor: bool = True
    seed: int = 1

    def damager(self) -> Callable[[bytes], bytes]:
        """What damages a stream, cut anywhere, always in the same way."""
        random = Random(self.seed)

        def damage(raw: bytes) -> bytes:
            out = bytearray()
            for byte in raw:
                if random.random() < self.inserted:
                    out.append(random.randrange(256))
                if random.random() < self.lost:
                    continue
                if random.random() < self.flipped:
                    byte ^= 1 << random.randrange(8)
                out.append(byte)
            return bytes(out)

        return damage


def _untouched(raw: bytes) -> bytes:
    return raw


class Cable:
    """See the top of this file. `path` is a symbolic link, which stays the same.

    device: the coprocessor's end, a connected socket; another one after `connect`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.unread = 0
        """Bytes that the host has left no room for."""
        self._master = self._slave = -1
        self._pty = ""
        self._device: socket.socket | None = None
        self._waiting = b""
        self._to_host: Callable[[bytes], bytes] = _untouched
        self._to_coprocessor: Callable[[bytes], bytes] = _untouched
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        self._ends = False
        self._thread = threading.Thread(target=self._carry, name="cable", daemon=True)
        self._thread.start()

    def connect(self, device: socket.socket) -> None:
        """Take another coprocessor; the former one is let go."""
        device.setblocking(False)
        with self._lock:
            if self._device:
                self._device.close()
            self._device = device
        self._wake()

    def disconnect(self) -> None:
        """Let the coprocessor go, before it is switched off: one that ends by itself takes its
        port with it, so that nobody waits for a dead one."""
        with self._lock:
            if self._device:
                self._device.close()
                self._device = None
        self._wake()

    def plug(self) -> None:
        """Make the port; another one, if there is one."""
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self.unplug()
        with self._lock:
            # The other end is kept open: else what is sent without a host would be an error.
            self._master, self._slave, self._pty = master, slave, os.ttyname(slave)
        make_link(self.path, self._pty)
        self._wake()

    def unplug(self) -> None:
        """Take the port away; a host that has it open loses it."""
        with self._lock:
            self._take_away()
        self._wake()

    def _take_away(self) -> None:
        if self._master < 0:
            return
        remove_link(self.path, self._pty)
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1
        self._waiting = b""

    def set_faults(self, faults: Faults | None) -> None:
        """Damage what passes from now on."""
        to_host = faults.damager() if faults and faults.to_host else _untouched
        to_coprocessor = faults.damager() if faults and faults.to_coprocessor else _untouched
        with self._lock:
            self._to_host, self._to_coprocessor = to_host, to_coprocessor

    def close(self) -> None:
        """The end of it."""
        self._ends = True
        self._wake()
        self._thread.join()
        self.unplug()
        if self._device:
            self._device.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _wake(self) -> None:
        os.write(self._wake_write, b"!")

    def _carry(self) -> None:
        poll = select.poll()
        while not self._ends:
            with self._lock:
                device = self._device.fileno() if self._device else -1
                master = self._master
            watched = [fd for fd in (self._wake_read, device, master) if fd >= 0]
            for fd in watched:
                writes = select.POLLOUT if fd == master and self._waiting else 0
                poll.register(fd, select.POLLIN | writes)
            ready = dict(poll.poll())
            for fd in watched:
                poll.unregister(fd)
            if self._wake_read in ready:
                os.read(self._wake_read, READ_SIZE)  # look again at what there is
                continue
            with self._lock:
                if self._device and device in ready and self._device.fileno() == device:
                    self._from_device(self._device)
                if master in ready and self._master == master:
                    if ready[master] & select.POLLOUT:
                        self._write()
                    if ready[master] & ~select.POLLOUT:
                        self._from_host()

    def _from_device(self, device: socket.socket) -> None:
        try:
            data = device.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:  # it has ended
            device.close()
            self._device = None
            self._take_away()
            return
        if self._master >= 0:
            self._waiting += self._to_host(data)
            self._write()

    def _write(self) -> None:
        if self._waiting:
            with suppress(OSError):  # no room: the host does not read
                self._waiting = self._waiting[os.write(self._master, self._waiting) :]
        self.unread += max(len(self._waiting) - KEPT, 0)
        self._waiting = self._waiting[-KEPT:]

    def _from_host(self) -> None:
        try:
            data = os.read(self._master, READ_SIZE)
        except OSError:
            return
        data = self._to_coprocessor(data)
        if self._device and data:
            with suppress(OSError):
                self._device.send(data)
