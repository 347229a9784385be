"""A whole bridge on an adapter of the kernel's, which a stand-in plays: a packet for each read."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from bluetooth import StandIn
from lines import until

from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import Ack, AdvRprt2, GetAll, Message, SetAll, messages
from hil.controller.adverts import Advert, Cycle
from hil.controller.habits import Habits
from hil.controller.serving import ServedController, on_socket
from ruuvi_host.bridge.bridge import Bridge
from ruuvi_host.bridge.names import read_name
from ruuvi_host.bridge.opening import Opener
from ruuvi_host.bridge.settings import BridgeSettings

PATIENCE = 30.0
TAG = Advert(bytes.fromhex("CBB8334C884F"), bytes.fromhex("0201061bff99040514"), -67)


class Machine(StandIn):
    """Whoever takes its adapter finds a controller there."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.controllers: list[ServedController] = []
        self._habits = Habits(address=b"\0" + os.urandom(5))
        self._peers: dict[int, socket.socket] = {}

    def open(self) -> socket.socket:
        ours = super().open()
        assert self.controller
        self._peers[ours.fileno()] = self.controller
        return ours

    def bind(self, opened: socket.socket, index: int) -> None:
        super().bind(opened, index)
        peer = self._peers[opened.fileno()]
        controller = ServedController(self._habits, Cycle([TAG], 100.0), on_socket(peer))
        controller.__enter__()
        self.controllers.append(controller)

    def pull_out(self) -> None:
        """The adapter that is there now."""
        self.controllers[-1].__exit__(None, None, None)

    def close(self) -> None:
        self.pull_out()
        super().close()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    machine.add(0)
    yield machine
    machine.close()


class Host:
    """Opens the pty and configures what is there."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.received: list[Message] = []
        self._scanner: FrameScanner[Message] = FrameScanner(messages)
        os.write(self.fd, SetAll().to_frame())

    def read(self) -> list[Message]:
        with suppress(BlockingIOError):
            self.received += self._scanner.feed(os.read(self.fd, 4096))
        return self.received

    async def until_reports(self, count: int) -> list[Message]:
        await until(lambda: sum(isinstance(m, AdvRprt2) for m in self.read()) >= count)
        return [message for message in self.received if not isinstance(message, GetAll)]


def test_from_the_adapter_to_a_host_and_again_when_it_was_pulled_out(machine: Machine) -> None:
    async def main() -> None:
        paths: asyncio.Queue[str] = asyncio.Queue()
        name = read_name("hci0")
        opener = Opener(name, kernel=machine)
        settings = BridgeSettings(name, device_id=bytes(8))
        bridge = Bridge(settings, paths.put_nowait, opener)
        serving = asyncio.create_task(bridge.run())
        for life in (1, 2):
            host = Host(await paths.get())
            ack, *reports = await host.until_reports(5)
            assert ack == Ack(SetAll().command, False), "before the first report"
            expected = AdvRprt2(TAG.address, TAG.data, TAG.rssi, 1, 15, 255, False, -64)
            assert set(reports) == {expected}
            assert len(machine.controllers) == life
            # What a packet socket would take for a packet of its own:
            assert all(opcode for opcode in machine.controllers[-1].seen.opcodes())
            if life == 1:
                machine.pull_out()
                await until(lambda: not bridge.line.path)
            os.close(host.fd)
        serving.cancel()
        await asyncio.wait([serving])
        assert bridge.counters.unaccounted == 0

    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE):
            await main()

    asyncio.run(in_time())
