"""A coprocessor written by hand from the description of CA-UART: it shares no code with the host.

What it gets wrong the host does not get wrong in the same way, and so it can judge. It is as good
or as bad as a test wants: `answers` decides what is said to each command.
"""

import asyncio
import os
import select
import termios
import tty
from collections.abc import Callable
from pathlib import Path

from lines import Pty, until

SET_ALL, DEVICE_ID, GET_DEVICE_ID, GET_ALL, ACK = 0x0F, 0x11, 0x18, 0x19, 0x20
ADV_RPRT, ADV_RPRT2 = 0x10, 0x12

IDENTITY = bytes.fromhex("4098a778581ae138 2c c8252d8e9c2c 2c")
DEFAULT_SETTINGS = bytes.fromhex("99042c 7d2c 302c")

Answers = Callable[[int, bytes], bytes]
"""(command, payload) → bytes to send; none: silence."""


def crc(data: bytes) -> int:
    """CRC-16/CCITT-FALSE, a bit at a time."""
    value = 0xFFFF
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value


def frame(command: int, payload: bytes = b"") -> bytes:
    covered = bytes((len(payload), command)) + payload
    check = crc(covered)
    return b"\xca" + covered + bytes((check & 0xFF, check >> 8)) + b"\n"


def ack(command: int, state: int = 0) -> bytes:
    return frame(ACK, bytes((command, 0x2C, state, 0x2C)))


def report(number: int, data: bytes = bytes.fromhex("0201060303aafe")) -> bytes:
    """Of the tag whose address is `number`, heard on channel 37 with -60 dBm."""
    address = number.to_bytes(6, "big")
    return frame(ADV_RPRT2, address + b"," + data + b"," + b"\xc4," + b"\x1f\x25\x40,")


def old_report(number: int, data: bytes) -> bytes:
    """The same by firmware 1.0.0."""
    return frame(ADV_RPRT, number.to_bytes(6, "big") + b"," + data + b"," + b"\xc4,")


def obliging(command: int, payload: bytes) -> bytes:
    """What a good coprocessor says."""
    return frame(DEVICE_ID, IDENTITY) if command == GET_DEVICE_ID else ack(command)


def silent(command: int, payload: bytes) -> bytes:
    return b""


class Peer(Pty):
    """On a pty, served by the event loop. `path` is where a host finds it, also when it is plugged
    in again."""

    def __init__(self, link: Path | None = None, answers: Answers = obliging) -> None:
        self.answers = answers
        self.commands: list[tuple[int, bytes]] = []
        """Received intact: (command, payload)."""
        self.noise = 0
        """Bytes received that belong to no frame."""
        self._received = b""
        super().__init__(link)

    def plug_in(self) -> None:
        super().plug_in()
        # Without anybody on the other end a pty is always readable, with an error.
        self._slave = os.open(self.path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._slave)
        asyncio.get_running_loop().add_reader(self.master, self._read)

    def unplug(self) -> None:
        if self.master >= 0:
            asyncio.get_running_loop().remove_reader(self.master)
            os.close(self._slave)
        super().unplug()

    def unread(self) -> int:
        """Bytes that the host has not taken yet."""
        # A thread of the kernel carries them from one end to the other. Only poll waits for it.
        line = select.poll()
        line.register(self._slave, select.POLLIN)
        line.poll(0)
        return int.from_bytes(self._ioctl(termios.FIONREAD, self._slave), "little")

    async def got(self, command: int, times: int = 1) -> bytes:
        """Wait until `command` has come so many times in all; the payload of the last one."""
        await until(lambda: self.count(command) >= times)
        return [payload for number, payload in self.commands if number == command][times - 1]

    def count(self, command: int) -> int:
        return sum(number == command for number, _ in self.commands)

    def _read(self) -> None:
        self._received += os.read(self.master, 4096)
        while len(self._received) >= 6:
            size = self._received[1] + 6
            candidate = self._received[:size]
            if candidate[0] == 0xCA and len(candidate) < size:
                return
            if candidate[0] == 0xCA and candidate == frame(candidate[2], candidate[3:-3]):
                self._received = self._received[size:]
                self.commands.append((candidate[2], candidate[3:-3]))
                answer = self.answers(*self.commands[-1])
                if answer:
                    self.send(answer)
            else:
                self._received = self._received[1:]
                self.noise += 1
