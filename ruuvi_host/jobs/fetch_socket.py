"""The Unix socket by which `ruuvi-host config fetch` has a running host fetch its configuration.

A client sends one line: "fetch", or "force". It gets one JSON object: result, status, reason, url,
trial (seconds; 0: there is none).
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ruuvi_host.jobs.remote_take import Outcome
from ruuvi_host.lifetime import ended
from ruuvi_host.monitoring.socket import listening, short_path

NAME = "fetch.sock"
FETCH, FORCE = b"fetch\n", b"force\n"
PATIENCE = 5.0
"""Seconds that a client has for its line."""
LONGEST = 120.0
"""Seconds that a fetch may take, with taking it up."""


async def serve(directory: Path, fetch: Callable[[bool], Awaitable[Outcome]]) -> None:
    """Until cancelled. fetch: is given whether it is forced. Raises OSError when there can be no
    socket."""
    asking: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        asking.add(task)
        try:
            with suppress(OSError, TimeoutError, ValueError, asyncio.LimitOverrunError):
                async with asyncio.timeout(PATIENCE):
                    line = await reader.readline()
                if line in (FETCH, FORCE):
                    outcome = await fetch(line == FORCE)
                    writer.write(json.dumps(_document(outcome)).encode() + b"\n")
                    async with asyncio.timeout(PATIENCE):
                        await writer.drain()
        finally:
            asking.discard(task)
            writer.close()

    with listening(directory, NAME) as bound:
        server = await asyncio.start_unix_server(answer, sock=bound)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()
            await ended(*asking)


def ask_to_fetch(directory: Path, *, force: bool) -> dict[str, Any] | None:
    """What has become of it; None: no host runs there. Raises OSError, and ValueError when the
    answer is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(LONGEST)
        try:
            with short_path(directory, NAME) as path:
                client.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        client.sendall(FORCE if force else FETCH)
        received = b""
        while part := client.recv(65536):
            received += part
    document = json.loads(received)
    if not isinstance(document, dict):
        raise ValueError("no answer")
    return document


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "result": outcome.result,
        "status": outcome.status,
        "reason": outcome.reason,
        "url": outcome.url,
        "trial": outcome.trial,
    }
