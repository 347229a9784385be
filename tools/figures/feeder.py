"""The coprocessor of tools/power.py, in a process of its own: it reports, and answers meanwhile.

    python feeder.py RATE

Prints the path of its pty; a line when a host has configured it, and sends RATE reports per second
from then on, a write for each, none of which waits for a reader. When its standard input ends it
prints what it did as JSON, and ends when it is ended.
"""

import json
import os
import signal
import sys
import tty
from select import select
from time import monotonic, monotonic_ns, sleep

from figures.sender import ADDRESSES, HEADER, PADDING
from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import Ack, AdvRprt2, DeviceId, GetDeviceId, Message, messages

LOOK = 0.05
"""Seconds between two looks at what the host asks."""
BEHIND = 0.002
"""Seconds of reports that are made up for at most, when the machine had no time for them."""


class Feeder:
    """The coprocessor's end of a pty, and what was written there."""

    def __init__(self, master: int) -> None:
        self.configured = False
        self.reports = self.bytes = self.refused = 0
        self._master = master
        self._scanner = FrameScanner[Message](messages)

    def answer(self) -> None:
        """What the host asks, if it asks."""
        if not select([self._master], [], [], LOOK if not self.configured else 0)[0]:
            return
        for message in self._scanner.feed(os.read(self._master, 4096)):
            if isinstance(message, GetDeviceId):
                self._write(DeviceId(bytes(8), bytes(6)).to_frame())
            else:
                self._write(Ack(message.command, state=False).to_frame())
                self.configured = True

    def report(self) -> None:
        """The tags in turn. It carries the time of now."""
        address = ADDRESSES[self.reports % len(ADDRESSES)]
        data = HEADER + monotonic_ns().to_bytes(8) + PADDING
        self._write(AdvRprt2(address, data, -60, 1, 15, 37, False, -64).to_frame())
        self.reports += 1

    def _write(self, frame: bytes) -> None:
        self.bytes += len(frame)
        try:
            self.refused += len(frame) - os.write(self._master, frame)
        except BlockingIOError:
            self.refused += len(frame)


def main(rate: int) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    print(os.ttyname(slave), flush=True)
    feeder = Feeder(master)
    while not feeder.configured:
        feeder.answer()
    print("configured", flush=True)
    start = look = monotonic()
    while True:
        now = monotonic()
        if now >= look:
            if select([sys.stdin], [], [], 0)[0]:
                break
            feeder.answer()
            look = now + LOOK
        # Who could not run for a while does not make up for it: such a flood comes from no line.
        start = max(start, now - BEHIND - feeder.reports / rate)
        if (wait := start + feeder.reports / rate - now) > 0:
            sleep(min(wait, LOOK))
        else:
            feeder.report()
    told = {"reports": feeder.reports, "bytes": feeder.bytes, "refused": feeder.refused}
    print(json.dumps(told), flush=True)
    signal.pause()  # the pty stays


if __name__ == "__main__":
    main(int(sys.argv[1]))
