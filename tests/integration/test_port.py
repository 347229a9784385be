"""An open port, on a real pty: nothing translated, nothing lost, nothing left behind."""

import asyncio
import os
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from math import inf
from threading import Event

import pytest
from lines import PATIENCE, Pty, open_fds, run, until
from ports import EVERY_BYTE, opened, read, unread

from ruuvi_host.device.buffers import MOST_UNREAD
from ruuvi_host.device.opening import open_port
from ruuvi_host.errors import PortError
from ruuvi_host.lifetime import DaemonThreads

# --- the line


def test_the_line_is_raw() -> None:
    async def main() -> None:
        with Pty() as pty:
            attributes = termios.tcgetattr(pty.master)
            attributes[0] |= termios.BRKINT | termios.ICRNL | termios.IXON | termios.ISTRIP
            attributes[1] |= termios.OPOST | termios.ONLCR
            attributes[2] |= termios.HUPCL | termios.CRTSCTS | termios.PARENB
            attributes[3] |= termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN
            termios.tcsetattr(pty.master, termios.TCSANOW, attributes)
            async with opened(pty.path):
                iflag, oflag, cflag, lflag, ispeed, ospeed, _ = termios.tcgetattr(pty.master)
                assert (
                    not iflag
                    & (*(termios.BRKINT | termios.ICRNL | termios.INLCR | termios.IGNCR,),)[0]
                )
                mappings = termios.ICRNL | termios.INLCR | termios.IGNCR
                marks = termios.BRKINT | termios.PARMRK | termios.ISTRIP
                assert not iflag & (mappings | marks | termios.IXON | termios.IXOFF)
                assert not oflag & termios.OPOST
                assert cflag & termios.CLOCAL
                assert cflag & termios.CREAD
                assert cflag & termios.CSIZE == termios.CS8
                assert not cflag & (termios.HUPCL | termios.CRTSCTS | termios.CSTOPB)
                assert not lflag & (termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
                assert ispeed == ospeed == termios.B115200

    run(main())


def test_nothing_is_translated_or_swallowed() -> None:
    async def main() -> None:
        with Pty() as pty:
            async with opened(pty.path) as port:
                pty.send(EVERY_BYTE * 3)
                assert await read(port, 768) == EVERY_BYTE * 3
                port.write(EVERY_BYTE)
                port.write(EVERY_BYTE)
                assert await pty.receive(512) == EVERY_BYTE * 2
                assert not pty.has_bytes(), "nothing is echoed"

    run(main())


class Copy:
    """A tap that remembers."""

    def __init__(self) -> None:
        self.passed: list[tuple[str, bytes]] = []

    def received(self, data: bytes) -> None:
        self.passed.append(("received", data))

    def sent(self, data: bytes) -> None:
        self.passed.append(("sent", data))


def test_a_tap_gets_a_copy_both_ways() -> None:
    async def main() -> None:
        with Pty() as pty:
            copy = Copy()
            port = await open_port(pty.path, tap=copy)
            port.write(b"hello")
            port.write(b"")
            assert await pty.receive(5) == b"hello"
            pty.send(b"world")
            assert await read(port, 5) == b"world"
            await port.close()
            assert copy.passed == [("sent", b"hello"), ("received", b"world")]

    run(main())


def test_what_came_before_the_port_was_opened_is_not_read() -> None:
    async def main() -> None:
        with Pty() as pty:
            other = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
            pty.send(b"old\n")
            await until(lambda: unread(other))
            async with opened(pty.path) as port:
                assert await port.read(0.01) == b""
                pty.send(b"new")
                assert await read(port, 3) == b"new"
            os.close(other)

    run(main())


def test_what_nobody_reads_is_left_in_the_system() -> None:
    data = EVERY_BYTE * 1000

    async def main() -> None:
        with Pty() as pty:
            async with opened(pty.path) as port:
                sending = asyncio.create_task(pty.pour(data))
                await until(lambda: port.buffers.pauses)
                held = port.take_rest()
                assert MOST_UNREAD <= len(held) < 2 * MOST_UNREAD
                assert held + await read(port, len(data) - len(held)) == data
                await sending

    run(main())


def test_another_speed() -> None:
    async def main() -> None:
        with Pty() as pty:
            port = await open_port(pty.path, 9600)
            assert termios.tcgetattr(pty.master)[5] == termios.B9600
            await port.close()

    run(main())


def test_an_empty_write_is_harmless() -> None:
    async def main() -> None:
        with Pty() as pty:
            async with opened(pty.path) as port:
                port.write(b"")
                for _ in range(10):  # the loop would try to write it
                    await asyncio.sleep(0)
                port.write(b"a")
                assert await pty.receive(1) == b"a"

    run(main())


# --- reading with a time limit


def send_and_see(pty: Pty, data: bytes) -> None:
    """Returns when the bytes are at the port: a thread of the kernel carries them there."""
    other = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
    pty.send(data)
    while not unread(other):
        time.sleep(0.001)
    os.close(other)


def test_a_read_ends_when_nothing_comes() -> None:
    async def main() -> None:
        with Pty() as pty:
            async with opened(pty.path) as port:
                start = time.monotonic()
                assert await port.read(0.03) == b""
                assert time.monotonic() - start >= 0.03
                assert await port.read(0) == b""
                assert await port.read(-1) == b""
                pty.send(b"a")
                assert await port.read() == b"a"

    run(main())


def test_what_comes_while_the_loop_is_busy_is_not_taken_for_silence() -> None:
    """A reader that is told "nothing came" gives up half a frame; the rest may be here already."""

    async def main() -> None:
        with Pty() as pty:
            async with opened(pty.path) as port:
                reading = asyncio.create_task(port.read(0.02))
                await asyncio.sleep(0)
                send_and_see(pty, b"here")
                time.sleep(0.05)  # noqa: ASYNC251 - the loop hangs: alarm and bytes are both due
                assert await reading == b"here"

    run(main())


def test_an_alarm_of_an_earlier_read_ends_no_later_one() -> None:
    async def main() -> None:
        with Pty() as pty:
            async with opened(pty.path) as port:
                for limit in (0.02, 1000):
                    reading = asyncio.create_task(port.read(limit))
                    await asyncio.sleep(0.05 if limit == 1000 else 0)  # beyond the first limit
                    assert not reading.done()
                    send_and_see(pty, b"a")
                    assert await reading == b"a"
                assert await port.read(0.01) == b"", "and one that is due earlier is heard"

    run(main())


def test_a_cancelled_read_loses_nothing() -> None:
    async def main() -> None:
        with Pty() as pty:
            async with opened(pty.path) as port:
                reading = asyncio.create_task(port.read())
                await asyncio.sleep(0)
                pty.send(b"here")
                reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
                assert await port.read() == b"here"

    run(main())


# --- a receiver in place of a reader


def test_a_receiver_gets_what_comes_and_a_wait_ends_when_it_says() -> None:
    async def main() -> None:
        came = []

        def receiver(data: bytes) -> tuple[float, float]:
            came.append(data)
            return time.monotonic() + (1000 if len(came) == 1 else 0.02), 0

        with Pty() as pty:
            async with opened(pty.path) as port:
                port.receiver = receiver
                waiting = asyncio.create_task(port.wait(inf))
                pty.send(b"one")
                await until(lambda: came == [b"one"])
                assert not waiting.done(), "nobody is woken for it"
                pty.send(b"two")
                await asyncio.wait_for(waiting, PATIENCE)
                assert came == [b"one", b"two"]
                port.poke()
                await asyncio.wait_for(port.wait(inf), PATIENCE)
                pty.unplug()
                with pytest.raises(PortError, match="lost: unplugged"):
                    await asyncio.wait_for(port.wait(inf), PATIENCE)

    run(main())


@pytest.mark.parametrize("late", [False, True])
def test_a_receiver_is_served_before_its_time_is_over(late: bool) -> None:
    async def main() -> None:
        came = []

        def receiver(data: bytes) -> tuple[float, float]:
            came.append(data)
            return deadline, 0

        with Pty() as pty:
            async with opened(pty.path) as port:
                port.receiver = receiver
                deadline = time.monotonic() + 0.02

                async def came_by_then() -> list[bytes]:
                    await port.wait(deadline)
                    return list(came)

                waiting = asyncio.create_task(came_by_then())
                await asyncio.sleep(0)
                if late:  # after the loop has looked, in the turn in which the alarm rings
                    loop = asyncio.get_running_loop()
                    loop.call_at(deadline - 0.01, send_and_see, pty, b"here")
                else:
                    send_and_see(pty, b"here")
                time.sleep(0.05)  # noqa: ASYNC251 - the loop hangs: alarm and bytes are both due
                assert await waiting == [b"here"]

    run(main())


# --- loss and close


def test_an_unplug_is_told_after_the_last_bytes() -> None:
    async def main() -> None:
        with Pty() as pty:
            async with opened(pty.path) as port:
                other = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
                pty.send(b"the last")
                while not unread(other):
                    time.sleep(0.001)  # noqa: ASYNC251 - it is here before the loop can see it
                await until(lambda: not unread(other))  # and now the port has taken it
                os.close(other)
                pty.unplug()
                for _ in range(10):  # the loop notices
                    await asyncio.sleep(0)
                assert await port.read() == b"the last"
                for _ in range(2):
                    with pytest.raises(PortError, match="lost: unplugged"):
                        await port.read()

    run(main())


def test_an_unplug_ends_a_read_that_waits() -> None:
    async def main() -> None:
        with Pty() as pty:
            async with opened(pty.path) as port:
                reading = asyncio.create_task(port.read())
                await asyncio.sleep(0)
                pty.unplug()
                with pytest.raises(PortError):
                    await reading

    run(main())


def test_everything_after_a_loss_or_a_close_is_harmless() -> None:
    async def main() -> None:
        with Pty() as pty:
            port = await open_port(pty.path)
            pty.unplug()
            port.write(b"to nobody")
            with pytest.raises(PortError):
                await port.read()
            port.write(b"to nobody")
            await port.close()
            port.write(b"to nobody")
            await port.close()
            with pytest.raises(PortError):
                await port.read()

    run(main())


def test_a_failed_write_is_no_traceback() -> None:
    """The writer may notice the loss before the reader does."""

    async def main() -> None:
        with Pty() as pty:
            port = await open_port(pty.path)
            port.write(bytes(100_000))  # more than the terminal takes: a writer waits for room
            await asyncio.sleep(0)
            pty.unplug()
            with pytest.raises(PortError):
                await port.read()
            await port.close()

    run(main())


def test_close_does_not_wait_for_a_peer_that_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ruuvi_host.device.port._CLOSE_TIMEOUT", 2 * PATIENCE)

    async def main() -> None:
        with Pty() as pty:
            port = await open_port(pty.path)
            port.write(bytes(1_000_000))
            await until(pty.has_bytes)
            before = open_fds()
            async with asyncio.timeout(PATIENCE):
                await port.close()
            assert len(open_fds()) < len(before)
            async with opened(pty.path):
                pass

    run(main())


def test_close_at_once_after_open() -> None:
    async def main() -> None:
        with Pty() as pty:
            await (await open_port(pty.path)).close()
            async with opened(pty.path):
                pass

    run(main())


def test_a_cancelled_open_leaves_nothing_open() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        with Pty() as pty:
            held_up = Event()
            blocker = loop.run_in_executor(None, held_up.wait)
            opening = asyncio.create_task(open_port(pty.path))
            await asyncio.sleep(0)
            before = open_fds()
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            held_up.set()
            await blocker
            # The thread opens it now, for nobody.
            await loop.run_in_executor(None, int)
            await until(lambda: open_fds() == before)
            async with opened(pty.path):
                pass

    run(main())


def test_opening_again_and_again_leaves_nothing_behind() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(DaemonThreads())
        with Pty() as pty:
            before = open_fds()
            for _ in range(10):
                async with opened(pty.path) as port:
                    pty.send(b"a")
                    assert await port.read() == b"a"
                assert open_fds() == before

    run(main())
