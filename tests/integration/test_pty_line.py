"""A PtyLine in the machine's time: what a bridge needs of it and a simulated board does not."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from math import inf

from lines import until

from firmware_protocol.coprocessor import CoprocessorEvent
from ruuvi_host.simulator.pty import MOST_UNWRITTEN, PtyLine

FRAME = bytes(range(100, 200))
PATIENCE = 20.0


class Talker:
    """Says what it is given."""

    deadline = inf

    def __init__(self) -> None:
        self.said = b""
        self.times: list[float] = []
        self.heard = b""

    def receive(self, data: bytes, now: float) -> None:
        self.heard += data

    def advance(self, now: float) -> bytes:
        self.times.append(now)
        said, self.said = self.said, b""
        return said

    def take_events(self) -> tuple[()]:
        return ()

    def restart(self, now: float) -> None:
        self.times.append(now)


def served(exercise: Callable[[Talker, PtyLine[CoprocessorEvent]], Awaitable[None]]) -> None:
    async def main() -> None:
        talker = Talker()
        with PtyLine[CoprocessorEvent](talker, real_time=True) as line:
            serving = asyncio.create_task(line.run())
            async with asyncio.timeout(PATIENCE):
                await exercise(talker, line)
            serving.cancel()
            await asyncio.wait([serving])

    asyncio.run(main())


async def opened(line: PtyLine[CoprocessorEvent]) -> int:
    host = os.open(line.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    await until(lambda: line.host_present)
    return host


async def read(host: int, size: int) -> bytes:
    received = b""
    while len(received) < size:
        try:
            received += os.read(host, 4096)
        except BlockingIOError:
            await asyncio.sleep(0)
    return received


async def until_silent(host: int) -> bytes:
    """All that comes until its last byte: a zero."""
    received = b""
    while not received.endswith(b"\0"):
        received += await read(host, 1)
    return received


def test_a_host_that_is_late_loses_nothing() -> None:
    async def exercise(talker: Talker, line: PtyLine[CoprocessorEvent]) -> None:
        host = await opened(line)
        for _ in range(300):  # together more than a pty has room for
            talker.said += FRAME
            line.wake()
            await asyncio.sleep(0)
        talker.said += b"\0"
        line.wake()
        assert await until_silent(host) == 300 * FRAME + b"\0"
        assert line.bytes_lost == 0
        os.close(host)

    served(exercise)


def test_what_a_host_never_reads_is_bounded_counted_and_lost_in_whole_frames() -> None:
    async def exercise(talker: Talker, line: PtyLine[CoprocessorEvent]) -> None:
        host = await opened(line)
        said = 0
        while line.bytes_lost < MOST_UNWRITTEN:
            talker.said += FRAME
            said += len(FRAME)
            line.wake()
            await asyncio.sleep(0)
        assert line.bytes_lost % len(FRAME) == 0
        await until(lambda: not talker.said)
        received = await read(host, said - line.bytes_lost)
        assert received == FRAME * (len(received) // len(FRAME))
        os.close(host)

    served(exercise)


def test_what_was_not_read_when_either_end_goes_is_counted() -> None:
    async def exercise(talker: Talker, line: PtyLine[CoprocessorEvent]) -> None:
        host = await opened(line)
        talker.said = FRAME
        line.wake()
        await until(lambda: line.unread() == len(FRAME))
        talker.said = FRAME  # the line has not even been woken
        line.unplug()
        assert line.bytes_lost == 2 * len(FRAME)
        os.close(host)
        line.replug()
        host = await opened(line)
        talker.said = FRAME
        line.wake()
        await until(lambda: line.unread() == len(FRAME))
        os.close(host)
        await until(lambda: not line.host_present)
        assert line.bytes_lost == 3 * len(FRAME)

    served(exercise)


def test_who_comes_next_gets_nothing_of_it() -> None:
    async def exercise(talker: Talker, line: PtyLine[CoprocessorEvent]) -> None:
        host = await opened(line)
        talker.said = FRAME * 500
        line.wake()
        await until(lambda: not talker.said)
        line.unplug()
        os.close(host)
        line.replug()
        host = await opened(line)
        talker.said = b"new\0"
        line.wake()
        assert await until_silent(host) == b"new\0"
        os.close(host)

    served(exercise)


def test_its_time_is_the_machines_and_never_goes_back() -> None:
    async def exercise(talker: Talker, line: PtyLine[CoprocessorEvent]) -> None:
        begin = time.monotonic()
        line.unplug()
        line.replug()
        host = await opened(line)
        os.write(host, b"x")
        await until(lambda: talker.heard)
        assert talker.times == sorted(talker.times)
        assert begin <= talker.times[-1] <= time.monotonic()
        os.close(host)

    served(exercise)
