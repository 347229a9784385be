"""Supervisor: a board behind a network, which may take its time and restart."""

import asyncio
from contextlib import suppress

import pytest
from lines import run
from peer import (
    DEVICE_ID,
    IDENTITY,
    SET_ALL,
    ack,
    frame,
)
from rfc2217_server import Rfc2217Server, pyserial_is_old
from supervised_link import supervised
from tcp_ports import free_port

from ruuvi_host.device import reopener
from ruuvi_host.simulator.board import Board
from ruuvi_host.simulator.pty import PtyServer


class TcpBoard:
    """A simulated board behind a TCP server, one connection at a time."""

    def __init__(self) -> None:
        self.board = Board(tags=5, rate=100.0)
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.port = free_port()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        if self._writer:
            self._writer.close()
            with suppress(ConnectionError):
                await self._writer.wait_closed()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.connections += 1
        clock = asyncio.get_running_loop().time
        start = clock()
        self.board = Board(tags=5, rate=100.0)
        while not writer.is_closing():
            writer.write(self.board.advance(clock() - start))
            try:
                async with asyncio.timeout(0.005):
                    data = await reader.read(4096)
            except TimeoutError:
                continue
            except ConnectionError:  # the host has left, and not read all
                break
            if not data:
                break
            self.board.receive(data, clock() - start)
        writer.close()


def test_a_network_may_take_its_time() -> None:
    async def main() -> None:
        left = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for answer in (frame(DEVICE_ID, IDENTITY), ack(SET_ALL)):
                await reader.readuntil(b"\n")
                await asyncio.sleep(0.4)  # longer than a serial line is given
                writer.write(answer)
            await reader.read()
            writer.close()
            left.set()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with supervised(f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}") as host:
            await host.ready()
            assert host.counters.session.lost_acks == 0
        await left.wait()
        server.close()
        await server.wait_closed()

    run(main())


def test_the_pause_is_short_again_after_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reopener, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(reopener, "LONGEST_PAUSE", 1000.0)

    async def main() -> None:
        async def serve_and_leave(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            for answer in (frame(DEVICE_ID, IDENTITY), ack(SET_ALL)):
                await reader.readuntil(b"\n")
                writer.write(answer)
            writer.close()

        server = await asyncio.start_server(serve_and_leave, "127.0.0.1", 0)
        async with supervised(f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}") as host:
            await host.ready(15)  # the fifteenth pause of a row would last five minutes
            server.close()
            await host.until(lambda: host.counters.disconnects == host.counters.opened)
        await server.wait_closed()

    run(main())


def test_a_board_behind_a_tcp_server_that_restarts() -> None:
    board = TcpBoard()

    async def main() -> None:
        await board.start()
        async with supervised(f"socket://127.0.0.1:{board.port}") as host:
            await host.until(lambda: len(host.events.reports) > 20)
            await board.stop()
            await host.until(lambda: host.counters.disconnects)
            await board.start()
            before = len(host.events.reports)
            await host.until(lambda: len(host.events.reports) > before + 20)
            assert board.connections == 2
        await board.stop()

    run(main())


@pyserial_is_old
def test_a_board_behind_an_rfc2217_server() -> None:
    async def main() -> None:
        with PtyServer(Board(tags=5, rate=100.0)) as server:
            serving = asyncio.create_task(server.run())
            with Rfc2217Server(server.path) as remote:
                async with supervised(remote.url) as host:
                    await host.until(lambda: len(host.events.reports) > 20)
                    assert host.counters.session.scanner.bytes_skipped == 0
                    remote.hang_up()
                    await host.until(lambda: host.counters.disconnects)
            serving.cancel()
            await asyncio.wait([serving])

    run(main())
