"""One change of everything that belongs to a configuration: a gateway's keys, the host's own, and
the files beside them. All of it is written, or nothing, and one step leads back."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ruuvi_host.config.sources import Sources
from ruuvi_host.config.store import Plan, Write, plan_host, plan_post, present


def plan_together(
    sources: Sources,
    document: Mapping[str, Any],
    pairs: Sequence[tuple[str, str]],
    files: Mapping[str, str | None],
    mac: str,
) -> Plan:
    """document: keys of a gateway. pairs: keys of ruuvi-host.toml, as `config set` has them. files:
    name → text; None: it is to be removed. mac: of the gateway. Raises ConfigError."""
    posted = plan_post(sources, document, mac)
    own = plan_host(sources, pairs) if pairs else Plan()
    beside = list(_writes(sources, files))
    names = dict.fromkeys(name for name, _ in beside)
    return Plan(
        # What is in use must never be missing: new files come first, and old ones go last.
        (
            *(write for name, write in beside if files[name] is not None),
            *posted.writes,
            *own.writes,
            *(write for name, write in beside if files[name] is None),
        ),
        (*posted.keys, *own.keys, *names),
        (*posted.asked, *own.asked, *names),
        [*posted.problems, *own.problems],
        posted.saved,
    )


def _writes(sources: Sources, files: Mapping[str, str | None]) -> Iterator[tuple[str, Write]]:
    for name, text in files.items():
        if text is None:
            # The user's first, which may not be ours to remove.
            for path in reversed(sources.places.all_of(name)):
                yield name, Write((path,), lambda _: None)
            continue
        found = sources.places.find(name)
        if found and present(found) == text:
            continue
        others = (folder / name for folder in sources.places.writing)
        paths = dict.fromkeys(path for path in (found, *others) if path)
        yield name, Write(tuple(paths), partial(_same, text))


def _same(text: str, path: Path) -> str:
    return text
