"""What tests of ports have in common: open one, read all of it, be refused."""

import fcntl
import re
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ruuvi_host.device.opening import open_port
from ruuvi_host.device.port import Port
from ruuvi_host.errors import PortError

EVERY_BYTE = bytes(range(256))


@asynccontextmanager
async def opened(path: str) -> AsyncIterator[Port]:
    port = await open_port(path)
    try:
        yield port
    finally:
        await port.close()


async def read(port: Port, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await port.read()
    return data


async def refusal(path: str) -> str:
    """The sentence that a user gets."""
    with pytest.raises(PortError) as caught:
        await open_port(path)
    assert caught.value.path == path
    problem = caught.value.problem
    assert str(caught.value) == f"{path}: {problem}"
    assert not re.search(r"\n|Errno|\[", problem), "that is no sentence"
    return problem


def unread(fd: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), "little")
