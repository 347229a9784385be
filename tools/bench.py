"""Measures how fast and how small ruuvi-host is, against others and against its targets.

    python tools/bench.py                  everything, some minutes
    python tools/bench.py --only bellows   one figure (repeatable; patterns such as 'line-*' work)
    python tools/bench.py --against REV    the work tree against a git revision, round by round

All in one process, the benchmarks taking turns, so that a busy moment of the machine hits them all
alike. Trust ratios and medians; a single time says little. The peers come with
`pip install 'ruuvi-host[bench]'`; without them their figures are skipped.

Whoever says that something became faster, or no slower, shows what `--against` prints; builds.py
tells how it measures.
"""

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import builds
import sources
from figures import api, bridge, chain, line, mqtt, parsing, process, spool
from figures.figure import Benchmark, Figure, Result, Round, Unavailable

from firmware_protocol.crc import has_fast_crcmod

ROUNDS = 7


def _line(rate: int, cpu: float, p99: float | None = 1.0) -> Benchmark:
    at = f"{rate:,} reports/s through a pty"
    figures = (
        Figure(f"line-{rate}-lost", f"{at}: lost", "", at_most=0, in_every_round=True),
        Figure(f"line-{rate}-p99", f"{at}: p99 from write to listener", "ms", at_most=p99),
        Figure(f"line-{rate}-p99-bare", f"{at}: p99 of a bare read loop", "ms"),
        Figure(f"line-{rate}-cpu", f"{at}: CPU of one core", "%", at_most=cpu),
        Figure(f"line-{rate}-rate", f"{at}: really sent", "/s"),
    )
    return Benchmark(figures, partial(line.line, rate))


def _bridge(rate: int, cpu: float) -> Benchmark:
    at = f"bridge at {rate:,} HCI reports/s"
    figures = (
        Figure(f"bridge-{rate}-lost", f"{at}: lost", "", at_most=0, in_every_round=True),
        Figure(f"bridge-{rate}-cpu", f"{at}: CPU of one core", "%", at_most=cpu),
        Figure(f"bridge-{rate}-memory", f"{at}: RSS", "MiB", at_most=27),
        Figure(f"bridge-{rate}-start", f"{at}: start to first report", "ms", at_most=1000),
    )
    return Benchmark(figures, partial(bridge.serving, rate))


def _bumble_host(rate: int) -> Benchmark:
    at = f"bumble's host, which only counts {rate:,}/s"
    figures = (
        Figure(f"bumble-host-{rate}-cpu", f"{at}: CPU of one core", "%"),
        Figure(f"bumble-host-{rate}-memory", f"{at}: RSS", "MiB"),
    )
    return Benchmark(figures, partial(bridge.bumble_host, rate))


BENCHMARKS = (
    Benchmark(
        (Figure("bellows", "bytes to reports, against bellows' ASH", at_least=7),),
        parsing.bellows,
    ),
    Benchmark((Figure("zigpy-znp", "the same against zigpy-znp", at_least=18),), parsing.zigpy_znp),
    Benchmark((Figure("bumble", "the same against bumble's H4", at_least=10),), parsing.bumble),
    Benchmark(
        (Figure("damage", "1 % damaged frames: time against clean", at_most=1.15),),
        parsing.damage,
    ),
    Benchmark(
        (Figure("garbage", "worst garbage, in USB full speed", at_least=2),), parsing.garbage
    ),
    Benchmark(
        (Figure("format-5", "decode format 5, against ruuvitag-sensor", at_least=10),),
        parsing.format_5,
    ),
    Benchmark(
        (Figure("batches", "bytes to raw JSON batches, in USB full speed", at_least=25),),
        chain.batches,
    ),
    Benchmark(
        (Figure("every-report", "every report to decoded JSON, in USB full speed", at_least=6),),
        chain.every_report,
    ),
    Benchmark(
        (
            Figure("hci-legacy", "HCI events to reports, against bumble's", at_least=5),
            Figure("hci-legacy-time", "the same: ours, a report", "us"),
            Figure("hci-extended", "the same with extended reports", at_least=5),
            Figure("hci-extended-time", "the same: ours, a report", "us"),
        ),
        bridge.parser,
    ),
    _bridge(226, cpu=3),
    _bridge(1_000, cpu=12),
    _bumble_host(226),
    _bumble_host(1_000),
    _line(200, cpu=4),
    _line(2_000, cpu=12),
    _line(20_000, cpu=35, p99=None),
    Benchmark(
        (Figure("stall", "longest stall, raw batch of 10,000 tags", "ms", at_most=10),),
        chain.stall,
    ),
    Benchmark(
        (Figure("help", "--help against python -c pass", at_most=4.5),),
        partial(process.start, "--help"),
    ),
    Benchmark(
        (Figure("version", "--version against python -c pass", at_most=1.3),),
        partial(process.start, "--version"),
    ),
    Benchmark(
        (
            Figure("idle-memory", "RSS of an idle run on a port", "MiB", at_most=34),
            Figure("idle-memory-ratio", "the same against python -c pass"),
            Figure("idle-memory-board", "the same with run --simulate, board included", "MiB"),
            Figure(
                "disk", "written to disk, extrapolated", "B/day", at_most=0, in_every_round=True
            ),
        ),
        process.idle,
    ),
    Benchmark(
        (Figure("api-history", "GET /history with 100 sensors, decoded", "ms", at_most=5),),
        api.answer,
    ),
    Benchmark(
        (
            Figure("api-memory", "RSS that the local API takes, unasked", "MiB"),
            Figure("api-memory-polled", "the same, polled each 5 s", "MiB", at_most=8),
            Figure("api-cpu", "CPU of one core that it takes, unasked", "%"),
            Figure("api-cpu-polled", "the same, polled each 5 s", "%", at_most=1),
            Figure("api-memory-off", "RSS of a host without it", "MiB"),
        ),
        api.beside,
    ),
    Benchmark(
        (
            Figure("mqtt-cpu", "5,000 reports/s to mosquitto, QoS 1: CPU", "%", at_most=60),
            Figure("mqtt-rate", "messages that the broker has confirmed", "/s"),
            Figure("mqtt-cpu-client", "of it, the client alone with as many", "%"),
            Figure("mqtt-cpu-intake", "of it, the host without a target", "%"),
            Figure("mqtt-ours", "what remains: our part of a message", "us"),
        ),
        mqtt.publishing,
    ),
    Benchmark(
        (
            Figure("mqtt-stall", "own CPU between two turns, 10,000 sensors", "ms", at_most=20),
            Figure("mqtt-stall-clock", "the same by the clock, others included", "ms"),
        ),
        mqtt.stall,
    ),
    Benchmark(
        (
            Figure("mqtt-memory", "RSS that MQTT takes beside HTTP", "MiB", at_most=5),
            Figure("mqtt-memory-http", "RSS of a host with HTTP only", "MiB"),
        ),
        mqtt.memory,
    ),
    Benchmark(
        (
            Figure("spool-open", "CPU to open a spool of a million batches", "s", at_most=1),
            Figure("spool-export", "CPU to export a batch of one report", "us", at_most=10),
        ),
        spool.reading,
    ),
    Benchmark(
        (
            Figure("spool-drain", "a backlog over HTTPS on this machine", "/s", at_least=100),
            Figure("spool-drain-written", "the same: written to disk for each batch", "B"),
        ),
        spool.draining,
    ),
    Benchmark(
        (
            Figure("table", "bytes per sensor, 100,000 raw (traced)", "B", at_most=350),
            Figure("table-before-batch", "the same while a relay's queue is full", "B"),
        ),
        chain.table_memory,
    ),
)


@dataclass(slots=True)
class Running:
    """A benchmark while it is measured."""

    benchmark: Benchmark
    once: Round | None = None
    rounds: list[tuple[float, ...]] = field(default_factory=list)
    skipped: str = ""

    def step(self) -> None:
        """Prepare it the first time, then run a round each time."""
        if self.skipped:
            return
        try:
            if self.once is None:
                self.once = self.benchmark.prepare()
            else:
                self.rounds.append(self.once())
        except Unavailable as error:
            self.skipped = str(error)

    def results(self) -> list[Result]:
        figures = self.benchmark.figures
        if self.skipped:
            return [Result(figure, skipped=self.skipped) for figure in figures]
        return list(map(Result, figures, zip(*self.rounds, strict=True)))


def measure(benchmarks: Iterable[Benchmark], rounds: int) -> list[Result]:
    """Prepare all, then let them take turns, `rounds` times."""
    running = [Running(benchmark) for benchmark in benchmarks]
    for number in range(rounds + 1):
        for one in running:
            show_progress(f"round {number} of {rounds}: {one.benchmark.figures[0].name}")
            one.step()
    show_progress("")
    return [result for one in running for result in one.results()]


def show_progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def table(results: Iterable[Result]) -> Iterator[str]:
    yield f"{'figure':<20} {'median':>9} {'min':>9} {'max':>9}       {'target':<10}"
    for result in results:
        figure = result.figure
        if result.skipped:
            yield f"{figure.name:<20} skipped: {result.skipped}"
            continue
        numbers = (median(result.values), min(result.values), max(result.values))
        row = " ".join(f"{number:>9.4g}" for number in numbers)
        verdict = {None: "", True: "met", False: "MISSED"}[figure.met(result.values)]
        yield (
            f"{figure.name:<20} {row} {figure.unit:<5} {figure.target:<8} {verdict:<7} "
            f"{figure.what}"
        ).rstrip()


def as_json(result: Result) -> dict[str, object]:
    figure = result.figure
    about: dict[str, object] = {"name": figure.name, "what": figure.what, "unit": figure.unit}
    if result.skipped:
        return about | {"skipped": result.skipped}
    return about | {
        "median": median(result.values),
        "min": min(result.values),
        "max": max(result.values),
        "values": result.values,
        "at_least": figure.at_least,
        "at_most": figure.at_most,
        "met": figure.met(result.values),
    }


def machine() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "crc": "crcmod" if has_fast_crcmod() else "binascii",
    }


def compare(
    revision: str, benchmarks: list[list[Figure]], rounds: int, *, as_one_object: bool
) -> None:
    """The work tree, as it is now, against a revision. Raises GitError, BuildError."""
    for signum in (signal.SIGTERM, signal.SIGHUP):  # else both copies would stay
        signal.signal(signum, lambda signum, frame: sys.exit(128 + signum))
    with TemporaryDirectory(prefix="ruuvi-host-bench-") as folder:
        # Both are copies: what is edited meanwhile does not count, and no path is longer.
        roots = Path(folder, "new"), Path(folder, "old")
        about = (sources.copy_work_tree(roots[0]), sources.check_out(revision, roots[1]))
        new, old = builds.Build("new", roots[0]), builds.Build("old", roots[1])
        pairs = builds.compare(new, old, benchmarks, rounds, show_progress)
    if as_one_object:
        told = machine() | {"rounds": rounds, "new": about[0], "old": about[1]}
        print(json.dumps(told | {"figures": [builds.as_json(pair) for pair in pairs]}, indent=2))
    else:
        print(", ".join(f"{key} {value}" for key, value in machine().items()))
        print(f"new: {about[0]}\nold: {about[1]}\nrounds: {rounds}, in turn")
        print("\n".join(builds.table(pairs)))


def main() -> None:
    names = [figure.name for benchmark in BENCHMARKS for figure in benchmark.figures]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", metavar="NAME", help="this figure only")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="default: 7")
    parser.add_argument(
        "--against", metavar="REV", help="measure this git revision, too, round by round in turn"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--list", action="store_true", help="name the figures, and stop")
    options = parser.parse_args()
    patterns: list[str] = options.only or ["*"]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            parser.error(f"there is no figure {pattern!r}; --list names them")
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    if options.against and options.rounds < builds.ROUNDS:
        parser.error(f"--against needs {builds.ROUNDS} rounds or more")

    def wanted(figure: Figure) -> bool:
        return any(fnmatchcase(figure.name, pattern) for pattern in patterns)

    chosen = [b for b in BENCHMARKS if any(map(wanted, b.figures))]
    if options.list:
        for benchmark in chosen:
            for figure in filter(wanted, benchmark.figures):
                print(f"{figure.name:<20} {figure.what}")
        return
    if options.against:
        groups = [list(filter(wanted, benchmark.figures)) for benchmark in chosen]
        try:
            compare(options.against, groups, options.rounds, as_one_object=options.json)
        except (builds.BuildError, sources.GitError) as error:
            parser.exit(1, f"{parser.prog}: {error}\n")
        return
    results = [r for r in measure(chosen, options.rounds) if wanted(r.figure)]
    if options.json:
        about = machine() | {"rounds": options.rounds}
        print(json.dumps(about | {"figures": [as_json(r) for r in results]}, indent=2))
    else:
        print(", ".join(f"{key} {value}" for key, value in machine().items()))
        print("\n".join(table(results)))


if __name__ == "__main__":
    main()
