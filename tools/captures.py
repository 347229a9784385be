"""Makes the captures of our own in tests/captures/, from the simulator, in simulated time.

    python tools/captures.py [FOLDER]

The same each time, as long as simulator and session behave the same. They need not be made anew
when those change: a capture shows how it was.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from heapq import merge
from math import inf
from operator import attrgetter
from pathlib import Path
from random import Random

from firmware_protocol.messages import SetAll
from firmware_protocol.session import HostSession
from ruuvi_host.capture.pcapng import Record, packet, section, statistics
from ruuvi_host.simulator.board import Board

BEGIN = 1_800_000_000 * 10**9
"""Wall time of the beginning, in nanoseconds."""
UPTIME = 1000 * 10**9
"""Monotonic time of the beginning."""

PACKET = 32
"""Bytes."""
BYTE = 10 / 115200
"""Seconds."""

EVERY_KIND = "2 3 4 5 6 7 8 c5 e0 e1 f0 fa air 2in1 3in1".split()

Line = Callable[[bytes], bytes]
"""What a line makes of the bytes from the coprocessor."""


def clean(data: bytes) -> bytes:
    return data


def noisy(seed: int) -> Line:
    """Bytes are turned over, get lost, and come from nowhere."""
    random = Random(seed)

    def line(data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            match random.randrange(400):
                case 0:
                    continue
                case 1:
                    byte ^= 1 << random.randrange(8)
                case 2:
                    out += b"\xca" + random.randbytes(random.randrange(4))
            out.append(byte)
        return bytes(out)

    return line


def recorded(
    board: Board, seconds: float, *, opened: float = 0.0, reboot: float = inf, line: Line = clean
) -> Iterator[Record]:
    """What passes between the board and a host that opens the port at `opened`."""
    session = HostSession(SetAll(fltr_tags=False))
    now = opened
    board.advance(now)  # nobody has read that
    session.start(now)
    received = b""
    then = now
    while True:
        if received:
            yield from _read(then, now, received)
            session.receive(received, now)
        if session.deadline <= now:
            session.tick(now)
        if sent := session.take_output():
            yield _record(True, now, sent)
            board.receive(sent, now)
        if now >= seconds:
            return
        if reboot <= now:
            board.restart(now)
            reboot = inf
        # A read every two milliseconds at most, as an adapter would have it.
        then, now = (
            now,
            max(min(board.deadline, session.deadline, reboot, seconds), now + 0.002),
        )
        received = line(board.advance(now))


def _read(then: float, now: float, data: bytes) -> Iterator[Record]:
    """As an adapter delivers it: in packets, which know nothing of frames."""
    for start in range(0, len(data), PACKET):
        piece = data[start : start + PACKET]
        left = len(data) - start - len(piece)
        yield _record(False, max(then, now - left * BYTE), piece)


def _record(sent: bool, now: float, data: bytes) -> Record:
    passed = round(now * 10**9)
    return Record(sent, BEGIN + passed, UPTIME + passed, data)


def together(*ports: Iterator[Record]) -> Iterator[Record]:
    """What one host records of several ports, in the order of time."""
    numbered = (
        [record._replace(interface=number) for record in records]
        for number, records in enumerate(ports)
    )
    return merge(*numbered, key=attrgetter("wall"))


def write(path: Path, records: list[Record], *, cut: int = 0) -> None:
    """cut: bytes that a crash has left unwritten."""
    kept = Counter(record.interface for record in records)
    data = section("ruuvi-host tools/captures.py", *[None] * len(kept))
    data += b"".join(map(packet, records))
    if not cut:
        for port, count in sorted(kept.items()):
            data += statistics(records[0].wall, records[-1].wall, count, 0, port)
    path.write_bytes(data[: len(data) - cut])


def main(folder: Path) -> None:
    def captured(name: str, records: Iterator[Record], cut: int = 0) -> None:
        write(folder / f"{name}.pcapng", list(records), cut=cut)

    captured("boot", recorded(Board(tags=4, seed=1), 8.0, reboot=4.0))
    captured("every-kind", recorded(Board(tags=15, kinds=EVERY_KIND, seed=2), 3.0))
    captured("noise", recorded(Board(tags=6, kinds=("5", "e1"), seed=3), 8.0, line=noisy(3)))
    captured("old-firmware", recorded(Board(tags=4, seed=4, firmware="1.0.0"), 6.0))
    late = recorded(Board(tags=4, kinds=("air",), seed=5), 8.0)
    captured("begun-late", (record for record in late if record.wall > BEGIN + 3 * 10**9))
    one, other = Board(tags=2, seed=7), Board(tags=3, seed=8, firmware="1.0.0")
    captured("two-coprocessors", together(recorded(one, 3.0), recorded(other, 3.0, opened=0.5)))
    captured("crash", recorded(Board(tags=4, seed=6), 4.0), cut=29)


if __name__ == "__main__":
    default = Path(__file__).parent.parent / "tests" / "captures"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
