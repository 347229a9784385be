"""The status socket: who may ask, and that nobody can hold the host up."""

import asyncio
import json
import socket
import stat
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from lines import run

from ruuvi_host.monitoring.socket import (
    MAX_CLIENTS,
    NAME,
    StatusSocket,
    ask,
    place_for_members,
)
from ruuvi_host.monitoring.socket import listening as opened

SMALL = {"version": "0.1.0"}
PATIENCE = 0.2
LARGE = {"text": "x" * 5_000_000}


def answered(directory: Path) -> bool:
    try:
        return ask(directory) is not None
    except (OSError, ValueError):  # turned away
        return False


def served(
    directory: Path,
    document: dict[str, Any],
    visit: Callable[[], Awaitable[None]],
    patience: float = 20.0,
) -> None:
    """Serve `document` while `visit` runs."""

    async def main() -> None:
        status = StatusSocket(directory, lambda: document, patience)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(status.run())
            await until_async(lambda: asyncio.to_thread(answered, directory))
            await visit()
            running.cancel()

    run(main())


def test_it_tells_who_asks(tmp_path: Path) -> None:
    async def visit() -> None:
        assert await asyncio.to_thread(ask, tmp_path) == SMALL
        assert stat.S_IMODE((tmp_path / NAME).lstat().st_mode) == 0o600

    served(tmp_path, SMALL, visit)
    assert not (tmp_path / NAME).exists()
    assert ask(tmp_path) is None


def test_the_group_may_ask_over_another_one(tmp_path: Path) -> None:
    for for_group, mode in ((True, 0o660), (False, 0o600)):
        with opened(tmp_path, for_group=for_group) as listener, listener:
            assert stat.S_IMODE((tmp_path / NAME).lstat().st_mode) == mode


def test_the_folder_of_the_other_one_is_the_one_of_systemd() -> None:
    assert place_for_members({"RUNTIME_DIRECTORY": "/run/a:/run/b"}) == Path("/run/a")
    assert place_for_members({"RUNTIME_DIRECTORY": ""}) is place_for_members({}) is None


def test_a_large_document_arrives(tmp_path: Path) -> None:
    async def visit() -> None:
        assert await asyncio.to_thread(ask, tmp_path) == LARGE

    served(tmp_path, LARGE, visit)


def test_a_folder_with_a_long_name(tmp_path: Path) -> None:
    directory = tmp_path / ("n" * 200) / ("m" * 200)
    directory.mkdir(parents=True)

    async def visit() -> None:
        assert await asyncio.to_thread(ask, directory) == SMALL

    served(directory, SMALL, visit)


def test_what_a_killed_host_left_is_no_hindrance(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / NAME))
    assert ask(tmp_path) is None

    async def visit() -> None:
        assert await asyncio.to_thread(ask, tmp_path) == SMALL

    served(tmp_path, SMALL, visit)


def test_another_file_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("mine")

    async def main() -> None:
        with pytest.raises(OSError, match="in use"):
            await StatusSocket(tmp_path, lambda: SMALL).run()

    run(main())
    assert (tmp_path / NAME).read_text() == "mine"


def client(directory: Path) -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.connect(str(directory / NAME))
    one.setblocking(False)
    return one


def test_a_client_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    async def visit() -> None:
        with client(tmp_path) as idle:
            loop = asyncio.get_running_loop()
            received = bytearray()
            await asyncio.sleep(3 * PATIENCE)  # not to wait for anything: this is the fault
            while part := await loop.sock_recv(idle, 1 << 20):
                received += part
            assert 0 < len(received) < len(json.dumps(LARGE))

    served(tmp_path, LARGE, visit, patience=PATIENCE)


def test_many_clients_that_do_not_read(tmp_path: Path) -> None:
    """The first ones are served for as long as they may stay; more are turned away."""

    async def visit() -> None:
        idle = [client(tmp_path) for _ in range(MAX_CLIENTS)]
        more = client(tmp_path)
        loop = asyncio.get_running_loop()
        with more:
            assert await loop.sock_recv(more, 1000) == b""
        for each in idle:
            each.close()

        await until_async(lambda: asyncio.to_thread(answered, tmp_path))

    served(tmp_path, LARGE, visit)


async def until_async(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - what is waited for cannot tell
            await asyncio.sleep(0.01)


def test_what_is_no_status(tmp_path: Path) -> None:
    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"[1]\n")

    with socket.socket(socket.AF_UNIX) as listening, ThreadPoolExecutor() as beside:
        listening.bind(str(tmp_path / NAME))
        listening.listen()
        answered = beside.submit(answer)
        with pytest.raises(ValueError, match="not a status"):
            ask(tmp_path)
        answered.result()
