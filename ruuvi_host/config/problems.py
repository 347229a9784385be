"""The problems of a configuration, collected, so that all are reported at once."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ruuvi_host.logs import printable


class Severity(Enum):
    """How bad it is."""

    WARNING = "warning"
    """It works, perhaps otherwise than meant."""
    FAULT = "fault"
    """A target cannot be served as it is set; everything else works."""
    ERROR = "error"
    """The host does not start with it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    key: str
    """As it was written, made printable."""
    why: str
    """Half a sentence; never a secret."""
    instead: str = ""
    """What is used in its place."""
    severity: Severity = Severity.WARNING
    source: str = ""
    """The file, environment variable or option that has it."""
    value: str = ""
    """The value, made printable; empty for secrets."""

    def __str__(self) -> str:
        what = f"{self.key} = {self.value}" if self.value else self.key
        return f"{what}: {self.why}" + (f"; {self.instead}" if self.instead else "")


MOST_SHOWN = 100
"""Of each severity. Nobody reads more, and a file has room for a hundred thousand."""


@dataclass(slots=True)
class Problems:
    """A list that fills up while sources are read.

    source: where the keys that are read now come from.
    """

    found: list[Problem] = field(default_factory=list)
    source: str = ""
    _counts: dict[Severity, int] = field(default_factory=lambda: dict.fromkeys(Severity, 0))

    def add(
        self,
        key: str,
        why: str,
        instead: str = "",
        *,
        severity: Severity = Severity.WARNING,
        value: Any = None,
        source: str | None = None,
    ) -> None:
        """value: what was found there; leave it out for secrets."""
        if self.is_full(severity):
            return
        shown = "" if value is None else printable(_text(value))
        where = self.source if source is None else source
        problem = Problem(printable(key), why, instead, severity, where, shown)
        if problem in self.found:
            return
        self.found.append(problem)
        self._counts[severity] += 1
        if self.is_full(severity):
            more = f"{severity.value}s after these are not shown"
            self.found.append(Problem(where or problem.key, more, "", severity, where))

    def is_full(self, severity: Severity) -> bool:
        """No more of them are taken; `worst` knows all that it has to."""
        return self._counts[severity] >= MOST_SHOWN

    def worst(self) -> Severity | None:
        """None: nothing is wrong."""
        order = list(Severity)
        return max((p.severity for p in self.found), key=order.index, default=None)


def _text(value: Any) -> str:
    try:
        return value if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits; nested too deeply
        return "…"


def meant(word: str, known: Iterable[str]) -> str:
    """ "; is NEAR meant?", if one of the known words is near; else nothing."""
    from difflib import get_close_matches

    near = get_close_matches(word, known, 1)
    return f"; is {near[0]} meant?" if near else ""


def nearly(word: str, known: Iterable[str]) -> str:
    """The one that was surely meant; empty: there is none."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, 1, 0.85)), "")
