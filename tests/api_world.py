"""The local API without a network: its application, asked by a coroutine, for a host that is made
up and whose time stands still.

What is asked runs the real application, the real configuration and the real gate. Only who the
gateway is, and the clock, are made up.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, cycle
from pathlib import Path
from typing import Any

from conftest import ManualClock

from firmware_protocol.messages import DeviceId
from ruuvi_host.api.app import App
from ruuvi_host.api.door import Change, Door, Identity
from ruuvi_host.api.gate import Gate
from ruuvi_host.api.routes import ROUTES, Route
from ruuvi_host.bundle.evidence import Evidence
from ruuvi_host.clock import Clock
from ruuvi_host.config.kept import Kept
from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.problems import Problems
from ruuvi_host.config.sources import Inputs
from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.history import Points
from ruuvi_host.intake.readings import Readings
from ruuvi_host.monitoring.overview import Overview
from ruuvi_host.relay.kinds import Remembered

DEVICE = DeviceId(bytes.fromhex("0011223344556677"), bytes.fromhex("AABBCCDDEEFF"))
CLIENT = "192.168.1.10"
NAME = "gw.local"
NOW = 1_700_000_000.0
_AT_START = 32 + 5 + 16
"""Random bytes that a gate takes for itself."""


class FakeDoor:
    """A host whose configuration can be changed, and that does nothing else.

    config: keys of a gateway over the default configuration.
    """

    clock_is_right = True
    simulated = False

    def __init__(
        self, config: Mapping[str, Any] | None = None, device: DeviceId = DEVICE, folder: str = ""
    ) -> None:
        self.time = ManualClock(NOW)
        options = (("api.listen", "127.0.0.1:0", "test"), ("api.names", NAME, "test"))
        self.loaded: Loaded = load(Inputs(files=Path(folder), overrides=options))
        self.remembered = Remembered()
        self.device = device
        self.version, self.nrf_version = "v1.17.3", "v1.0.0"
        self.set(config or {})

    @property
    def clock(self) -> Clock:
        return self.time

    def set(self, keys: Mapping[str, Any]) -> None:
        """Keys of a gateway, as a saved file has them."""
        self.loaded.sources.gateway.update(keys, Problems())

    async def other_than(self, loaded: Loaded) -> None:
        raise NotImplementedError

    def tell_api(self, listening: Sequence[str] | None, fault: str) -> None:
        raise NotImplementedError

    def identity(self) -> Identity:
        return Identity(self.device, self.version, self.nrf_version)

    async def identified(self) -> Identity:
        return self.identity()

    def newest_first(self) -> Iterator[Advertisement]:
        return iter(())

    @property
    def readings(self) -> Readings:
        return Readings(self.loaded.config.sensors)

    def quantities(self, address: bytes) -> list[str]:
        return []

    def series(self, address: bytes, quantity: str, since: float) -> Points:
        return []

    def overview(self) -> Overview:
        raise NotImplementedError

    def document(self) -> dict[str, Any]:
        return {}

    def log_lines(self) -> list[str]:
        return []

    async def evidence(self) -> Evidence:
        return Evidence([], [], {}, [])

    def files(self) -> frozenset[str]:
        return frozenset()

    async def read_file(self, name: str) -> bytes | None:
        return None

    async def write_file(self, name: str, content: bytes) -> None:
        raise NotImplementedError

    async def delete_file(self, name: str) -> bool:
        return False

    async def change(self, document: Mapping[str, Any]) -> Change:
        self.set(document)
        return Change(frozenset(document))

    async def change_together(
        self,
        document: Mapping[str, Any],
        pairs: Sequence[tuple[str, str]],
        files: Mapping[str, str | None],
    ) -> Change:
        raise NotImplementedError

    async def earlier(self) -> Sequence[Kept]:
        return []

    async def fetch_configuration(self) -> tuple[int, str]:
        return 400, "nothing is fetched here"

    async def undo(self) -> Change:
        raise NotImplementedError

    async def scan_for_now(self, document: Mapping[str, Any]) -> None:
        pass


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def __getitem__(self, name: str) -> str:
        """The header field of this name; KeyError: it is not there."""
        [value] = self.all(name)
        return value

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each.lower() == name.lower()]

    def json(self) -> Any:
        return json.loads(self.body)


def given_bytes(given: bytes) -> Iterator[int]:
    """Random bytes that are no such thing. What is made in a request begins with these, which come
    again and again."""
    return chain(bytes(_AT_START), cycle(given))


@dataclass
class World:
    """A host, its application, and clients who ask it."""

    door: FakeDoor = field(default_factory=FakeDoor)
    random: Iterator[int] | None = None
    """What challenges are made of; None: real randomness."""
    routes: Sequence[Route] = ROUTES

    def __post_init__(self) -> None:
        door: Door = self.door
        self.gate = Gate(door, self._bytes) if self.random else Gate(door)
        self.app = App(door, self.routes, self.gate)

    def _bytes(self, count: int) -> bytes:
        assert self.random
        return bytes(next(self.random) for _ in range(count))

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: bytes | Callable[[], bytes] = b"",
        *,
        address: str = CLIENT,
        host: str | None = NAME,
    ) -> Answer:
        """One request and its answer. host: of the Host field; None: there is none. body: may be a
        function, which is called when the body is waited for, and may ask in its turn."""
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        if host is not None and "host" not in {name.lower() for name, _ in pairs}:
            pairs.insert(0, ("Host", host))
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in pairs],
            "client": (address, 50000) if address else None,
            "server": ("192.168.1.50", 80),
        }
        return asyncio.run(self._asked(scope, body))

    async def _asked(self, scope: dict[str, Any], body: bytes | Callable[[], bytes]) -> Answer:
        sent: list[Any] = []

        async def receive() -> Any:
            come = body if isinstance(body, bytes) else await asyncio.to_thread(body)
            return {"type": "http.request", "body": come, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        lines = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in sent[0]["headers"]]
        return Answer(sent[0]["status"], lines, b"".join(m.get("body", b"") for m in sent[1:]))
