"""Asks the handlers of the local API in this process, without a server: for what depends neither on
connections nor on who may ask."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import httpx
from posting import GATEWAY
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ruuvi_host.api.routes import Handler
from ruuvi_host.clock import Clock, SystemClock
from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.sources import Inputs
from ruuvi_host.relay.kinds import Remembered


@dataclass
class Host:
    """Of the running host only what checks ask for. It is no coprocessor that is simulated."""

    loaded: Loaded
    clock: Clock = field(default_factory=SystemClock)
    remembered: Remembered = field(default_factory=Remembered)
    simulated: bool = False

    def identity(self) -> Any:
        return SimpleNamespace(device=GATEWAY)


def host(folder: Path, gateway: str = "", *, check_local: bool = True, **more: Any) -> Host:
    """gateway: lines of the table [gateway]. more: of Host."""
    local = "true" if check_local else "false"
    path = folder / "ruuvi-host.toml"
    path.write_text(
        f'files = "."\n[api]\nlisten = "127.0.0.1:0"\ncheck_local = {local}\n[gateway]\n{gateway}'
    )
    loaded = load(Inputs(config=path))
    assert not [p for p in loaded.problems if p.severity.value == "error"], loaded.problems
    return Host(loaded, **more)


async def ask(
    handler: Handler, door: Any, query: str = "", body: bytes | None = None
) -> httpx.Response:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await (await handler(request, door))(scope, receive, send)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport) as client:
        method = "GET" if body is None else "POST"
        return await client.request(method, f"http://gw.local/x?{query}", content=body)


def query(**parameters: str) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
