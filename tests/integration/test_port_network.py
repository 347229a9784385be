"""Ports over the network, socket:// and rfc2217://, with real servers."""

import asyncio
import socket
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from lines import PATIENCE, Pty, open_fds, run, until
from ports import EVERY_BYTE, read
from rfc2217_server import Rfc2217Server, pyserial_is_old

from ruuvi_host.device.buffers import MOST_UNREAD
from ruuvi_host.device.opening import open_port
from ruuvi_host.device.port import Port
from ruuvi_host.device.pyserial import MOST_QUEUED, Rfc2217Client
from ruuvi_host.errors import PortError

# --- over the network


@pytest.fixture
def never_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is closed waits for what never comes until a test has failed."""
    monkeypatch.setattr("ruuvi_host.device.port._CLOSE_TIMEOUT", 2 * PATIENCE)


@asynccontextmanager
async def tcp_pair() -> AsyncIterator[tuple[Port, socket.socket]]:
    """A socket:// port and the other end of its connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = await open_port(f"socket://127.0.0.1:{server.getsockname()[1]}")
        connection, _ = server.accept()
    with connection:
        connection.setblocking(False)
        yield port, connection
        await port.close()


def test_socket_carries_every_byte_both_ways() -> None:
    async def main() -> None:
        async with tcp_pair() as (port, connection):
            assert port.is_network
            loop = asyncio.get_running_loop()
            port.write(EVERY_BYTE)
            port.write(b"")
            received = b""
            while len(received) < 256:
                received += await loop.sock_recv(connection, 4096)
            assert received == EVERY_BYTE
            connection.send(EVERY_BYTE)
            assert await read(port, 256) == EVERY_BYTE

    run(main())


@pytest.mark.parametrize("linger", [None, 0])
def test_socket_tells_a_loss_after_the_last_bytes(linger: int | None) -> None:
    async def main() -> None:
        async with tcp_pair() as (port, connection):
            connection.send(b"the last")
            if linger is not None:  # reset instead of an orderly end
                assert await read(port, 8) == b"the last"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            if linger is None:
                assert await read(port, 8) == b"the last"
            with pytest.raises(PortError, match=r"lost: (unplugged|Connection reset)"):
                await port.read()
            port.write(b"to nobody")

    run(main())


@pytest.mark.usefixtures("never_gives_up")
def test_socket_closes_though_the_other_end_does_not_read() -> None:
    async def main() -> None:
        async with tcp_pair() as (port, _):
            port.write(bytes(10_000_000))
            before = open_fds()
            async with asyncio.timeout(PATIENCE):
                await port.close()
            assert len(open_fds()) == len(before) - 1

    run(main())


def test_a_flood_that_nobody_reads_is_held_back() -> None:
    """Not stored: a network can send 100 MB in the second that a reset takes."""

    async def main() -> None:
        async with tcp_pair() as (port, connection):
            sent = 0

            def is_full() -> bool:
                nonlocal sent
                with suppress(BlockingIOError):
                    while True:
                        sent += connection.send(EVERY_BYTE * 256)
                return bool(port.buffers.pauses)

            await until(is_full)
            for _ in range(5):  # and stays so, whatever comes
                is_full()
                await asyncio.sleep(0)
            assert port.buffers.pauses == 1
            held = port.take_rest()
            assert MOST_UNREAD <= len(held) < 2 * MOST_UNREAD
            while len(held) < sent:
                held += await port.read()
            assert held == (EVERY_BYTE * (sent // 256 + 1))[:sent]

    run(main())


def test_what_a_port_does_not_take_is_counted() -> None:
    async def main() -> None:
        async with tcp_pair() as (port, _):
            port.write(bytes(10_000_000))
            assert port.buffers.unsent == 0
            port.write(b"one more")
            port.write(b"and another")
            assert port.buffers.unsent == len(b"one moreand another")

    run(main())


@pyserial_is_old
def test_rfc2217_reads_no_more_than_is_taken() -> None:
    flood = EVERY_BYTE * 800  # more than is held here and there

    async def main() -> None:
        with Pty() as pty, Rfc2217Server(pty.path) as server:
            port = await open_port(server.url)
            assert isinstance(port.device, Rfc2217Client)
            sending = asyncio.create_task(pty.pour(flood))
            await until(lambda: port.buffers.pauses)
            queue = port.device.queue
            assert queue
            await until(lambda: queue.qsize() >= MOST_QUEUED)
            assert queue.qsize() == MOST_QUEUED
            held = port.take_rest()
            assert MOST_UNREAD <= len(held) < 2 * MOST_UNREAD
            while len(held) < len(flood):
                held += await port.read()
            assert held == flood
            await sending
            await port.close()

    run(main())


@pyserial_is_old
@pytest.mark.usefixtures("never_gives_up")
def test_rfc2217_closes_in_a_flood() -> None:
    async def main() -> None:
        with Pty() as pty, Rfc2217Server(pty.path) as server:
            port = await open_port(server.url)
            sending = asyncio.create_task(pty.pour(EVERY_BYTE * 2000))
            await until(lambda: port.buffers.pauses)
            assert isinstance(port.device, Rfc2217Client)
            queue = port.device.queue
            await until(lambda: queue and queue.qsize() == MOST_QUEUED)
            async with asyncio.timeout(PATIENCE):
                await port.close()
            sending.cancel()
            await asyncio.wait([sending])

    run(main())


@pyserial_is_old
@pytest.mark.usefixtures("never_gives_up")
def test_rfc2217_carries_every_byte_both_ways_and_sets_the_speed() -> None:
    async def main() -> None:
        with Pty() as pty, Rfc2217Server(pty.path) as server:
            port = await open_port(server.url, 57600)
            assert port.is_network
            assert termios.tcgetattr(pty.master)[5] == termios.B57600
            pty.send(EVERY_BYTE)
            assert await read(port, 256) == EVERY_BYTE
            port.write(EVERY_BYTE)
            port.write(b"")
            assert await pty.receive(256) == EVERY_BYTE
            async with asyncio.timeout(PATIENCE):
                await port.close()

    run(main())


@pyserial_is_old
def test_rfc2217_tells_a_loss() -> None:
    async def main() -> None:
        with Pty() as pty, Rfc2217Server(pty.path) as server:
            port = await open_port(server.url)
            server.hang_up()
            with pytest.raises(PortError, match="lost: "):
                await port.read()
            port.write(b"to nobody")
            await port.close()
            await port.close()

    run(main())


@pyserial_is_old
def test_an_open_that_succeeds_after_it_was_cancelled_is_undone() -> None:
    async def main() -> None:
        with Pty() as pty, Rfc2217Server(pty.path, hesitant=True) as server:
            opening = asyncio.create_task(open_port(server.url))
            await until(server.accepted.is_set)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            server.go_on.set()
            await until(server.left.is_set)

    run(main())


@pyserial_is_old
def test_an_open_that_fails_after_it_was_cancelled_leaves_nothing_open() -> None:
    async def main() -> None:
        with Pty() as pty, Rfc2217Server(pty.path, hesitant=True) as server:
            opening = asyncio.create_task(open_port(f"{server.address}?timeout=0.3"))
            await until(server.accepted.is_set)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            server.hang_up()

    run(main())
