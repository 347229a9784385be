"""Fetches the configuration of a running host by schedule and on demand, and tells how it goes."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_protocol.messages import address_text
from ruuvi_host.config.remote import RemoteSettings
from ruuvi_host.jobs.configuration import Configuration
from ruuvi_host.jobs.receiving import Receiving
from ruuvi_host.jobs.relays import Relays
from ruuvi_host.jobs.remote_status import Teller
from ruuvi_host.jobs.remote_take import Outcome, Taker
from ruuvi_host.jobs.remote_targets import Targets
from ruuvi_host.jobs.remote_trial import TrialWatch
from ruuvi_host.lifetime import beat, to_its_end, together
from ruuvi_host.monitoring.configuration_status import ConfigurationStatus
from ruuvi_host.remote.answer import Download, Failed, Fetched, NotModified
from ruuvi_host.remote.book import GOOD, NOT_TAKEN, Book
from ruuvi_host.remote.memory import Memory
from ruuvi_host.remote.schedule import Schedule, offset_of

if TYPE_CHECKING:
    from ruuvi_host.jobs.changes import Changes

log = logging.getLogger(__name__)

LOOK = 60.0
"""Seconds between two looks at which targets work."""


class RemoteConfiguration:
    """Of one host. folder: of the state."""

    def __init__(
        self,
        configuration: Configuration,
        changes: "Callable[[], Changes]",
        receiving: Receiving,
        relays: Relays,
        folder: Path,
    ) -> None:
        self._configuration = configuration
        self._receiving = receiving
        self._book = Book(folder)
        clock = receiving.clock
        self._targets = targets = Targets(
            *(relays.facts, relays.counters, self._book.record.working, clock.monotonic())
        )
        self._taker = Taker(
            *(configuration, changes, self._book, targets),
            lambda: (clock.wall(), clock.monotonic()),
        )
        self._trial = TrialWatch(
            *(configuration, changes, self._book, targets),
            lambda: self._download(self._book.record.memory),
            (clock.wall, clock.monotonic),
        )
        self._one = asyncio.Lock()
        """Fetches are made one after the other."""
        self._due: float | None = None
        """Monotonic; None: no more."""
        self._news = asyncio.Event()
        """There is another time to wait for."""
        self._teller = Teller(configuration, self._book, self._trial)
        self._told_warnings: set[str] = set()

    def status(self) -> ConfigurationStatus:
        """As of now."""
        clock = self._receiving.clock
        # While a trial lasts none is due, whatever was last said of it.
        due = None if self._book.record.trial else self._due
        return self._teller.status(None if due is None else due - clock.monotonic() + clock.wall())

    async def run(self) -> None:
        """Until cancelled."""
        await self._trial.resume()
        await together(configuration=self._lead(), targets=self._remember_targets())

    async def _remember_targets(self) -> None:
        """Which of them work: another process judges by it, after a power cut too. Not while a
        trial lasts, which is about those that worked before."""
        while True:
            await beat(LOOK)
            if self._configuration.loaded.config.remote:
                async with self._one:
                    await self._book.keep(working=self._working())

    def _working(self) -> tuple[str, ...]:
        return self._targets.working(self._receiving.clock.monotonic())

    async def _lead(self) -> None:
        before: RemoteSettings | None = None
        while True:
            loaded = self._configuration.loaded
            settings = loaded.config.remote
            self._news.clear()
            if self._book.record.trial:
                self._due = None
                await self._receiving.identified.wait()
                async with self._one:
                    await self._trial.run()
                before = self._configuration.loaded.config.remote
                went_back = self._book.record.fetch.result == "rolled_back"
                self._set_due(before, failures=int(_is_once(before) and went_back))
                continue
            if settings is None:
                before = self._due = None
                await self._news_or(None)
                continue
            await self._receiving.identified.wait()
            if before is None or is_elsewhere(before, settings):
                self._set_first(settings)
            elif before.interval != settings.interval:
                self._set_due(settings)
            before = settings
            if await self._news_or(self._due):
                continue
            if self._configuration.loaded is loaded:
                await self._alone(lambda: self._fetch(self._book.record.memory))

    async def _news_or(self, due: float | None) -> bool:
        """Wait until then, for another configuration, or for another time to wait for. True: it is
        one of the latter."""
        loaded = self._configuration.loaded
        other = asyncio.ensure_future(self._configuration.other_than(loaded))
        news = asyncio.ensure_future(self._news.wait())
        left = None if due is None else max(0.0, due - self._receiving.clock.monotonic())
        try:
            done, _ = await asyncio.wait(
                (other, news), timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            other.cancel()
            news.cancel()
        return bool(done)

    async def fetch(self, *, force: bool = False) -> Outcome:
        """Now, whatever the schedule: who asks wants to see what there is. force: whatever is
        remembered, a text that was rolled back too."""
        if self._book.record.trial:
            return _on_trial()

        def begun() -> Awaitable[Outcome]:
            memory = Memory() if force else self._book.record.memory.asking_for_all()
            return self._fetch(memory, force=force)

        return await self._alone(begun)

    async def _alone(self, part: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """When no other fetch is under way."""
        async with self._one:
            return await part()

    async def _take(self, fetched: Fetched, memory: Memory, *, force: bool) -> Outcome:
        """Once begun, to its end; a server that is waited for is another matter."""
        found: list[Outcome] = []

        async def kept() -> None:
            found.append(await self._taker.take(fetched, memory, self._mac(), force=force))

        await to_its_end(kept())
        return found[0]

    async def _fetch(self, memory: Memory, *, force: bool = False) -> Outcome:
        if self._book.record.trial:  # it has begun while this fetch waited for another one
            return _on_trial()
        settings = self._configuration.loaded.config.remote
        if settings is None:
            return Outcome("refused", 400, "remote_cfg_use: is not true, or cannot be used")
        if not self._receiving.identified.is_set():
            return Outcome("refused", 503, "the coprocessor has not told the address yet")
        download = await self._download(memory)
        answer = download.answer
        if isinstance(answer, Failed):
            outcome = Outcome(
                *(answer.result, answer.status, answer.reason, answer.retry_after, answer.url)
            )
            await self._book.keep(memory=download.memory)
            if answer.result == "refused":
                await self._book.refuse(
                    self._receiving.clock.wall(), None, "", answer.reason, answer.url
                )
        elif isinstance(answer, NotModified):
            outcome = Outcome("not_modified", 200, url=answer.url)
            if self._book.record.is_bad(download.memory.digest_of(answer.url)):
                outcome = Outcome("rolled_back", 502, self._book.record.why_bad, url=answer.url)
            await self._book.keep(memory=download.memory)
        else:
            outcome = await self._take(answer, download.memory, force=force)
        await self._count(outcome, answer.seen if isinstance(answer, Failed) else answer.status)
        return outcome

    async def _count(self, outcome: Outcome, status: int) -> None:
        before, now = self._book.record.fetch, self._receiving.clock.wall()
        settings = self._configuration.loaded.config.remote
        after = self._book.counted(
            *(outcome.result, status, outcome.url, now, outcome.reason),
            until_good=_is_once(settings),
        )
        # Both before the status tells it, so that who sees the one sees the others; whoever ends a
        # host while the record is written must not leave a change that no log has.
        self._set_due(settings, outcome.retry_after, after.failures)
        news = (after.result, after.reason) != (before.result, before.reason)
        if after.failures and news and after.result not in NOT_TAKEN:
            log.warning("the remote configuration cannot be fetched: %s", outcome.reason)
        elif not after.failures and before.failures and before.result not in NOT_TAKEN:
            log.info("the remote configuration can be fetched again: %s", after.url)
        worked = {} if self._book.record.trial else {"working": self._working()}
        await self._book.keep(fetch=after, **worked)

    async def _download(self, memory: Memory) -> Download:
        from ruuvi_host.remote.download import fetch

        settings = self._configuration.loaded.config.remote
        assert settings
        download = await fetch(settings, self._mac(), memory)
        for sentence in download.warnings:
            if sentence not in self._told_warnings:
                self._told_warnings.add(sentence)
                log.warning("remote configuration: %s", sentence)
        return download

    def _mac(self) -> str:
        return address_text(self._receiving.gateway().addr)

    # -- when

    def _schedule(self, settings: RemoteSettings, failures: int = 0) -> Schedule:
        return Schedule(offset_of(self._mac()), settings.interval, failures)

    def _set_first(self, settings: RemoteSettings) -> None:
        has_saved = self._book.record.in_force is not None
        first = self._schedule(settings).first(settings.splay, random.random(), has_saved=has_saved)
        self._due = self._receiving.clock.monotonic() + first

    def _set_due(
        self,
        settings: RemoteSettings | None,
        retry_after: float | None = None,
        failures: int = 0,
    ) -> None:
        self._due = None
        if settings and self._receiving.identified.is_set():
            pause = self._schedule(settings, failures).pause(random.random(), retry_after)
            if pause is not None:
                self._due = self._receiving.clock.monotonic() + pause
        self._news.set()


def is_elsewhere(before: RemoteSettings, after: RemoteSettings) -> bool:
    """Has somebody here named another server, or may another text be taken now?"""
    timed = replace(before, interval=after.interval, splay=after.splay, trial=after.trial)
    return timed != after


def _on_trial() -> Outcome:
    return Outcome("refused", 409, "another configuration is on trial: ask again then")


def _is_once(settings: RemoteSettings | None) -> bool:
    """Is nothing fetched any more after the first success?"""
    return settings is not None and not settings.interval


def is_good(outcome: Outcome) -> bool:
    """Does the host have what the server wants it to have?"""
    return outcome.result in GOOD
