"""Two builds of the project side by side: which is faster, and by how much.

Each is measured by its own tools/bench.py and with its own modules, whatever they are called there,
in a process of its own, one after the other: a round of the one, a round of the other, and the one
that was second goes first in the next round. What the machine does meanwhile hits both alike.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from figures.figure import Figure

ROUNDS = 7
"""At least: with fewer a median is an accident."""
PACKAGES = ("firmware_protocol", "ruuvi_host")


class BuildError(Exception):
    """A build cannot be measured. The message says which, and why."""


@dataclass(frozen=True, slots=True)
class Build:
    """The files of one, in a folder of its own."""

    name: str
    """new, old."""
    root: Path

    def prepare(self) -> frozenset[str]:
        """The names of its figures. Raises BuildError unless it runs with its own modules."""
        ask = f"import {', '.join(PACKAGES)}\nfor p in ({', '.join(PACKAGES)}): print(p.__file__)"
        for line in self._run("-c", ask).splitlines():
            if not Path(line).is_relative_to(self.root):
                raise BuildError(f"{self.name}: would run {line}, which is another build's")
        # Else the first round would measure the compiler.
        self._run("-m", "compileall", "-q", *PACKAGES, "tools")
        listed = self._run(self._bench, "--list").splitlines()
        return frozenset(line.split()[0] for line in listed if line.strip())

    def measure(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """One round of figures, by name. Raises BuildError."""
        only = [argument for name in names for argument in ("--only", name)]
        said = self._run(self._bench, "--json", "--rounds", "1", *only)
        try:
            return {told["name"]: told for told in json.loads(said)["figures"]}
        except (ValueError, KeyError, TypeError) as error:
            raise BuildError(f"{self.name}: {self._bench} --json prints something else") from error

    @property
    def _bench(self) -> str:
        return str(self.root / "tools" / "bench.py")

    def _run(self, *arguments: str) -> str:
        path = (str(self.root), os.environ.get("PYTHONPATH"))
        ran = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            # In front of what is installed, also for the programs that a benchmark starts.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))},
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            last = (ran.stderr.strip() or "nothing").splitlines()[-1]
            raise BuildError(f"{self.name}: {arguments[0]} has failed; it said last: {last}")
        return ran.stdout


@dataclass(slots=True)
class Pair:
    """A figure of both builds."""

    figure: Figure
    new: list[float] = field(default_factory=list)
    old: list[float] = field(default_factory=list)
    skipped: str = ""
    """Why there is nothing to compare."""

    @property
    def ratio(self) -> float | None:
        """New to old, of the medians. None: there is none to nothing."""
        if self.skipped:
            return None
        old, new = median(self.old), median(self.new)
        return new / old if old else (1.0 if new == old else None)

    @property
    def apart(self) -> bool:
        """Each round of the one lies above all rounds of the other."""
        return min(self.new) > max(self.old) or max(self.new) < min(self.old)

    def take(self, new: dict[str, Any], old: dict[str, Any]) -> None:
        """What a round of each told."""
        for name, told in (("new", new), ("old", old)):
            if "skipped" in told:
                self.skipped = f"{name}: {told['skipped']}"
                return
        self.new += new["values"]
        self.old += old["values"]


def compare(
    new: Build,
    old: Build,
    benchmarks: Sequence[Sequence[Figure]],
    rounds: int,
    show: Callable[[str], None] = lambda text: None,
) -> list[Pair]:
    """Measure both in turn. Raises BuildError.

    benchmarks: the figures that are measured together, and so in one process.
    """
    groups = [[Pair(figure) for figure in figures] for figures in benchmarks]
    pairs = [pair for group in groups for pair in group]
    for build in (new, old):
        known = build.prepare()
        for pair in pairs:
            if pair.figure.name not in known:
                pair.skipped = f"{build.name}: there is no such figure"
    for number in range(rounds):
        for group in groups:
            going = {pair.figure.name: pair for pair in group if not pair.skipped}
            if not going:
                continue
            told = {}
            for build in (new, old) if number % 2 == 0 else (old, new):
                show(f"round {number + 1} of {rounds}: {next(iter(going))}, {build.name}")
                told[build.name] = build.measure(list(going))
            for name, pair in going.items():
                pair.take(told[new.name][name], told[old.name][name])
    show("")
    return pairs


def table(pairs: Sequence[Pair]) -> Iterator[str]:
    """ranges: do the rounds of the two overlap? If they do, a small difference may be none."""
    numbers = f"{'median':>9} {'min':>9} {'max':>9}"
    yield f"{'':<20} {'new':^29}   {'old':^29}".rstrip()
    yield f"{'figure':<20} {numbers}   {numbers} {'':<5} {'new/old':>8}  ranges"
    for pair in pairs:
        figure = pair.figure
        if pair.skipped:
            yield f"{figure.name:<20} skipped: {pair.skipped}"
            continue
        new, old = (" ".join(f"{n:>9.4g}" for n in spread(v)) for v in (pair.new, pair.old))
        ratio = "-" if pair.ratio is None else f"{pair.ratio:.3f}"
        ranges = "apart" if pair.apart else "overlap"
        better = "more is better: " if figure.at_least is not None else ""
        better = "less is better: " if figure.at_most is not None else better
        yield (
            f"{figure.name:<20} {new}   {old} {figure.unit:<5} {ratio:>8}  {ranges:<7}  "
            f"{better}{figure.what}"
        ).rstrip()


def as_json(pair: Pair) -> dict[str, object]:
    figure = pair.figure
    about: dict[str, object] = {"name": figure.name, "what": figure.what, "unit": figure.unit}
    if pair.skipped:
        return about | {"skipped": pair.skipped}
    return about | {
        **{
            name: dict(zip(("median", "min", "max"), spread(values), strict=True))
            | {"values": values}
            for name, values in (("new", pair.new), ("old", pair.old))
        },
        "ratio": pair.ratio,
        "apart": pair.apart,
    }


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    return median(values), min(values), max(values)
