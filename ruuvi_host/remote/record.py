"""What a host remembers of its remote configuration, in one file of the state folder: replaced as a
whole, so that after a power cut it is the old one or the new one.

remote.json    for its owner alone, as texts with secrets are in it
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any, Self

from ruuvi_host import private_files
from ruuvi_host.remote.memory import Memory
from ruuvi_host.remote.trial import Texts, Trial

log = logging.getLogger(__name__)

FILE = "remote.json"
MOST_BAD = 20
"""Texts that were rolled back, and are remembered."""
_LONGEST = 16 << 20
"""Bytes. It has up to five texts of 256 KiB, escaped."""
_UNUSABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


def digest(text: str) -> str:
    """Of a text with its secrets: to know it again. Never shown."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Applied:
    """A fetched text that came into force, or turned out to be what was in force already."""

    text: str = field(repr=False)
    saved: str = field(repr=False)
    """The gateway's file with it."""
    hash: str
    """For people, without secrets."""
    at: float
    """UTC."""
    url: str = ""
    etag: str = ""
    before: Texts = field(default_factory=dict, repr=False)
    """The files as they were."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A text that was not taken."""

    at: float
    hash: str | None
    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class FetchFacts:
    """Of the last fetch. Times are UTC."""

    last: float | None = None
    success: float | None = None
    """The last one that brought a text, or "as before"."""
    result: str = ""
    status: int = 0
    url: str = ""
    failures: int = 0
    """In a row."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The last way back."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Record:
    """All of it."""

    memory: Memory = field(default_factory=Memory)
    fetch: FetchFacts = field(default_factory=FetchFacts)
    applied: Applied | None = None
    """The last good one."""
    pending: Applied | None = None
    """The one that is on trial: the last good one when it comes off it."""
    refused: Refusal | None = None
    trial: Trial | None = None
    rolled_back: RolledBack | None = None
    working: tuple[str, ...] = ()
    """Targets that worked in the last hour of the host, as far as is known."""
    bad: tuple[str, ...] = ()
    """Digests of texts that were rolled back: not applied again by themselves, until another one
    was taken for good. Whoever puts such a text back after that has mended what was wrong."""

    @property
    def in_force(self) -> Applied | None:
        return self.pending or self.applied

    def is_bad(self, text_digest: str) -> bool:
        """Was it rolled back?"""
        return text_digest in self.bad

    @property
    def why_bad(self) -> str:
        """Why a text that was rolled back is not taken."""
        told = self.rolled_back
        return f"this text was rolled back before: {told.reason if told else 'it cut us off'}"

    def with_bad(self, text_digest: str) -> Self:
        others = [each for each in self.bad if each != text_digest]
        return replace(self, bad=(*others, text_digest)[-MOST_BAD:])

    def forgiving(self, text_digest: str) -> Self:
        """It may be tried again."""
        return replace(self, bad=tuple(each for each in self.bad if each != text_digest))

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "memory": self.memory.document(),
            "fetch": _plain(self.fetch),
            "applied": _plain(self.applied),
            "pending": _plain(self.pending),
            "refused": _plain(self.refused),
            "trial": self.trial.document() if self.trial else None,
            "rolled_back": _plain(self.rolled_back),
            "bad": list(self.bad),
            "working": list(self.working),
        }

    @classmethod
    def from_document(cls, document: Any) -> Self:
        """Raises what `_UNUSABLE` has for what is none."""
        trial = document["trial"]
        return cls(
            Memory.from_document(document["memory"]),
            _fetch_facts(document["fetch"]),
            _applied(document["applied"]),
            _applied(document["pending"]),
            _refusal(document["refused"]) if document["refused"] else None,
            Trial.from_document(trial) if trial else None,
            _rolled_back(document["rolled_back"]) if document["rolled_back"] else None,
            bad=tuple(_text(each) for each in document["bad"]),
            # What was written before the host kept them has none.
            working=tuple(_text(each) for each in document.get("working", ())),
        )


class RecordFile:
    """Reads and writes it. folder: of the state."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def read(self) -> Record:
        """What cannot be read counts for nothing, and is told."""
        try:
            return Record.from_document(json.loads(private_files.read_whole(self.path, _LONGEST)))
        except FileNotFoundError:
            return Record()
        except _UNUSABLE as error:
            log.warning(
                "%s: cannot be used (%s); what was fetched before is forgotten", self.path, error
            )
            return Record()

    def write(self, record: Record) -> None:
        """Durably. Raises OSError; the old one is there then."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_files.replace(self.path, json.dumps(record.document()).encode())


def _plain(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    plain = {name: getattr(value, name) for name in value.__slots__}
    if "before" in plain:
        plain["before"] = {str(path): text for path, text in plain["before"].items()}
    return plain


def _applied(document: Mapping[str, Any] | None) -> Applied | None:
    if document is None:
        return None
    before = {Path(path): text for path, text in document["before"].items()}
    if not all(text is None or isinstance(text, str) for text in before.values()):
        raise TypeError("a file is no text")
    names = ("text", "saved", "hash", "url", "etag")
    texts = {name: _text(document[name]) for name in names}
    return Applied(**texts, at=_seconds(document["at"]), before=before)


def _fetch_facts(document: Mapping[str, Any]) -> FetchFacts:
    last, success = document["last"], document["success"]
    return FetchFacts(
        None if last is None else _seconds(last),
        None if success is None else _seconds(success),
        _text(document["result"]),
        int(_seconds(document["status"])),
        _text(document["url"]),
        int(_seconds(document["failures"])),
        _text(document["reason"]),
    )


def _refusal(document: Mapping[str, Any]) -> Refusal:
    shown = document["hash"]
    return Refusal(
        _seconds(document["at"]),
        None if shown is None else _text(shown),
        _text(document["digest"]),
        _text(document["reason"]),
    )


def _rolled_back(document: Mapping[str, Any]) -> RolledBack:
    return RolledBack(_seconds(document["at"]), _text(document["reason"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} in place of a text")
    return value


def _seconds(value: Any) -> float:
    """Any number, as far as it is one that can be told."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise TypeError(f"{type(value).__name__} in place of a number")
    return value
