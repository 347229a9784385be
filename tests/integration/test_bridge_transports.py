"""The ways to a controller: an adapter of the kernel's on a stand-in, and a real pty."""

import asyncio
import errno
import os
import socket
import termios
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from bluetooth import StandIn
from lines import Pty

from ruuvi_host.bridge.kernel import AF_BLUETOOTH, Adapter, Kernel
from ruuvi_host.bridge.names import read_name
from ruuvi_host.bridge.opening import Opener, has_flow_control
from ruuvi_host.device.port import Port
from ruuvi_host.errors import PortError

PATIENCE = 20.0
ADDRESS = "DC:A6:32:01:02:03"


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[StandIn]:
    stand_in = StandIn(tmp_path)
    yield stand_in
    stand_in.close()


def opened(
    kernel: Kernel, text: str, use: Callable[[Port], Awaitable[None]], *, take: bool = False
) -> None:
    """Open it, and give it to `use`."""

    async def main() -> None:
        async with asyncio.timeout(PATIENCE):
            port = await Opener(read_name(text), take=take, kernel=kernel).open()
            try:
                await use(port)
            finally:
                await port.close()

    asyncio.run(main())


async def nothing(port: Port) -> None:
    """It is enough that it could be opened."""


def refusal(kernel: Kernel, text: str, *, take: bool = False) -> str:
    with pytest.raises(PortError) as error:
        opened(kernel, text, nothing, take=take)
    assert str(error.value).startswith(f"{text}: ")
    return error.value.problem


def test_packets_go_both_ways(kernel: StandIn) -> None:
    kernel.add(0)

    async def use(port: Port) -> None:
        assert kernel.controller
        port.write(b"\x01\x03\x0c\x00")
        assert kernel.controller.recv(100) == b"\x01\x03\x0c\x00"
        kernel.controller.send(b"\x04\x0e\x04\x01\x03\x0c\x00")
        kernel.controller.send(b"\x04\x3e\x00")
        received = b""
        while len(received) < 10:
            received += await port.read()
        assert received == b"\x04\x0e\x04\x01\x03\x0c\x00\x04\x3e\x00"

    opened(kernel, "hci0", use)
    assert kernel.bound == [0]
    assert kernel.switched_off == []


def test_the_adapter_is_given_back(kernel: StandIn) -> None:
    kernel.add(0)
    opened(kernel, "hci0", nothing)
    assert kernel.controller
    assert kernel.controller.recv(100) == b""


def test_an_adapter_that_is_pulled_out(kernel: StandIn) -> None:
    kernel.add(0)

    async def use(port: Port) -> None:
        assert kernel.controller
        kernel.controller.send(b"\x04\x3e\x00")
        kernel.controller.close()
        assert await port.read() == b"\x04\x3e\x00"
        with pytest.raises(PortError, match="lost: unplugged"):
            await port.read()
        port.write(b"\x01\x03\x0c\x00")  # to nobody

    opened(kernel, "hci0", use)


def test_by_its_address(kernel: StandIn) -> None:
    kernel.add(0, "00:1A:7D:DA:71:13")
    kernel.add(3, ADDRESS)
    opened(kernel, f"hci:{ADDRESS}", nothing)
    assert kernel.bound == [3]
    told = f"There is hci0 (00:1A:7D:DA:71:13), hci3 ({ADDRESS})"
    said = refusal(kernel, "hci:00:00:00:00:00:01")
    assert said == f"there is no adapter with this address. {told}"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EPERM, "AmbientCapabilities=CAP_NET_ADMIN"),
        (errno.EACCES, "CAP_NET_ADMIN"),
        (errno.ENODEV, "there is no such adapter. There is hci0, hci1"),
        (errno.EBUSY, "`bluetoothctl power off`"),
        (errno.EUSERS, "another program has taken it"),
        (errno.ERFKILL, "`sudo rfkill unblock bluetooth`"),
        (errno.ETIMEDOUT, "cannot be opened: Connection timed out"),
    ],
    ids=lambda value: errno.errorcode.get(value, ""),
)
def test_what_is_said_of_each_error(kernel: StandIn, number: int, said: str) -> None:
    kernel.add(0)
    kernel.add(1)
    kernel.refusals = [number]
    assert said in refusal(kernel, "hci0")
    assert kernel.controller
    assert kernel.controller.recv(100) == b"", "nothing stays open"


def test_a_switch_that_only_a_hand_can_turn(kernel: StandIn) -> None:
    kernel.add(0, hard="1", soft="1")
    kernel.refusals = [errno.ERFKILL]
    assert "by a switch or key" in refusal(kernel, "hci0")


def test_no_bluetooth_at_all(tmp_path: Path) -> None:
    kernel = StandIn(tmp_path, no_socket=errno.EAFNOSUPPORT)
    for text in ("hci0", f"hci:{ADDRESS}"):
        said = refusal(kernel, text)
        assert "modprobe bluetooth" in said
        assert "--network host" in said


def has_bluetooth() -> bool:
    try:
        socket.socket(AF_BLUETOOTH, socket.SOCK_RAW, 1).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(has_bluetooth(), reason="this machine has Bluetooth")
def test_no_bluetooth_in_this_kernel() -> None:
    assert "modprobe bluetooth" in refusal(Kernel(), "hci0")


def test_bind_is_the_systems() -> None:
    """On a socket of another family libc refuses the address: so it was asked."""
    with (
        socket.socket(socket.AF_UNIX) as other,
        pytest.raises(OSError, match=os.strerror(errno.EINVAL)),
    ):
        Kernel().bind(other, 0)


def test_take_switches_off_what_is_on(kernel: StandIn) -> None:
    kernel.add(0)
    kernel.refusals = [errno.EBUSY, errno.EBUSY]
    opened(kernel, "hci0", nothing, take=True)
    assert (kernel.switched_off, kernel.bound) == ([0, 0], [0])


def test_take_gives_up_and_takes_nothing_that_is_free(kernel: StandIn) -> None:
    kernel.add(0)
    opened(kernel, "hci0", nothing, take=True)
    assert kernel.switched_off == []
    kernel.refusals = [errno.EBUSY] * 3
    assert "switched on" in refusal(kernel, "hci0", take=True)
    kernel.refusals = [errno.EUSERS]
    assert "another program" in refusal(kernel, "hci0", take=True)


def test_adapters_of_this_machine(kernel: StandIn) -> None:
    kernel.add(1, soft="1")
    kernel.add(0, ADDRESS)
    (kernel.root / "class/bluetooth/hci0:12").mkdir()
    address = bytes.fromhex(ADDRESS.replace(":", ""))
    assert kernel.adapters() == [Adapter(0, address, None, ""), Adapter(1, b"", None, "soft")]
    assert Kernel(str(kernel.root / "nowhere")).adapters() == []


def test_what_comes_and_goes(kernel: StandIn) -> None:
    by_number = Opener(read_name("hci1"), kernel=kernel)
    by_address = Opener(read_name(f"hci:{ADDRESS}"), kernel=kernel)
    kernel.add(0)
    assert not by_number.is_there()
    assert not by_address.is_there()
    kernel.add(1, ADDRESS)
    assert by_number.is_there()
    assert by_address.is_there()
    assert not by_number.is_line
    assert Opener(read_name("/dev/nope")).is_line
    assert not Opener(read_name("socket://127.0.0.1:9")).is_line
    assert not Opener(read_name("/dev/nope")).is_there()


def test_a_serial_port() -> None:
    with Pty() as pty:

        async def use(port: Port) -> None:
            port.write(b"\0\x01\x03\x0c\x00")
            assert await pty.receive(5) == b"\0\x01\x03\x0c\x00"
            attributes = termios.tcgetattr(pty.master)
            assert attributes[4] == termios.B460800
            assert attributes[2] & termios.CRTSCTS

        opened(Kernel(), f"{pty.path}@460800", use)


def test_flow_control_is_for_lines_with_wires(tmp_path: Path) -> None:
    acm = tmp_path / "by-id"
    acm.symlink_to("/dev/ttyACM7")
    assert not has_flow_control(str(acm))
    assert not has_flow_control("/dev/ttyACM0")
    assert has_flow_control("/dev/ttyUSB0")
    assert has_flow_control("/dev/ttyAMA0")
