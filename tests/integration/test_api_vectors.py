"""All cases of tests/vectors/local_api.json against a whole host with its API on a real port.

Time, tags and counters of a case are given ones, so the host runs in this process
(`api_host.py`). What needs none of them is asked of real processes too: see
test_api_vectors_live.py.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from api_cases import (
    CASES,
    DEVICE_ID,
    DOWNLOADS,
    MAC,
    NEVER,
    NOW,
    VERSION,
    Case,
    Translation,
    play,
)
from api_host import ApiHost, Wanted, advertisements, api_host
from mqtt_peer import peer
from tcp_ports import free_port

from firmware_protocol.messages import DeviceId
from ruuvi_host.api import validate

BROKER = "mqtt://example.com:1883"
EXAMPLE, LOOPBACK = "https://example.com", "http://127.0.0.1:8080"
"""The other servers of the checks."""

PLAYED = {name: case for name, case in CASES.items() if name not in NEVER | DOWNLOADS.keys()}


def test_what_is_not_played() -> None:
    assert len(CASES) == 215
    assert {"fw_update_running_post"} == NEVER
    assert len(DOWNLOADS) == 4


@pytest.mark.parametrize("case", PLAYED.values(), ids=PLAYED)
def test_case(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(played(case, tmp_path, monkeypatch))


async def played(case: Case, folder: Path, patch: pytest.MonkeyPatch) -> None:
    state = case.get("state", {})
    if case["name"] == "read_check_timeout":  # the others have the 25 s, as to look a name up
        patch.setattr(validate.validate_url, "_time_limit", 1.0)
    async with other_server(case, state.get("upstream", {})) as url:
        case = with_address(case, url)
        wanted = wanted_for(case)
        async with api_host(wanted, folder, state.get("now", NOW), patch) as host:
            prepare(host, state)
            await play(case, host.address, host.folder, Translation(case))


def wanted_for(case: Case) -> Wanted:
    state, gateway = case.get("state", {}), case.get("gateway", {})
    files = dict(state.get("files", {}))
    if not state.get("storage_ready", True):
        files["http_path"] = None
    mac = gateway.get("mac", MAC).replace(":", "")
    options = [("api.names", "gw.local")]
    if not case["name"].startswith("validate_loopback"):
        options.append(("api.check_local", "true"))
    return Wanted(
        case["config"],
        DeviceId(bytes.fromhex(DEVICE_ID), bytes.fromhex(mac)),
        tuple(options),
        files,
        clock_is_right=state.get("time_known", True),
        version=gateway.get("fw_ver", VERSION).removeprefix("v"),
    )


def with_address(case: Case, url: str) -> Case:
    """The case with the address of our server in place of that of the other one, if it is asked
    to check it."""
    if "/validate_url" not in case["request"]["target"]:
        return case
    other = LOOPBACK if case["name"].startswith("validate_loopback") else EXAMPLE
    other = BROKER if url.startswith("mqtt:") else other
    text = json.dumps(case)
    for form in (str, quote_plus):
        text = text.replace(form(other), form(url))
    translated: Case = json.loads(text)
    return translated


def prepare(host: ApiHost, state: Mapping[str, Any]) -> None:
    """What the gateway of the case has heard, counted and lived through."""
    host.table.put(advertisements(state.get("tags", ())))
    counters = state.get("counters", {})
    host.table.counters.legacy = counters.get("adv", 0)
    host.table.counters.extended_2m = counters.get("ext", 0)
    host.table.counters.coded = counters.get("coded", 0)
    host.link.session.reboots = counters.get("self", 0)
    host.link.resets = counters.get("hw", 0)
    host.link.session.lost_acks = counters.get("ack", 0)
    host.make_older(state.get("uptime_us", 0) / 1e6)


@asynccontextmanager
async def other_server(case: Case, upstream: Mapping[str, Any]) -> AsyncIterator[str]:
    """The server whose address is checked; its URL."""
    if "mqtt" in upstream:
        async with peer() as broker:
            yield f"mqtt://127.0.0.1:{broker.port}"
        return
    wanted = upstream.get("client") or upstream.get("download") or {}
    if wanted.get("err") == NOT_RESOLVED:
        yield "http://nosuch.invalid"
        return
    if wanted.get("err"):
        yield f"http://127.0.0.1:{free_port()}"
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
            await reader.readexactly(int(fields.get("content-length", 0)))
            if wanted.get("timeout"):
                await reader.read()
                return
            status = upstream.get("head") or wanted.get("status", 200)
            body = wanted.get("body", "").encode()
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n".encode())
            writer.write(b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()


NOT_RESOLVED = 32769
"""The gateway's number for a host name that is not found."""
