"""Where the configuration in force comes from, and how fetching another one goes. Pure.

No secret is here, and no hash that is made of one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

LOCAL, REMOTE, DEFAULT = "local", "remote", "default"

_DIGITS = 16


def text_hash(text: str) -> str:
    """Of a text without secrets, as it is shown."""
    return f"sha256:{sha256(text.encode('utf-8', 'replace')).hexdigest()[:_DIGITS]}"


@dataclass(frozen=True, slots=True)
class FetchStatus:
    """Times are UTC seconds."""

    last: float | None
    result: str | None
    """applied, equal, not_modified, refused, rolled_back, unreachable, tls, auth, not_found,
    http_<status>, too_long; None: nothing was fetched yet."""
    status: int | None
    """Of HTTP."""
    url: str | None
    next: float | None
    """None: not before the next start, or while a trial lasts."""
    failures: int
    """In a row."""

    def document(self) -> dict[str, Any]:
        return {
            "last": _whole(self.last),
            "result": self.result,
            "status": self.status,
            "url": self.url,
            "next": _whole(self.next),
            "failures": self.failures,
        }


@dataclass(frozen=True, slots=True)
class ConfigurationStatus:
    """As of now."""

    source: str = DEFAULT
    hash: str = ""
    applied: float | None = None
    """UTC; since when it is in force, if it was fetched."""
    fetch: FetchStatus | None = None
    """None: nothing is fetched."""
    refused: Mapping[str, Any] | None = None
    """The last text that was not taken: at, hash, reason."""
    trial: Mapping[str, Any] | None = None
    """until and waiting_for; or rolled_back and reason."""
    degraded: Sequence[str] = ()
    """Targets that worked before the last trial, and have not since."""
    error: str = ""
    """Why a local change could not be read; empty: it could."""
    fetches: Mapping[str, int] = field(default_factory=dict)
    """Since the start, by result."""
    success: float | None = None
    """UTC of the last fetch that brought a text, or "as before"."""

    def document(self) -> dict[str, Any]:
        """JSON values only."""
        return {
            "source": self.source,
            "hash": self.hash,
            "applied": _whole(self.applied),
            "fetch": self.fetch.document() if self.fetch else None,
            "refused": dict(self.refused) if self.refused else None,
            "trial": dict(self.trial) if self.trial else None,
        }


def lines(document: dict[str, Any], until: Callable[[int], str]) -> list[str]:
    """Such a document as text for people; nothing if nothing is fetched and nothing was.

    until: a time (UTC, s) to come, as people are told it.
    """
    fetch, refused, trial = document["fetch"], document["refused"], document["trial"]
    if not fetch and document["source"] != REMOTE:
        return []
    told = f"configuration: {document['source']}, {document['hash']}"
    if fetch and fetch["result"]:
        where = f" ({fetch['url']})" if fetch["url"] else ""
        told += f"; last fetch: {fetch['result'].replace('_', ' ')}{where}"
        if fetch["failures"]:
            told += f", failures in a row: {fetch['failures']}"
    elif fetch:
        told += "; nothing fetched yet"
    found = [told]
    if refused:
        found.append(f"  refused: {refused['reason']}")
    if trial and "waiting_for" in trial:
        names = ", ".join(trial["waiting_for"]) or "nothing"
        found.append(f"  on trial until {until(trial['until'])}, waiting for {names}")
    elif trial:
        found.append(f"  rolled back: {trial['reason']}")
    return found


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)
