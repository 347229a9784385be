"""What ran on which board, how it ended and what was measured.

Every result names the rig, the firmware and the address of the board, so that a passed simulator is
never mistaken for a passed board.
"""

import re
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from ruuvi_host.errors import PortError

from .figures import Figures
from .identity import UNKNOWN, Identity
from .rig import RigError
from .wire import NoAnswerError, RebootedError

OURS_TO_TELL = (
    "AssertionError: ",
    "Failed: ",
    *(
        f"{kind.__module__}.{kind.__qualname__}: "
        for kind in (RigError, NoAnswerError, RebootedError, PortError)
    ),
)
"""Kinds of errors whose message is a sentence: it says enough."""
INTERRUPTED = "interrupted"
MOST = 1000
"""Characters of a reason."""


@dataclass
class Result:
    """One test on one board."""

    test: str
    description: str
    """The test in a sentence."""
    rig: str
    firmware: str
    """The generation that it behaves like: "2.0.0", "1.0.0" or UNKNOWN."""
    address: str
    outcome: str = INTERRUPTED
    """Until it is "passed", "failed" or "skipped"."""
    reason: str = ""
    seconds: float = 0.0
    figures: Figures = field(default_factory=Figures)


@dataclass
class Run:
    """All results of a run."""

    rig: str
    description: str
    """The rig in a few words."""
    is_hardware: bool
    started: float = field(default_factory=time.time)
    results: list[Result] = field(default_factory=list)
    _of: dict[str, Result] = field(default_factory=dict)
    """By node id: two files may have a test of the same name."""

    def of(self, item: pytest.Item) -> Result:
        """The result of this test; created at the first call."""
        if item.nodeid in self._of:
            return self._of[item.nodeid]
        doc = (getattr(getattr(item, "function", None), "__doc__", None) or "").strip()
        result = Result(item.name, doc.split("\n\n")[0], self.rig, UNKNOWN, UNKNOWN)
        self.results.append(result)
        self._of[item.nodeid] = result
        return result

    def identify(self, item: pytest.Item, identity: Identity) -> None:
        """The board that this test runs on is known now."""
        result = self.of(item)
        result.firmware, result.address = identity.generation, identity.address

    def note(self, item: pytest.Item, phase: pytest.TestReport) -> None:
        """A phase of a test is over."""
        result = self.of(item)
        result.seconds += phase.duration
        if phase.failed:
            result.outcome = "failed"
            result.reason = _reason(phase)
        elif phase.skipped:
            result.outcome = "skipped"
            result.reason = _reason(phase)
        elif phase.when == "call":
            result.outcome = "passed"

    def totals(self) -> dict[str, int]:
        """Results by outcome; interrupted is at most one, and mostly none."""
        counts = Counter(result.outcome for result in self.results)
        return {outcome: counts[outcome] for outcome in ("passed", "failed", "skipped")} | counts

    def failures(self) -> list[list[Result]]:
        """What failed; together those whose reasons differ in numbers only."""
        alike: dict[str, list[Result]] = {}
        for result in self.results:
            if result.outcome == "failed":
                alike.setdefault(re.sub(r"\d+", "#", result.reason), []).append(result)
        return list(alike.values())


def _reason(phase: pytest.TestReport) -> str:
    if isinstance(phase.longrepr, tuple):  # a skip: file, line, reason
        return phase.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(phase.longrepr, "reprcrash", None)
    text = str(crash.message if crash else phase.longrepr)
    for kind in OURS_TO_TELL:
        text = text.removeprefix(kind)
    # What pytest adds to a sentence of ours, of how it was computed, tells nobody more.
    return text.split("\nassert ")[0].split("\n\n")[0][:MOST]
