"""Takes a fetched text: judged, written with a way back, taken up; or refused with a reason."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ruuvi_host.config.fetched import REMOTE
from ruuvi_host.config.load import Loaded
from ruuvi_host.config.sources import Sources
from ruuvi_host.config.store import Plan, gateway_paths, present
from ruuvi_host.errors import ConfigError
from ruuvi_host.jobs.configuration import Configuration
from ruuvi_host.jobs.remote_targets import Targets
from ruuvi_host.logs import printable
from ruuvi_host.remote.answer import Fetched
from ruuvi_host.remote.book import Book
from ruuvi_host.remote.judgement import needs_trial
from ruuvi_host.remote.memory import Memory
from ruuvi_host.remote.record import Applied, digest
from ruuvi_host.remote.text import Refused, published_hash
from ruuvi_host.remote.trial import Phase, Texts, Trial
from ruuvi_host.remote.weighing import Weighed, weigh

if TYPE_CHECKING:
    from ruuvi_host.jobs.changes import Changes

log = logging.getLogger(__name__)


MOST_TOLD = 1000
"""Remarks that are remembered."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has become of a fetch. status: as a gateway tells it."""

    result: str
    status: int = 200
    reason: str = ""
    """Empty: it is as the server wants it."""
    retry_after: float | None = None
    url: str = ""
    trial: float = 0.0
    """Seconds for which it is on trial now; 0: it is not."""


class Taker:
    """Of one host. times: (UTC, monotonic) now."""

    def __init__(
        self,
        configuration: Configuration,
        changes: "Callable[[], Changes]",
        book: Book,
        targets: Targets,
        times: Callable[[], tuple[float, float]],
    ) -> None:
        self._configuration = configuration
        self._changes = changes
        self._book = book
        self._targets = targets
        self._times = times
        self._told: set[str] = set()
        """What is said once: pinned keys, unknown keys."""

    async def take(self, fetched: Fetched, memory: Memory, mac: str, *, force: bool) -> Outcome:
        """force: also one that was rolled back. Never raises but for cancellation."""
        mark = digest(fetched.text)
        if self._book.record.is_bad(mark) and not force:
            await self._book.keep(memory=memory)
            return Outcome("rolled_back", 502, self._book.record.why_bad, url=fetched.url)
        await self._book.keep(bad=self._book.record.forgiving(mark).bad)
        try:
            return await self._take(fetched, memory, mac, mark)
        except Refused as error:
            return await self._refuse(fetched, memory, mark, str(error))
        except ConfigError as error:
            return await self._refuse(fetched, memory, mark, str(error).replace("\n       ", "; "))

    async def _take(self, fetched: Fetched, memory: Memory, mac: str, mark: str) -> Outcome:
        """Raises Refused, ConfigError."""
        from ruuvi_host.api.door import SaveError

        book, judged = self._book, await asyncio.to_thread(self._judge, fetched.text, mac)
        if judged.merged.is_equal:
            applied = book.record.in_force
            if applied is None or applied.saved != fingerprint(judged.candidate):
                applied = self._applied(fetched, judged, {})
            await book.keep(memory=memory, applied=applied, refused=None, bad=())
            return Outcome("equal", url=fetched.url)
        working = self._targets.working(self._times()[1])
        taken: Applied | None = None

        def plan(sources: Sources) -> Plan:
            """In a thread, when no other change is under way."""
            nonlocal judged, taken
            judged = self._judge(fetched.text, mac)
            before = {path: present(path) for path in gateway_paths(sources)}
            taken = self._applied(fetched, judged, before)
            if not needs_trial(self._configuration.loaded, judged.candidate):
                return judged.merged.plan(sources)
            trial = Trial(
                *(Phase.APPLYING, self._times()[0], float(self._seconds(judged)), before),
                *(judged.merged.text, mark, working),
            )
            try:
                book.write(replace(book.record, trial=trial, pending=taken, refused=None))
            except OSError as error:
                why = f"the way back cannot be kept in the state folder: {error.strerror}"
                raise Refused(why) from error
            return judged.merged.plan(sources)

        try:
            change = await self._changes().do(plan, REMOTE)
        except (Refused, ConfigError):
            await book.keep(trial=None, pending=None)
            raise
        except SaveError as error:
            await book.keep(trial=None, pending=None)
            raise Refused(f"cannot be saved: {error}") from error
        self._targets.mark()
        now = self._times()[0]
        if trial := book.record.trial:
            began = replace(trial, phase=Phase.RUNNING, began=now)
            await book.keep(trial=began, memory=memory, rolled_back=None)
            seconds, more = trial.seconds, f"; on trial for {trial.seconds:.0f} s"
        else:
            await book.keep(applied=taken, memory=memory, refused=None, rolled_back=None, bad=())
            seconds, more = 0.0, ""
        keys = ", ".join(judged.merged.changed)
        saved = f" (saved to {change.saved_to})" if change.saved_to else ""
        log.info("configuration of %s in force%s: %s%s", fetched.url, saved, keys, more)
        return Outcome("applied", url=fetched.url, trial=seconds)

    def _judge(self, text: str, mac: str) -> Weighed:
        """What it comes to. May block. Raises Refused, ConfigError."""
        configuration = self._configuration
        weighed = weigh(configuration.loaded, configuration.attempt, text, mac)
        if len(self._told) > MOST_TOLD:  # a server that invents names must not fill the memory
            self._told.clear()
        for remark in weighed.remarks:
            if remark not in self._told:
                log.warning("fetched configuration: %s", remark)
            self._told.add(remark)
        return weighed

    def _applied(self, fetched: Fetched, judged: Weighed, before: Texts) -> Applied:
        return Applied(
            fetched.text,
            fingerprint(judged.candidate),
            judged.hash,
            self._times()[0],
            fetched.url,
            fetched.etag,
            before,
        )

    def _seconds(self, judged: Weighed) -> int:
        remote = judged.candidate.config.remote
        assert remote  # else it is refused
        return remote.trial

    async def _refuse(self, fetched: Fetched, memory: Memory, mark: str, why: str) -> Outcome:
        book = self._book
        why = printable(why, 500)
        shown = published_hash(fetched.text)
        # A 304 must never stand for a text that is not in force.
        await book.keep(memory=memory.without(fetched.url))
        await book.refuse(self._times()[0], shown, mark, why, fetched.url)
        return Outcome("refused", 502, why, url=fetched.url)


def fingerprint(loaded: Loaded) -> str:
    """Of all keys of a gateway, with their secrets: kept to know them again, never shown."""
    values = loaded.sources.gateway.values
    return digest(repr(sorted(values.items())))
