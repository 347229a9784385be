"""A door for the listening side of the local API: its configuration can be exchanged, and what is
told can be waited for.
"""

import asyncio
from collections.abc import Sequence

from api_world import FakeDoor
from programs import PATIENCE

from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.sources import Inputs


class ListeningDoor(FakeDoor):
    """Its configuration comes from pairs of key and text."""

    def __init__(self, **settings: str) -> None:
        super().__init__()
        self._news = asyncio.Event()
        self._told = asyncio.Event()
        self.listening: tuple[str, ...] = ()
        self.fault = ""
        self.loaded = _loaded(settings)

    def reconfigure(self, **settings: str) -> None:
        self.loaded = _loaded(settings)
        self._news.set()
        self._news = asyncio.Event()

    async def other_than(self, loaded: Loaded) -> None:
        while self.loaded is loaded:
            await self._news.wait()

    def tell_api(self, listening: Sequence[str] | None, fault: str) -> None:
        if listening is not None:
            self.listening = tuple(listening)
        self.fault = fault
        self._told.set()
        self._told = asyncio.Event()

    async def told(self, *, fault: str = "", listens: bool = True) -> str:
        """Wait until this is said; where it listens."""
        async with asyncio.timeout(PATIENCE):
            while not self._is(fault, listens):
                await self._told.wait()
        return self.listening[0] if listens else ""

    async def told_again(self) -> None:
        """Wait until something is said, the same or not."""
        async with asyncio.timeout(PATIENCE):
            await self._told.wait()

    def _is(self, fault: str, listens: bool) -> bool:
        said = fault in self.fault if fault else not self.fault
        return said and bool(self.listening) == listens


def _loaded(settings: dict[str, str]) -> Loaded:
    pairs = tuple((key.replace("__", "."), text, "test") for key, text in settings.items())
    return load(Inputs(overrides=pairs))
