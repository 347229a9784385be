"""Fetches a configuration while no host runs: what it would change, and writes it with a way back.

Its trial begins with the next start of the host.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import time

from ruuvi_host.config import store
from ruuvi_host.config.fetched import REMOTE
from ruuvi_host.config.load import Loaded
from ruuvi_host.jobs.remote_take import Outcome, fingerprint
from ruuvi_host.remote.answer import Failed, Fetched, NotModified
from ruuvi_host.remote.download import fetch
from ruuvi_host.remote.judgement import needs_trial
from ruuvi_host.remote.memory import Memory
from ruuvi_host.remote.record import Applied, RecordFile, digest
from ruuvi_host.remote.text import Refused
from ruuvi_host.remote.trial import Phase, Trial
from ruuvi_host.remote.weighing import Weighed, weigh


@dataclass(frozen=True, slots=True)
class Found:
    """What the server has for this host."""

    outcome: Outcome
    weighed: Weighed | None = None
    """None: it cannot be taken."""
    fetched: Fetched | None = None
    memory: Memory = Memory()  # noqa: RUF009 - frozen
    warnings: tuple[str, ...] = ()


async def look(loaded: Loaded, attempt: Callable[[str], Loaded], mac: str) -> Found:
    """Fetch and weigh, and change nothing. loaded: fetches a configuration. Raises ConfigError."""
    settings = loaded.config.remote
    assert settings
    download = await fetch(settings, mac, Memory())
    answer, more = download.answer, download.warnings
    if isinstance(answer, Failed):
        return Found(
            Outcome(answer.result, answer.status, answer.reason, url=answer.url), warnings=more
        )
    assert not isinstance(answer, NotModified)  # nothing is remembered
    try:
        weighed = weigh(loaded, attempt, answer.text, mac)
    except Refused as error:
        return Found(Outcome("refused", 502, str(error), url=answer.url), warnings=more)
    result = "equal" if weighed.merged.is_equal else "applied"
    found = Outcome(result, url=answer.url)
    return Found(found, weighed, answer, download.memory, (*more, *weighed.remarks))


def foresee(found: Found, folder: Path, *, force: bool) -> Outcome:
    """What `write` would come to, as far as it is known without writing."""
    if found.fetched and not force:
        record = RecordFile(folder).read()
        if record.is_bad(digest(found.fetched.text)):
            return Outcome("rolled_back", 502, record.why_bad, url=found.fetched.url)
    return found.outcome


def write(
    loaded: Loaded, found: Found, folder: Path, *, force: bool
) -> tuple[Outcome, Trial | None]:
    """Write what was found, which can be taken; and the trial that the next start begins with.
    folder: of the state, locked. Raises ConfigError and store.UnwritableError, having changed
    nothing."""
    weighed, fetched = found.weighed, found.fetched
    assert weighed
    assert fetched
    file = RecordFile(folder)
    record, mark = file.read(), digest(fetched.text)
    if (foreseen := foresee(found, folder, force=force)) is not found.outcome:
        return foreseen, None
    if record.trial and _was_not_written(record.trial):
        record = replace(record, trial=None, pending=None)
    if record.trial and not weighed.merged.is_equal:
        why = "another configuration is on trial, which goes on with the next start of the host"
        return Outcome("refused", 409, why), None
    now = time()
    before = {p: store.present(p) for p in store.gateway_paths(loaded.sources)}
    applied = Applied(
        *(fetched.text, fingerprint(weighed.candidate), weighed.hash, now),
        *(fetched.url, fetched.etag, {} if weighed.merged.is_equal else before),
    )
    after = replace(record.forgiving(mark), memory=found.memory, refused=None)
    if weighed.merged.is_equal:
        after = replace(after, bad=())
        file.write(after if record.in_force else replace(after, applied=applied))
        return found.outcome, None
    trial = None
    if needs_trial(loaded, weighed.candidate):
        seconds = float(weighed.candidate.config.remote.trial)  # type: ignore[union-attr]
        trial = Trial(
            *(Phase.APPLYING, now, seconds, before, weighed.merged.text, mark, record.working)
        )
        after = replace(after, trial=trial, pending=applied)
        # What its ETag stands for is not in force yet, and may never be.
        file.write(replace(after, memory=record.memory))
    else:
        after = replace(after, applied=applied, bad=())
    store.carry_out(weighed.merged.plan(loaded.sources), folder, REMOTE, now)
    file.write(after)
    return found.outcome, trial


def _was_not_written(trial: Trial) -> bool:
    """A power cut came before its files were. Raises ConfigError."""
    files = {path: store.present(path) for path in trial.before}
    return trial.was_not_begun(files)
