"""What a whole `ruuvi-host run` takes: CPU, wake-ups, memory; of this build and an older one.

    python tools/power.py --against REV            both in turn, at 200, 2,000 and 20,000 reports/s
    python tools/power.py --against REV --quiet    wake-ups and memory with ten tags, and with none
    python tools/power.py --idle                   what wakes a host (needs strace)

A feeder on a pty reports as fast as asked for, a server on this machine takes a batch each second.
CPU and wake-ups are those of all threads, as the kernel counts them; losses are what was written to
the pty and was not counted by the host. Trust the ratio of a round: both builds were measured in
it, one right after the other.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import sources
from figures import waking
from figures.whole import FED, fed, quiet

RATES = (200, 2_000, 20_000)
TAGS = (10, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--against", metavar="REV", help="measure this git revision, too")
    parser.add_argument("--quiet", action="store_true", help="few tags in place of a feeder")
    parser.add_argument("--interval", type=int, default=10, help="of --quiet; default: 10 s")
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, metavar="N")
    parser.add_argument("--tags", type=int, nargs="+", default=TAGS, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument("--seconds", type=float, default=10, help="of a round; default: 10")
    parser.add_argument("--idle", action="store_true", help="list what wakes this build")
    options = parser.parse_args()
    if options.idle:
        for tags in options.tags:
            print(f"\n{tags} tags, a batch each {options.interval} s")
            print("\n".join(waking.causes(sources.SOURCE, tags, 2 * options.seconds)))
        return
    with TemporaryDirectory(prefix="ruuvi-host-power-") as folder:
        roots = {"new": Path(folder, "new")}
        about = {"new": sources.copy_work_tree(roots["new"])}
        if options.against:
            roots["old"] = Path(folder, "old")
            try:
                about["old"] = sources.check_out(options.against, roots["old"])
            except sources.GitError as error:
                parser.exit(1, f"{parser.prog}: {error}\n")
        for name, text in about.items():
            print(f"{name}: {text}")
        if options.quiet:
            for tags in options.tags:
                print(f"\n{tags} tags, a batch each {options.interval} s")
                once = partial(quiet, tags=tags, seconds=options.seconds, interval=options.interval)
                compare(("wake-ups/s", "RSS MiB"), once, roots, options.rounds)
            return
        for rate in options.rates:
            print(f"\n{rate:,} reports/s")
            compare(FED, partial(fed, rate=rate, seconds=options.seconds), roots, options.rounds)


def compare(
    names: Sequence[str],
    measure: Callable[[Path], tuple[float, ...]],
    roots: dict[str, Path],
    rounds: int,
) -> None:
    """Measure the builds in turn, and print the median of each figure, and of the ratios."""
    told: dict[str, list[tuple[float, ...]]] = {name: [] for name in roots}
    for number in range(rounds):
        for name in sorted(roots, reverse=number % 2 == 1):
            told[name].append(measure(roots[name]))
    print(f"{'':<14}" + "".join(f"{name:>10}" for name in roots) + f"{'new/old':>10}  each round")
    for column, name in enumerate(names):
        values = {build: [row[column] for row in rows] for build, rows in told.items()}
        line = f"{name:<14}" + "".join(f"{median(v):>10.4g}" for v in values.values())
        if "old" in values and all(values["old"]):
            ratios = [new / old for new, old in zip(values["new"], values["old"], strict=True)]
            rows = " ".join(f"{ratio:.3f}" for ratio in ratios)
            line += f"{median(ratios):>10.3f}  {rows}"
        print(line)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
