"""A port that is left alone for a while, on a real pty: all comes in one piece, none is lost."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

import pytest
from lines import PATIENCE, Pty, run, until
from ports import opened, unread

from ruuvi_host.device.local import MOST_READS, LocalTransport, all_there
from ruuvi_host.device.port import Port
from ruuvi_host.errors import PortError

LONG = 1000.0
"""Seconds that no test waits for."""


class Line:
    """A port with a receiver that asks for a pause after each read, and the board's end of it."""

    def __init__(self, pty: Pty, port: Port, pause: float) -> None:
        self.pty = pty
        self.port = port
        self.pause = pause
        self.came: list[bytes] = []
        self.read_at = inf
        """When the last bytes came."""
        port.receiver = self._receive
        self._other = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)

    def _receive(self, data: bytes) -> tuple[float, float]:
        self.came.append(data)
        self.read_at = asyncio.get_running_loop().time()
        return inf, self.pause

    async def send(self, data: bytes) -> None:
        """The bytes are in the kernel when it returns."""
        before = unread(self._other)
        self.pty.send(data)
        await until(lambda: unread(self._other) >= before + len(data))

    def close(self) -> None:
        os.close(self._other)


@asynccontextmanager
async def resting(pause: float = LONG) -> AsyncIterator[Line]:
    """A line whose port has read once, and is left alone now."""
    with Pty() as pty:
        async with opened(pty.path) as port:
            line = Line(pty, port, pause)
            pty.send(b"first")
            await until(lambda: line.came == [b"first"])
            line.came.clear()
            try:
                yield line
            finally:
                line.close()


def test_what_comes_in_a_pause_is_handed_over_in_one_piece() -> None:
    async def main() -> None:
        for pause in (0.2, 2.0, 20.0):  # as long as this machine needs for two writes
            async with resting(pause) as line:
                await line.send(b"one ")
                await line.send(b"two")
                if asyncio.get_running_loop().time() > line.read_at + pause / 2:
                    continue
                assert line.came == []
                await until(lambda: b"".join(line.came) == b"one two")
                assert len(line.came) == 1
                break
        else:
            raise AssertionError("two writes take ten seconds")

    run(main())


@pytest.mark.parametrize("size", [1, 4094, 4095, 4096, 8190, 12_000, 65_536])
def test_who_was_held_up_takes_all_that_has_come(size: int) -> None:
    """A read brings 4,095 bytes of a tty: with one in a turn of the loop nobody catches up."""
    sent = os.urandom(size)
    reader, writer = os.pipe2(os.O_NONBLOCK)
    try:
        assert os.write(writer, sent) == size
        assert all_there(reader) == sent[: MOST_READS * 4096]
        with pytest.raises(BlockingIOError):
            os.read(reader, 1)
    finally:
        os.close(reader)
        os.close(writer)


def test_nothing_of_a_flood_is_lost_or_out_of_order() -> None:
    sent = os.urandom(300_000)

    async def main() -> None:
        async with resting(0.001) as line:
            await line.pty.pour(sent)
            await until(lambda: sum(map(len, line.came)) == len(sent))
            assert b"".join(line.came) == sent

    run(main())


def test_after_a_pause_without_a_byte_the_port_is_watched_again() -> None:
    async def main() -> None:
        async with resting(0.01) as line:
            line.pause = LONG
            transport = line.port.gatherer
            assert isinstance(transport, LocalTransport)
            await until(lambda: transport._has_reader)
            line.pty.send(b"one")
            await until(lambda: line.came == [b"one"])

    run(main())


def test_a_write_ends_the_pause_for_there_will_be_an_answer() -> None:
    async def main() -> None:
        async with resting() as line:
            await line.send(b"before")
            line.pause = 0
            line.port.write(b"question")
            await until(lambda: line.came == [b"before"])
            line.pty.send(b"answer")
            await until(lambda: line.came == [b"before", b"answer"])

    run(main())


def test_a_deadline_ends_the_pause_so_that_nothing_is_taken_for_silence() -> None:
    async def main() -> None:
        async with resting() as line:
            await line.send(b"here")
            await asyncio.wait_for(line.port.wait(asyncio.get_running_loop().time()), PATIENCE)
            assert line.came == [b"here"]

    run(main())


def test_what_has_come_in_a_pause_is_not_lost_when_the_port_is_closed() -> None:
    async def main() -> None:
        async with resting() as line:
            await line.send(b"the last")
            line.port.receiver = None
            assert line.port.take_rest() == b"the last"

    run(main())


def test_an_unplug_in_a_pause_is_told_after_it() -> None:
    async def main() -> None:
        async with resting(0.01) as line:
            line.pty.unplug()
            with pytest.raises(PortError, match="lost"):
                await asyncio.wait_for(line.port.wait(inf), PATIENCE)

    run(main())


def test_a_port_that_is_closed_in_a_pause_does_not_look_again() -> None:
    async def main() -> None:
        async with resting() as line:
            transport = line.port.gatherer
            assert isinstance(transport, LocalTransport)
            timer = transport._gathering
            assert timer
            await line.port.close()
            assert timer.cancelled()
            line.port.take_rest()
            line.port.write(b"to nobody")
            await asyncio.sleep(0)
            assert line.came == []

    run(main())
