"""What is remembered of the addresses of a configuration: ETag, Last-Modified, a file that is not
there. Pure.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Self

ABSENT_FOR = 10
"""Fetches during which an own file that was not there is not asked for, if its server says nothing
else: so most hosts of a fleet make one request each time, and not two."""
LONGEST_ABSENCE = 86400.0
"""Seconds, if it does."""
_NAMES = ("etag", "last_modified", "query", "key", "digest")


@dataclass(frozen=True, slots=True)
class Validators:
    """Of one address, as its server gave them; empty: it did not."""

    etag: str = ""
    last_modified: str = ""
    query: str = field(default="", repr=False)
    """Of the address; with another one it is another file."""
    key: str = ""
    """The public key that the text was verified with."""
    digest: str = ""
    """Of the text, to know it again."""


@dataclass(frozen=True, slots=True)
class Absence:
    """That a file was not there."""

    fetches: int = ABSENT_FOR
    """For how many more it is taken to be so."""
    until: float | None = None
    """UTC, or None: only the fetches count."""


@dataclass(frozen=True, slots=True)
class Memory:
    """By address, without its query. `Memory()` makes requests unconditional."""

    validators: dict[str, Validators] = field(default_factory=dict)
    """Of the text that was fetched last, and of no other: a 304 means that one."""
    absent: dict[str, Absence] = field(default_factory=dict)

    # -- validators

    def of(self, url: str, query: str, key: str) -> Validators | None:
        """What to ask with; None: unconditionally."""
        found = self.validators.get(url)
        same = found and (found.query, found.key) == (query, key)
        return found if found and same and (found.etag or found.last_modified) else None

    def digest_of(self, url: str) -> str:
        """Of the text that a 304 of this address means; empty: of none."""
        found = self.validators.get(url)
        return found.digest if found else ""

    def fetched(self, url: str, validators: Validators) -> Self:
        """Another text takes the place of what was fetched before."""
        return replace(self, validators={url: validators})

    def without(self, url: str) -> Self:
        """Without the validators of one address."""
        rest = {key: value for key, value in self.validators.items() if key != url}
        return replace(self, validators=rest)

    # -- own files that are not there

    def is_absent(self, url: str, now: float) -> bool:
        """now: UTC. A clock that was set back does not make it longer."""
        found = self.absent.get(url)
        if not found:
            return False
        if found.until is not None:
            return now < found.until <= now + LONGEST_ABSENCE
        return found.fetches > 0

    def missed(self, url: str, max_age: float | None, now: float) -> Self:
        """It is not there. max_age: seconds for which its server says so; None: it does not say."""
        absence = Absence()
        if max_age is not None:
            absence = Absence(0, now + min(max_age, LONGEST_ABSENCE))
        return replace(self, absent={url: absence})

    def passed_over(self, url: str) -> Self:
        """A fetch that did not ask for it."""
        found = self.absent.get(url)
        if not found:
            return self
        return replace(self, absent={url: replace(found, fetches=max(0, found.fetches - 1))})

    def asking_for_all(self) -> Self:
        """The own file is asked for again, as when a person wants to see what there is."""
        return replace(self, absent={})

    # -- on disk

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "validators": {
                url: {
                    "etag": each.etag,
                    "last_modified": each.last_modified,
                    "query": each.query,
                    "key": each.key,
                    "digest": each.digest,
                }
                for url, each in self.validators.items()
            },
            "absent": {
                url: {"fetches": each.fetches, "until": each.until}
                for url, each in self.absent.items()
            },
        }

    @classmethod
    def from_document(cls, document: object) -> Self:
        """What is no such document is an empty memory."""
        try:
            return cls(
                {
                    str(url): Validators(*(str(each[name]) for name in _NAMES))
                    for url, each in document["validators"].items()  # type: ignore[index]
                },
                {
                    str(url): Absence(
                        int(each["fetches"]),
                        None if each["until"] is None else float(each["until"]),
                    )
                    for url, each in document["absent"].items()  # type: ignore[index]
                },
            )
        except (TypeError, KeyError, AttributeError, ValueError, OverflowError):
            return cls()
