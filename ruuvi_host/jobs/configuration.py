"""The configuration that a running host has, and the way to another one."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from ruuvi_host.config.load import Loaded
from ruuvi_host.config.model import Config
from ruuvi_host.errors import ConfigError

log = logging.getLogger(__name__)

Reload = Callable[[], Loaded]
"""Reads the configuration again. Raises ConfigError, having changed nothing."""

Attempt = Callable[[str], Loaded]
"""What the configuration would be with this text in the gateway's file. Raises ConfigError."""


class Configuration:
    """What is in force, and who waits for another one.

    `renew` is for those who have changed a file; `wanted` and `taken` for the host itself.
    """

    def __init__(self, loaded: Loaded, reload: Reload, attempt: Attempt | None = None) -> None:
        self.loaded = loaded
        self._attempt = attempt
        self._reload = reload
        self._asked = asyncio.Event()
        self._news = asyncio.Event()
        self._all_anew = False
        self._ended = False
        self.failure = ""
        """Why the last one that was asked for by a signal could not be read; empty: it could."""
        self._waiting: list[asyncio.Future[None]] = []
        self._taking: list[asyncio.Future[None]] = []

    def ask(self) -> None:
        """Have the configuration read again, and relaying begin anew if it is the same; SIGHUP."""
        self._all_anew = True
        self._asked.set()

    def try_to_read(self) -> None:
        """Could it be read again? In a thread, as it reads files. Raises ConfigError: not."""
        self._reload()

    def attempt(self, text: str) -> Loaded:
        """What it would be with this text in the gateway's file; in a thread. Raises ConfigError:
        it cannot be."""
        return self._attempt(text) if self._attempt else self._reload()

    async def renew(self) -> None:
        """Have it read again, and wait until it is in force. Raises ConfigError: it cannot be.

        While the host ends nobody takes it up; it counts from the next start on then.
        """
        if self._ended:
            return
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._asked.set()
        await done

    async def wanted(
        self, reading: Callable[[], None], kept: Callable[[], None]
    ) -> tuple[Config, bool]:
        """The next one that can be used, and whether relaying begins anew with it; those that
        cannot be used are logged.

        reading, kept: called when reading begins, and when the old one stays.
        """
        while True:
            await self._asked.wait()
            self._asked.clear()
            asking, self._waiting = self._waiting, []
            anew, self._all_anew = self._all_anew, False
            reading()
            try:
                loaded = await asyncio.to_thread(self._reload)
            except ConfigError as error:
                if anew or not asking:  # who changes it by the API is told, and it is put back
                    self.failure = str(error).replace("\n       ", "; ")
                kept()
                log.error("the configuration stays as it was: %s", error)
                for each in asking:
                    if not each.done():
                        each.set_exception(error)
                continue
            except asyncio.CancelledError:
                self._waiting += asking
                self._all_anew |= anew
                self._asked.set()
                raise
            self._taking += asking
            before, self.loaded = self.loaded, loaded
            self.failure = ""
            log.info("configuration read again")
            anew = anew and _is_same(before, loaded)
            return loaded.config, anew or concerns_relaying(before.config, loaded.config)

    async def other_than(self, loaded: Loaded) -> None:
        """Wait until another one than `loaded` is in force."""
        while self.loaded is loaded:
            await self._news.wait()

    def taken(self) -> None:
        """What was wanted last is in force."""
        self._news.set()
        self._news = asyncio.Event()
        taking, self._taking = self._taking, []
        _release(taking)

    def end(self) -> None:
        """Nobody takes up another one any more; those who wait for it go on."""
        self._ended = True
        self.taken()
        _release(self._waiting)


def _is_same(before: Loaded, after: Loaded) -> bool:
    """Also in who may ask, of which the configuration of the relay tells nothing."""
    keys = before.sources.gateway.values, after.sources.gateway.values
    return before.config == after.config and keys[0] == keys[1]


def concerns_relaying(before: Config, after: Config) -> bool:
    """Is there a difference in what receives and relays, and not only in who may ask for it, or in
    what is said of sensors? For those nothing is emptied or begun anew."""
    return _of_relaying(before) != _of_relaying(after)


def _of_relaying(config: Config) -> Config:
    return replace(config, api=None, sensors=Config().sensors, remote=None, faults=())


def _release(waiting: list["asyncio.Future[None]"]) -> None:
    for each in waiting:
        if not each.done():
            each.set_result(None)
