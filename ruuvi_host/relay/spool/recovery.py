"""Recovery: what can be read of a file that is damaged, and what the first versions left."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from ruuvi_host.clock import EARLIEST
from ruuvi_host.errors import SpoolError
from ruuvi_host.relay.spool import jsonl, log_file
from ruuvi_host.relay.spool.file import SpoolFile
from ruuvi_host.relay.spool.reading import Unreadable, salvage
from ruuvi_host.relay.spool.values import Entry


@dataclass(slots=True)
class Recovered:
    """What has become of a damaged spool."""

    sentence: str | None = None
    """About it, for people."""
    unreadable: list[tuple[int, int]] = field(default_factory=list)
    """Place and number of reports of the batches that are lost, as far as they are known."""


def set_aside(path: Path) -> tuple[Path | None, str]:
    """Give a file, with its log, another name. That name, and what became of it in words."""
    asides = (path.with_suffix(f".damaged{n}") for n in count(1))
    try:
        aside = next(a for a in asides if not a.exists())
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    except OSError as error:
        return None, f"it cannot be set aside either: {error.strerror}"
    if aside.is_symlink():
        return None, f"it was set aside as {aside.name}"
    return aside, f"it was set aside as {aside.name}"


def recover(file: SpoolFile, aside: Path, without: Collection[int]) -> Recovered:
    """Take over what can be read of a damaged spool that was set aside, at the old places. Raises
    SpoolError."""
    found = Recovered()
    for each in _all_of(aside):
        place = (each.seq if isinstance(each, Unreadable) else each.place) - file.base
        if place in without:
            continue
        if isinstance(each, Unreadable):
            found.unreadable.append((place, each.reports))
        else:
            file.add(replace(each, place=place))
    batches, _ = file.counts()
    lost = len(found.unreadable)
    found.sentence = f"of {aside.name}: batches saved {batches}, unreadable {lost}"
    if not batches and not lost:
        found.sentence = f"nothing of {aside.name} can be read"
    return found


def _all_of(aside: Path) -> Iterator[Entry | Unreadable]:
    """Of its log, too, which sqlite would take up to the damage only."""
    with suppress(OSError):
        if log_file.is_damaged(aside):
            log_file.mend(aside)
    yield from salvage(aside)


def take_over(file: SpoolFile, old: Path, now: float) -> str | None:
    """What the first versions left undelivered. A crash in between costs nothing: what is here
    already is told by its nonce.

    now: UTC, seconds. A sentence for people, if something is wrong.
    """
    if not old.exists():
        return None
    known, damaged = file.nonces(), 0
    try:
        for batch in jsonl.read(old):
            if batch is None:
                damaged += 1
            elif batch.nonce not in known:
                newest = max(a.timestamp for a in batch.advertisements)
                made = newest if EARLIEST <= newest <= now else now
                file.add(Entry(file.last_place() + 1, made, batch))
    except SpoolError as error:  # the rest comes over at the next start
        return f"{old} cannot be taken over: {error}"
    except (OSError, ValueError) as error:
        return f"{old} cannot be read ({error}); {set_aside(old)[1]}"
    if damaged:
        return f"{old}: damaged lines {damaged}; {set_aside(old)[1]}"
    old.unlink(missing_ok=True)
    return None
