"""A running bridge tells who asks what it stands on: for `doctor`, which sees a pty only.

One JSON document for each connection to a socket whose name the kernel keeps; for the user of the
bridge, and for root.
"""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

TIMEOUT = 2.0
_PEER = struct.Struct("3i")
"""struct ucred: process, user, group."""


def _name(pid: int) -> str:
    return f"\0ruuvi-host bridge, process {pid}"


async def serve(document: Callable[[], dict[str, Any]]) -> None:
    """Answer until cancelled. Without a socket it says nothing, and nobody can ask."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            peer = writer.get_extra_info("socket")
            told = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
            if _PEER.unpack(told)[1] in (0, os.geteuid()):
                writer.write(json.dumps(document()).encode())
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_unix_server(answer, _name(os.getpid()))
    except OSError:
        await asyncio.Event().wait()
        return
    async with server:
        await server.serve_forever()


def ask(pid: int) -> dict[str, Any] | None:
    """What the bridge that is this process tells; None: it is none, or tells us nothing. Blocks."""
    with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(TIMEOUT)
        asked.connect(_name(pid))
        answer = b""
        while data := asked.recv(4096):
            answer += data
        document = json.loads(answer)
        if isinstance(document, dict):
            return document
    return None


def running(proc: str = "/proc") -> Iterator[dict[str, Any]]:
    """What all bridges of this machine tell us. Blocks."""
    for process in sorted(Path(proc).glob("[0-9]*")):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"bridge" in words and b"--hci" in words and (told := ask(int(process.name))):
                yield told
