"""Stopping: a signal cancels, a second one ends at once, and what failed comes out as itself."""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from contextlib import closing
from typing import Any

import pytest

from ruuvi_host.lifetime import DaemonThreads, closed, to_its_end, together

PROGRAM = """
import asyncio, os, signal
from ruuvi_host import lifetime

async def main():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)
    finally:
        {clean_up}
        print("clean", flush=True)

lifetime.SAME_SIGNAL = {same_signal}
lifetime.run_until_stopped(main())
"""


def run(clean_up: str, same_signal: float) -> tuple[int, str]:
    program = PROGRAM.format(clean_up=clean_up, same_signal=same_signal)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_a_signal_cancels_and_the_clean_up_decides() -> None:
    assert run("await asyncio.sleep(0)", 0.5) == (0, "clean\n")


def test_a_second_signal_ends_at_once() -> None:
    again = "os.kill(os.getpid(), signal.SIGTERM); await asyncio.sleep(60)"
    assert run(again, -1.0) == (128 + signal.SIGTERM, "")


def test_a_signal_that_comes_with_the_first_is_the_same_wish() -> None:
    """`timeout` and terminals tell both a process and its group."""
    again = "os.kill(os.getpid(), signal.SIGINT); await asyncio.sleep(0.01)"
    assert run(again, 3600.0) == (0, "clean\n")


def test_together_ends_with_the_failure_itself() -> None:
    ended = []

    async def fails() -> None:
        raise LookupError("of its own")

    async def lives() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("lives")

    with pytest.raises(LookupError, match="of its own"):
        asyncio.run(together(lives=lives(), fails=fails()))
    assert ended == ["lives"]


def test_a_thread_that_hangs_does_not_hold_up_the_end() -> None:
    program = (
        "import asyncio, time\n"
        "from ruuvi_host.lifetime import run_until_stopped\n"
        "async def main():\n"
        "    asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)\n"
        "run_until_stopped(main())\n"
    )
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert time.monotonic() - begun < 60


def test_daemon_threads_hand_over_results_and_failures() -> None:
    threads = DaemonThreads()
    assert threads.submit(os.path.basename, "/a/b").result() == "b"
    assert threads.submit(lambda: threading.current_thread().daemon).result()
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result()


def test_to_its_end_also_when_cancelled() -> None:
    done: list[str] = []

    async def part() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        done.append("part")

    async def main() -> None:
        task = asyncio.create_task(to_its_end(part()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == ["part"]
        await to_its_end(part())
        assert done == ["part", "part"]

    asyncio.run(main())


@pytest.mark.parametrize("turns", range(5))
def test_who_is_just_being_accepted_does_not_stay_open(
    turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """turns: of the loop, between a client that connects and the end of the server."""
    told: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda said: told.append(repr(said.exc_value)))

    class Leaving(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transport.close()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(str(context)))
        server = await loop.create_server(Leaving, "127.0.0.1", 0)
        address: Any = server.sockets[0].getsockname()
        with closing(socket.create_connection(address)) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            await closed(server)
            assert not server.is_serving()
            client.setblocking(False)
            # Accepted and closed, or never accepted.
            try:
                async with asyncio.timeout(30):
                    assert await loop.sock_recv(client, 1) == b""
            except ConnectionResetError:
                assert turns < 4

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main(), debug=True)
        gc.collect()
    assert told == []


def test_a_server_is_closed_also_when_cancelled() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        closing_it = asyncio.create_task(closed(server))
        await asyncio.sleep(0)
        closing_it.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing_it
        assert not server.is_serving()

    asyncio.run(main())
