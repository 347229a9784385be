"""The configuration that a running host has, and the way to another one."""

import asyncio
import logging
from collections.abc import Callable

from ruuvi_host.config.load import Loaded
from ruuvi_host.errors import ConfigError

log = logging.getLogger(__name__)

Reload = Callable[[], Loaded]
"""Reads the configuration again. Raises ConfigError, having changed nothing."""


class Configuration:
    """What is in force, and who waits for another one.

    `renew` is for those who have changed a file; `wanted` and `taken` for the host itself.
    """

    def __init__(self, loaded: Loaded, reload: Reload) -> None:
        self.loaded = loaded
        self._reload = reload
        self._asked = asyncio.Event()
        self._news = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._taking: list[asyncio.Future[None]] = []

    def ask(self) -> None:
        """Have the configuration read again; SIGHUP."""
        self._asked.set()

    async def renew(self) -> None:
        """Have it read again, and wait until it is in force. Raises ConfigError: it cannot be."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._asked.set()
        await done

    async def wanted(self, reading: Callable[[], None], kept: Callable[[], None]) -> Loaded:
        """The next one that can be used; those that cannot are logged.

        reading, kept: called when reading begins, and when the old one stays.
        """
        while True:
            await self._asked.wait()
            self._asked.clear()
            asking, self._waiting = self._waiting, []
            reading()
            try:
                loaded = await asyncio.to_thread(self._reload)
            except ConfigError as error:
                kept()
                log.error("the configuration stays as it was: %s", error)
                for each in asking:
                    if not each.done():
                        each.set_exception(error)
                continue
            except asyncio.CancelledError:
                self._waiting += asking
                raise
            self._taking += asking
            self.loaded = loaded
            log.info("configuration read again")
            return loaded

    async def other_than(self, loaded: Loaded) -> None:
        """Wait until another one than `loaded` is in force."""
        while self.loaded is loaded:
            await self._news.wait()

    def taken(self) -> None:
        """What was wanted last is in force."""
        self._news.set()
        self._news = asyncio.Event()
        taking, self._taking = self._taking, []
        for each in taking:
            if not each.done():
                each.set_result(None)
