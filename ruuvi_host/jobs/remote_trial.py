"""Leads a host through the trial of a configuration, to its end or back."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ruuvi_host.config.fetched import REMOTE
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.sources import Sources
from ruuvi_host.config.store import Plan, Write, present
from ruuvi_host.errors import ConfigError
from ruuvi_host.jobs.configuration import Configuration
from ruuvi_host.jobs.remote_targets import Targets
from ruuvi_host.remote.answer import Download, Failed, Fetched
from ruuvi_host.remote.book import Book
from ruuvi_host.remote.rebase import rebased
from ruuvi_host.remote.record import RolledBack, digest
from ruuvi_host.remote.text import Refused, read
from ruuvi_host.remote.trial import Found, Phase, Texts, Trial, Verdict

if TYPE_CHECKING:
    from ruuvi_host.jobs.changes import Changes

log = logging.getLogger(__name__)

AGAIN, LONGEST_PAUSE = 0.1, 600.0
"""Of the trial, until the second try to go back, when the disk is full for example; and the seconds
that it is doubled to."""
LOOKS = 300
"""Looks at the targets in one trial: each second of the usual one."""
STEP = 2.0
"""Seconds. A clock that differs by more was set."""


class TrialWatch:
    """Of one host. fetch: from the address in force. wall: UTC; monotonic: seconds."""

    def __init__(
        self,
        configuration: Configuration,
        changes: "Callable[[], Changes]",
        book: Book,
        targets: Targets,
        fetch: Callable[[], Awaitable[Download]],
        clocks: tuple[Callable[[], float], Callable[[], float]],
    ) -> None:
        self._configuration = configuration
        self._changes = changes
        self._book = book
        self._targets = targets
        self._fetch = fetch
        self._wall, self._monotonic = clocks
        self._degraded: tuple[str, ...] = ()

    @property
    def degraded(self) -> tuple[str, ...]:
        """Targets that failed in the last trial, while others did not, and have accepted nothing
        since."""
        if not self._degraded:
            return ()
        signs = self._targets.signs()
        return tuple(n for n in self._degraded if n in signs and not signs[n].proven)

    async def resume(self) -> None:
        """After a start: what a power cut has left is brought to its end."""
        trial = self._book.record.trial
        if trial is None:
            return
        files = await asyncio.to_thread(_present, trial)
        found = trial.found(files)
        if found is Found.OTHER and (other := rebased(trial, files)):
            trial, found = other, Found.NEW
        if trial.phase is Phase.GOING_BACK:
            if found is Found.NEW:
                await self._go_back(trial)
            else:
                await self._gone_back(trial)
        elif found is Found.NEW:
            log.info("the trial of the fetched configuration goes on")
            await self._book.keep(trial=trial)
        else:  # it was not written any more, or somebody has changed it since
            await self._book.keep(trial=None, pending=None)

    async def run(self) -> None:
        """To the end of the trial."""
        trial = self._book.record.trial
        if trial is None:
            return
        self._degraded = ()
        trial = trial.taken_up(self._wall())
        ahead = self._wall() - self._monotonic()
        loaded = self._configuration.loaded
        tries = [at for at in trial.tries() if at > self._monotonic() + ahead]
        if len(tries) < len(trial.tries()):  # after a restart: at once
            tries.insert(0, self._monotonic() + ahead)
        while True:
            # A clock that is set meanwhile neither ends the trial nor makes it last.
            step = self._wall() - self._monotonic() - ahead
            if abs(step) > STEP:
                ahead, trial = ahead + step, trial.shifted(step)
                tries = [at + step for at in tries]
            now = self._monotonic() + ahead
            if self._configuration.loaded is not loaded:
                loaded = self._configuration.loaded
                files = await asyncio.to_thread(_present, trial)
                if trial.found(files) is not Found.NEW:
                    other = rebased(trial, files)
                    if other is None:
                        await self._over("it was changed here meanwhile")
                        return
                    trial = other
            if tries and tries[0] <= now and not trial.remote:
                tries.pop(0)
                trial = await self._ask(trial)
            signs = self._targets.signs()
            trial = trial.see_targets(signs)
            await self._book.keep(trial=trial)
            judged = trial.judge(self._monotonic() + ahead, signs)
            if judged.verdict is Verdict.KEPT:
                self._degraded = judged.degraded
                await self._kept(trial)
                return
            if judged.verdict is Verdict.BACK:
                await self._go_back(replace(trial, why=judged.why))
                return
            await self._until_news(loaded, trial.seconds / LOOKS)

    async def _until_news(self, loaded: Loaded, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._configuration.other_than(loaded)
        except TimeoutError:
            pass

    async def _ask(self, trial: Trial) -> Trial:
        download = await self._fetch()
        answer = download.answer
        if isinstance(answer, Failed):
            return trial.see_remote(answered=False, why=answer.reason)
        if isinstance(answer, Fetched):
            try:
                read(answer.text)
            except Refused as error:
                return trial.see_remote(answered=False, why=str(error))
            if digest(answer.text) != trial.digest:  # it is taken when this one is over
                return trial.see_remote(answered=True)
        await self._book.keep(memory=download.memory)
        return trial.see_remote(answered=True)

    async def _kept(self, trial: Trial) -> None:
        if self._degraded:
            names = ", ".join(self._degraded)
            log.warning("the fetched configuration stays, but %s accepted nothing", names)
        else:
            log.info("the fetched configuration has come through its trial")
        book = self._book
        await book.keep(trial=None, applied=book.record.pending, pending=None, bad=())

    async def _over(self, why: str) -> None:
        log.info("the trial of the fetched configuration is over: %s", why)
        await self._book.keep(trial=None, pending=None)

    async def _go_back(self, trial: Trial) -> None:
        """Each step is on disk before the next one: a power cut ends in the old configuration."""
        await self._book.keep(trial=replace(trial, phase=Phase.GOING_BACK))
        told, pause = "", trial.seconds * AGAIN
        while why := await self._why_not_back(trial):
            if why != told:
                log.error("the configuration before cannot come back yet, tried again: %s", why)
            told = why
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        await self._gone_back(trial)

    async def _why_not_back(self, trial: Trial) -> str:
        """Empty: the files are as they were before, and in force."""
        from ruuvi_host.api.door import SaveError

        try:
            await self._changes().do(partial(_back, trial), REMOTE)
        except (ConfigError, SaveError) as error:
            return str(error).replace("\n       ", "; ")
        return ""

    async def _gone_back(self, trial: Trial) -> None:
        book, now = self._book, self._wall()
        record = book.record.with_bad(trial.digest)
        log.error("the fetched configuration is rolled back: %s", trial.why)
        fetch = replace(record.fetch, result="rolled_back", reason=trial.why)
        await book.keep(
            trial=None,
            pending=None,
            bad=record.bad,
            rolled_back=RolledBack(now, trial.why),
            fetch=fetch,
        )


def _present(trial: Trial) -> Texts:
    """May block. What cannot be read is another text than any."""
    found: dict[object, str | None] = {}
    for path in trial.before:
        try:
            found[path] = present(path)
        except ConfigError:
            found[path] = "\0"
    return found  # type: ignore[return-value]


def _back(trial: Trial, sources: Sources) -> Plan:
    """The files as they were, where they still are as the trial has them."""
    now = _present(trial)
    if trial.found(now) is Found.OTHER:  # changed by hand since this was decided
        trial = rebased(trial, now) or trial
    writes = [
        Write((path,), lambda _, text=text: text)  # type: ignore[misc]
        for path, text in trial.before.items()
        if now[path] == trial.after and now[path] != text
    ]
    return Plan(writes, ("remote configuration",))
