"""The other end of tools/load.py, in a process of its own: a coprocessor with a lot to say.

    python flood.py SENSORS RATE SECONDS [PIECE]

Prints the path of its pty. When a host there has configured it, it sends RATE reports per second
for SECONDS, no two of a sensor alike, PIECE bytes a write (0: a frame a write; else in bursts of a
second with a second's pause), and answers every command meanwhile. It waits for a reader that is
slow, so that all it has sent is with the host in the end. Prints what it did as JSON, and goes on
answering until its standard input ends.
"""

import json
import os
import sys
import tty
from collections.abc import Iterator
from select import select
from time import monotonic

from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import (
    Ack,
    AdvRprt2,
    DeviceId,
    GetDeviceId,
    LedCtrl,
    Message,
    SetAll,
    messages,
)

HEADER = bytes.fromhex("0201061BFF990405")
DEVICE = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))
SLICE = 100
"""Reports between two looks at what the host wants."""
STEP = 0.01
"""Seconds between two looks at the time."""


class Flood:
    """A coprocessor on a pty."""

    def __init__(self, sensors: int, piece: int) -> None:
        self.sent = 0
        self.configured = False
        self._sensors = sensors
        self._piece = piece
        self._answers = b""
        self._scanner = FrameScanner[Message](messages)
        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(slave)

    def answer(self, wait: float) -> None:
        """Answer what has come in; wait so long for it."""
        if select([self._master], [], [], wait)[0]:
            self._receive()
        answers, self._answers = self._answers, b""
        self._write(answers)

    def _receive(self) -> None:
        for message in self._scanner.feed(os.read(self._master, 4096)):
            if isinstance(message, GetDeviceId):
                self._answers += DEVICE.to_frame()
            elif isinstance(message, SetAll | LedCtrl):
                self._answers += Ack(message.command, state=False).to_frame()
                self.configured |= isinstance(message, SetAll)

    def send(self, count: int) -> None:
        """So many reports."""
        while count > 0:
            frames = [self._frame() for _ in range(min(count, SLICE))]
            count -= SLICE
            for piece in self._pieces(frames):
                self._write(piece)
            self.answer(0)

    def _pieces(self, frames: list[bytes]) -> Iterator[bytes]:
        if not self._piece:
            yield from frames
            return
        stream = b"".join(frames)
        for start in range(0, len(stream), self._piece):
            yield stream[start : start + self._piece]

    def _frame(self) -> bytes:
        self.sent += 1
        address = b"\xcb" + (self.sent % self._sensors).to_bytes(5)
        data = HEADER + self.sent.to_bytes(23)
        return AdvRprt2(address, data, -60, 1, 15, 37, False, -64).to_frame()

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                if select([self._master], [self._master], [])[0]:
                    self._receive()


def main(sensors: int, rate: float, seconds: float, piece: int = 0) -> None:
    flood = Flood(sensors, piece)
    print(flood.path, flush=True)
    while not flood.configured:
        flood.answer(1)
    start = monotonic()
    while (passed := monotonic() - start) < seconds:
        # In bursts: every other second, and twice as much in it.
        active = 2 * (passed // 2 + min(1.0, passed % 2)) if piece else passed
        flood.send(int(rate * (active if piece else passed)) - flood.sent)
        flood.answer(STEP)
    print(json.dumps({"sent": flood.sent, "seconds": passed}), flush=True)
    while not select([sys.stdin], [], [], 0)[0]:
        flood.answer(0.2)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), *map(int, sys.argv[4:]))
