"""Where the local API listens: TCP, a file, a socket of systemd; and what keeps it from that."""

import asyncio
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from api_door import ListeningDoor
from conftest import ours
from programs import ruuvi_host
from tcp_ports import free_port

from ruuvi_host.api.server import serve
from ruuvi_host.lifetime import ended

OPEN = {"lan_auth_type": "lan_auth_allow"}


def with_api(
    settings: dict[str, str],
    client: Callable[[ListeningDoor], Awaitable[None]],
    retry: float = 0.05,
) -> None:
    """Run a client beside an API with these settings."""

    async def main() -> None:
        door = ListeningDoor(**{"api__announce": "false", **settings})
        serving = asyncio.create_task(serve(door, retry=retry))
        trying = asyncio.ensure_future(client(door))
        await asyncio.wait((serving, trying), return_when=asyncio.FIRST_COMPLETED)
        assert not serving.done() or serving.result()
        await ended(serving)
        assert door.listening == ()
        await trying

    asyncio.run(main())


async def ask(url: str) -> bytes:
    """The first line of the answer; empty: nobody listens."""
    place = urlsplit(url)
    try:
        if place.scheme == "unix":
            reader, writer = await asyncio.open_unix_connection(place.path)
        else:
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
    except OSError:
        return b""
    writer.write(b"GET /nosuch.html HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try:
        line = await reader.readline()
    except ConnectionError:
        return b""
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return line


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """All but that of who runs these tests."""
    said = [each.getMessage() for each in ours(caplog) if each.levelname == "WARNING"]
    return [each for each in said if "runs as root" not in each]


SERVED = b"HTTP/1.1 404 Not Found\r\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_tcp(host: str) -> None:
    async def client(door: ListeningDoor) -> None:
        url = await door.told()
        assert await ask(url) == SERVED

    with_api({"api__listen": f"{host}:0"}, client)


def test_localhost_is_all_of_its_addresses() -> None:
    async def client(door: ListeningDoor) -> None:
        await door.told()
        found = socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)
        assert len(door.listening) == len({address[0] for *_, address in found})
        assert len({urlsplit(url).port for url in door.listening}) == 1
        for url in door.listening:
            assert await ask(url) == SERVED

    with_api({"api__listen": "localhost:0"}, client)


def test_a_port_in_use(caplog: pytest.LogCaptureFixture) -> None:
    """Told once; taken when it is free."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        async def client(door: ListeningDoor) -> None:
            await door.told(fault=f"port {port} is in use", listens=False)
            for _ in range(3):
                await door.told_again()
            other.close()
            assert await ask(await door.told()) == SERVED

        with_api({"api__listen": f"127.0.0.1:{port}"}, client)
    errors = [each.getMessage() for each in ours(caplog) if each.levelname == "ERROR"]
    assert errors == [f"api.listen: port {port} is in use; take another one (0: any that is free)"]


@pytest.mark.parametrize("place", ["192.0.2.1:8080", "no-such-host.invalid:8080"])
def test_what_is_no_address_of_this_machine(place: str) -> None:
    async def client(door: ListeningDoor) -> None:
        await door.told(fault="is no address of this machine", listens=False)
        assert place.partition(":")[0] in door.fault

    with_api({"api__listen": place, **OPEN}, client)


def test_a_socket_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"

    async def client(door: ListeningDoor) -> None:
        assert await door.told() == f"unix:{path}"
        assert await ask(f"unix:{path}") == SERVED
        assert stat.S_IMODE(path.stat().st_mode) == 0o660

    before = os.umask(0)
    try:
        with_api({"api__listen": f"unix:{path}"}, client)
    finally:
        os.umask(before)
    assert not path.exists()


def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    async def client(door: ListeningDoor) -> None:
        await door.told()
        assert await ask(f"unix:{path}") == SERVED

    with_api({"api__listen": f"unix:{path}"}, client)


def test_what_is_in_use_or_no_socket_stays(tmp_path: Path) -> None:
    used, plain, gone = tmp_path / "used", tmp_path / "plain", tmp_path / "no" / "folder"
    plain.write_text("mine")
    far = tmp_path / ("x" * 108)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(used))
        other.listen()
        for path, fault in (
            (used, "is in use by another process"),
            (plain, "is there, and is no socket"),
            (gone, "No such file or directory"),
            (far, "is too long"),
        ):

            async def client(door: ListeningDoor, fault: str = fault) -> None:
                await door.told(fault=fault, listens=False)

            with_api({"api__listen": f"unix:{path}"}, client)
    assert used.exists()
    assert plain.read_text() == "mine"


def test_a_socket_that_another_has_replaced_stays(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"

    async def client(door: ListeningDoor) -> None:
        await door.told()
        path.unlink()
        path.write_text("another's")

    with_api({"api__listen": f"unix:{path}"}, client)
    assert path.read_text() == "another's"


def test_without_a_password_of_ones_own(caplog: pytest.LogCaptureFixture) -> None:
    """On loopback only, until a configuration repairs it; and back when one breaks it."""
    port = free_port()
    public = {"api__listen": f"0.0.0.0:{port}"}

    async def client(door: ListeningDoor) -> None:
        inside = await door.told(fault="no password or key of your own yet")
        assert inside == f"http://127.0.0.1:{port}/"
        door.reconfigure(**public, lan_auth_api_key="k")
        assert await door.told() == f"http://0.0.0.0:{port}/"
        assert await ask(f"http://127.0.0.2:{port}/") == SERVED
        door.reconfigure(**public)
        await door.told(fault="no password or key of your own yet")
        assert door.listening == (inside,)
        assert await ask(f"http://127.0.0.2:{port}/") == b""
        assert await ask(inside) == SERVED

    with_api(public, client)
    said = warnings(caplog)
    assert len(said) == 1
    assert said[0].startswith(f"api.listen: 0.0.0.0:{port}: the password is still the device id")


def test_an_open_api_is_warned_of_at_each_start(caplog: pytest.LogCaptureFixture) -> None:
    async def client(door: ListeningDoor) -> None:
        await door.told()

    for _ in range(2):
        with_api({"api__listen": "0.0.0.0:0", **OPEN}, client)
    said = warnings(caplog)
    assert len(said) == 2
    assert "everybody in the network can read and change everything" in said[0]


def test_another_place_counts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"

    async def client(door: ListeningDoor) -> None:
        before = await door.told()
        door.reconfigure(api__listen=f"unix:{path}")
        while await door.told() == before:
            await door.told_again()
        assert await ask(f"unix:{path}") == SERVED
        assert await ask(before) == b""
        door.reconfigure()
        await door.told(listens=False)
        assert await ask(f"unix:{path}") == b""

    with_api({"api__listen": "127.0.0.1:0"}, client)


def test_a_host_takes_up_what_its_file_says(tmp_path: Path) -> None:
    """No API, then one that stays inside, then a key that opens it, and none again: no restart."""
    port, toml, state = free_port(), tmp_path / "ruuvi-host.toml", str(tmp_path / "state")
    target = f'[[target]]\nname = "log"\nkind = "file"\nfolder = "{tmp_path}"\n'
    public = f'{target}[api]\nlisten = "0.0.0.0:{port}"\n'
    inside, outside = f"http://127.0.0.1:{port}/", f"http://127.0.0.2:{port}/"

    def health() -> str:
        with ruuvi_host("status", "--state-dir", state, "--json") as asked:
            assert asked.wait() == 0
        return str(json.loads(asked.out[0])["health"])

    def write(text: str) -> None:
        toml.write_text(text)
        toml.chmod(0o600)

    write(target)
    with ruuvi_host("run", "--simulate", "--config", str(toml), "--state-dir", state) as host:
        host.wait_for("coprocessor configured")
        assert asyncio.run(ask(inside)) == b""
        write(public)
        os.kill(host.pid, signal.SIGHUP)
        host.wait_for(f"local API: {re.escape(inside)}")
        host.wait_for("ERROR: api.listen: .* there is no password or key of your own yet")
        assert asyncio.run(ask(inside)) == SERVED
        assert asyncio.run(ask(outside)) == b""
        assert "local API: 0.0.0.0" in health()
        write(f'{public}[gateway]\nlan_auth_api_key = "k"\n')
        os.kill(host.pid, signal.SIGHUP)
        host.wait_for(f"local API: http://0.0.0.0:{port}/")
        assert asyncio.run(ask(outside)) == SERVED
        assert "local API" not in health()
        host.wait_for("log: batches are accepted")
        assert host.stop() == 0
    assert asyncio.run(ask(inside)) == b""


_ACTIVATED = """
import asyncio, os, sys
sys.path.insert(0, {tests!r})
from api_door import ListeningDoor
from ruuvi_host.api.server import serve
os.environ |= {{"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": {count!r}}}
async def main():
    door = ListeningDoor(api__listen="systemd", lan_auth_type={access!r})
    serving = asyncio.create_task(serve(door, retry=0.05))
    while not (door.listening or door.fault):
        await asyncio.sleep(0.01)
    print(*door.listening, door.fault, flush=True)
    await serving
asyncio.run(main())
"""


@contextmanager
def activated(
    listening: socket.socket, access: str = "lan_auth_default", count: str = "1"
) -> Iterator["subprocess.Popen[str]"]:
    """Serve on a socket that is passed on as number 3, as systemd does; ended with the block."""
    tests = str(Path(__file__).parents[1])
    script = _ACTIVATED.format(tests=tests, access=access, count=count)
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=(3,),
        preexec_fn=lambda: os.dup2(listening.fileno(), 3) and None,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_a_socket_of_systemd(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with activated(listening) as process:
            assert first_line(process) == f"unix:{path}"
            assert asyncio.run(ask(f"unix:{path}")) == SERVED
        assert path.exists()  # it is systemd's


def test_a_socket_of_systemd_that_the_network_reaches() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listening:
        port = listening.getsockname()[1]
        with activated(listening) as process:
            assert "the API answers this machine only" in first_line(process)
            assert asyncio.run(ask(f"http://127.0.0.2:{port}/")) == SERVED
        with activated(listening, "lan_auth_allow") as process:
            assert first_line(process) == f"http://0.0.0.0:{port}/"
            assert asyncio.run(ask(f"http://127.0.0.1:{port}/")) == SERVED


def test_more_than_one_socket_of_systemd() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        activated(listening, count="2") as process,
    ):
        assert first_line(process) == "systemd has passed 2 sockets; there must be one"


def test_no_socket_of_systemd() -> None:
    async def client(door: ListeningDoor) -> None:
        await door.told(fault='"systemd" needs a .socket unit', listens=False)

    with_api({"api__listen": "systemd"}, client)
