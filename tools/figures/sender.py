"""The other end of figures/line.py, in a process of its own: a coprocessor that only reports.

    python sender.py RATE SECONDS

Prints the path of its pty; when a host there has configured it, sends RATE reports per second for
SECONDS, a write for each, none of which waits for a reader; prints what it did as JSON; and keeps
the pty open until its standard input ends.
"""

import json
import os
import sys
import tty
from time import monotonic, monotonic_ns, sleep

from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import (
    Ack,
    AdvRprt2,
    DeviceId,
    GetDeviceId,
    Message,
    SetAll,
    messages,
)

HEADER = bytes.fromhex("0201061BFF990405")
TIMESTAMP = slice(len(HEADER), len(HEADER) + 8)
"""Where in the advertising data the monotonic time of the write stands, in ns."""
PADDING = bytes(31 - TIMESTAMP.stop)
ADDRESSES = [b"\xcb" + number.to_bytes(5) for number in range(100)]


def main(rate: int, seconds: float) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    answer_until_configured(master)
    os.set_blocking(master, False)
    count, refused = int(rate * seconds), 0
    start = monotonic()
    for number in range(count):
        while (wait := start + number / rate - monotonic()) > 0:
            sleep(wait)
        address = ADDRESSES[number % len(ADDRESSES)]
        data = HEADER + monotonic_ns().to_bytes(8) + PADDING
        frame = AdvRprt2(address, data, -60, 1, 15, 37, False, -64).to_frame()
        try:
            refused += os.write(master, frame) < len(frame)
        except BlockingIOError:
            refused += 1
    print(json.dumps({"sent": count, "refused": refused, "seconds": monotonic() - start}))
    sys.stdout.flush()
    sys.stdin.read()


def answer_until_configured(master: int) -> None:
    scanner = FrameScanner[Message](messages)
    while True:
        for message in scanner.feed(os.read(master, 4096)):
            if isinstance(message, GetDeviceId):
                os.write(master, DeviceId(bytes(8), bytes(6)).to_frame())
            elif isinstance(message, SetAll):
                os.write(master, Ack(message.command, state=False).to_frame())
                return


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
