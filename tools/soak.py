"""`make soak`: the fault tests again and again, for as long as asked, with a report of figures.

  python tools/soak.py                        all of them, once, with 200 kills
  python tools/soak.py kill --times 1000      one of them, longer
  python tools/soak.py --minutes 480          all in turn, the whole night
  python tools/soak.py --report soak.jsonl    where the figures go; a summary stands at the end

A scenario is a file of tests/faults; the tests tell their figures with `soak_figures.tell`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

FAULTS = Path(__file__).parent.parent / "tests" / "faults"
SCENARIOS = {path.stem.removeprefix("test_"): path for path in sorted(FAULTS.glob("test_*.py"))}
KILLS = 200


def main() -> int:
    parser = argparse.ArgumentParser(description="Fault tests for as long as asked.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCENARIOS))
    parser.add_argument("--minutes", type=float, default=0.0, help="each is done at least once")
    parser.add_argument("--times", type=int, default=KILLS, help="kills, and the like, in each run")
    parser.add_argument("--report", type=Path, default=Path("soak.jsonl"))
    options = parser.parse_args()
    names = options.names or list(SCENARIOS)
    if unknown := set(names) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(unknown)} (there are: {', '.join(SCENARIOS)})")
    environment = os.environ | {
        "RUUVI_SOAK_TIMES": str(options.times),
        "RUUVI_SOAK_REPORT": str(options.report.absolute()),
    }
    options.report.write_text("", encoding="utf-8")
    began, runs, failed = time.monotonic(), 0, 0
    while runs == 0 or time.monotonic() - began < 60 * options.minutes:
        for name in names:
            command = [sys.executable, "-m", "pytest", "-q", "--timeout=0", str(SCENARIOS[name])]
            ended = subprocess.run(command, env=environment, check=False, cwd=FAULTS.parent.parent)
            failed += ended.returncode != 0
            write(options.report, {"scenario": name, "exit": ended.returncode})
        runs += 1
    print(f"\n{options.report}: rounds {runs}, failed {failed}")
    for line in summary(options.report):
        print(line)
    return 1 if failed else 0


def write(report: Path, line: dict[str, Any]) -> None:
    with report.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def summary(report: Path) -> list[str]:
    """For each scenario: how often, and the sum, or least and most, of its figures."""
    told: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for text in report.read_text("utf-8").splitlines():
        line = json.loads(text)
        if "exit" not in line:
            told[line.pop("scenario")].append(line)
    lines = []
    for scenario, figures in told.items():
        parts = []
        for name in figures[0]:
            values = [each[name] for each in figures if isinstance(each.get(name), int | float)]
            if name == "at" or not values:
                continue
            low, high = min(values), max(values)
            parts.append(f"{name} {low}" if low == high else f"{name} {low} to {high}")
        lines.append(f"{scenario} ({len(figures)}x): {', '.join(parts)}")
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
