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
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from ruuvi_host.logs import printable

TIMEOUT = 2.0
_LARGEST = 1 << 16
_LONGEST = 500
_MOST = 20
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


@dataclass(frozen=True, slots=True)
class BridgeStatus:
    """What a bridge tells of itself. Its texts are safe to print."""

    pid: int
    transport: str
    """As its `--hci`."""
    pty: str
    """Empty while the controller is gone."""
    link: str
    controller: str
    """In a line; empty: none has started yet."""
    disappointments: tuple[str, ...]
    reports: int
    """Heard, and handed on."""
    sent: int
    rungs: tuple[int, ...]
    """How often rung 1, 2, 3 and 4 were climbed."""

    @classmethod
    def from_document(cls, document: Any, pid: int) -> "BridgeStatus | None":
        """None: it is not one. Whoever answers may be anybody's program."""
        try:
            return cls(
                pid,
                transport=_shown(document["transport"]),
                pty=_shown(document["pty"]),
                link=_shown(document["link"]),
                controller=_shown(document["controller"]),
                disappointments=tuple(map(_shown, document["disappointments"][:_MOST])),
                reports=int(document["reports"]),
                sent=int(document["sent"]),
                rungs=tuple(map(int, document["rungs"][:_MOST])),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


def _shown(text: str) -> str:
    return printable(text, _LONGEST)


def ask(pid: int) -> BridgeStatus | None:
    """What the bridge that is this process tells; None: it is none, or tells us nothing. Blocks."""
    until = monotonic() + TIMEOUT
    with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(TIMEOUT)
        asked.connect(_name(pid))
        peer = asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        if _PEER.unpack(peer)[0] != pid:
            return None
        answer = b""
        while (data := asked.recv(4096)) and len(answer) < _LARGEST and monotonic() < until:
            answer += data
        return BridgeStatus.from_document(json.loads(answer), pid)
    return None


def running(proc: str = "/proc") -> Iterator[BridgeStatus]:
    """What all bridges of this machine tell us. Blocks."""
    for process in sorted(Path(proc).glob("[0-9]*")):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"bridge" in words and b"--hci" in words and (told := ask(int(process.name))):
                yield told
