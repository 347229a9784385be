"""What ran where, and what was measured: JUnit XML, JSON and one page.

Every line names the rig, the firmware and the address of the board, so that a green simulator is
never taken for a green board. No line shows a device id: it is the key that a gateway signs with.
"""

import json
import os
import platform
import re
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from hil.figures import Figures
from hil.identity import UNKNOWN, Identity
from hil.page import page
from ruuvi_host import __version__

FORMAT = "ruuvi-host-hil/1"
OURS_TO_TELL = (
    "AssertionError: ",
    "hil.rig.RigError: ",
    "hil.wire.NoAnswerError: ",
    "hil.wire.RebootedError: ",
    "ruuvi_host.errors.PortError: ",
    "Failed: ",
)
"""Kinds of errors whose message is a sentence: it says enough."""
INTERRUPTED = "interrupted"
MOST = 1000
"""Characters of a reason."""
JSON_NAME, HTML_NAME, XML_NAME = "report.json", "report.html", "junit.xml"


@dataclass
class Line:
    """One test on one board."""

    test: str
    what: str
    """The test in a sentence."""
    rig: str
    generation: str
    address: str
    outcome: str = INTERRUPTED
    """Until it is "passed", "failed" or "skipped"."""
    reason: str = ""
    seconds: float = 0.0
    figures: Figures = field(default_factory=Figures)


@dataclass
class Report:
    """All lines of a run."""

    rig: str
    what: str
    """The rig in a few words."""
    is_hardware: bool
    started: float = field(default_factory=time.time)
    lines: list[Line] = field(default_factory=list)
    _of: dict[str, Line] = field(default_factory=dict)
    """By node id: two files may have a test of the same name."""

    def line(self, item: pytest.Item) -> Line:
        """The line of this test, made when it is asked for first."""
        if item.nodeid in self._of:
            return self._of[item.nodeid]
        doc = (getattr(getattr(item, "function", None), "__doc__", None) or "").strip()
        line = Line(item.name, doc.split("\n\n")[0], self.rig, UNKNOWN, UNKNOWN)
        self.lines.append(line)
        self._of[item.nodeid] = line
        return line

    def identify(self, item: pytest.Item, identity: Identity) -> None:
        """The board that this test runs on is known now."""
        line = self.line(item)
        line.generation, line.address = identity.generation, identity.address

    def note(self, item: pytest.Item, result: pytest.TestReport) -> None:
        """A phase of a test is over."""
        line = self.line(item)
        line.seconds += result.duration
        if result.failed:
            line.outcome = "failed"
            line.reason = _reason(result)
        elif result.skipped:
            line.outcome = "skipped"
            line.reason = _reason(result)
        elif result.when == "call":
            line.outcome = "passed"

    def totals(self) -> dict[str, int]:
        """Lines by outcome; interrupted is at most one, and mostly none."""
        counts = Counter(line.outcome for line in self.lines)
        return {outcome: counts[outcome] for outcome in ("passed", "failed", "skipped")} | counts

    def failures(self) -> list[list[Line]]:
        """Lines that failed; together those whose reasons differ in numbers only."""
        alike: dict[str, list[Line]] = {}
        for line in self.lines:
            if line.outcome == "failed":
                alike.setdefault(re.sub(r"\d+", "#", line.reason), []).append(line)
        return list(alike.values())

    def write(self, directory: Path) -> None:
        """JSON and page; the JUnit XML is pytest's own."""
        directory.mkdir(parents=True, exist_ok=True)
        told = self.tell()
        (directory / JSON_NAME).write_text(json.dumps(told, indent=1) + "\n", "utf-8")
        (directory / HTML_NAME).write_text(page(self), "utf-8")

    def tell(self) -> dict[str, object]:
        """As JSON."""
        return {
            "format": FORMAT,
            "ruuvi_host": __version__,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
            "rig": self.rig,
            "what": self.what,
            "is_hardware": self.is_hardware,
            "totals": self.totals(),
            "tests": [_line(line) for line in self.lines],
        }


def _line(line: Line) -> dict[str, object]:
    members = asdict(line)
    figures = members.pop("figures")
    members["seconds"] = round(line.seconds, 3)
    bounds = [figure.bound for figure in line.figures.figures]
    members["figures"] = [
        entry | {"bound": bound} for entry, bound in zip(figures["figures"], bounds, strict=True)
    ]
    members["series"] = figures["series"]
    return members


def _reason(result: pytest.TestReport) -> str:
    if isinstance(result.longrepr, tuple):  # a skip: file, line, reason
        return result.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(result.longrepr, "reprcrash", None)
    text = str(crash.message if crash else result.longrepr)
    for kind in OURS_TO_TELL:
        text = text.removeprefix(kind)
    # What pytest adds to a sentence of ours, of how it was computed, tells nobody more.
    return text.split("\nassert ")[0].split("\n\n")[0][:MOST]
