"""tools/bench.py runs and tells; how fast anything is, is not tested."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "tools" / "bench.py"


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(BENCH), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_list_names_figures_without_measuring() -> None:
    ran = bench("--list", "--only", "line-200-*", "--only", "bellows")
    assert ran.returncode == 0, ran.stderr
    assert [line.split()[0] for line in ran.stdout.splitlines()] == [
        *("bellows", "line-200-lost", "line-200-p99", "line-200-p99-bare"),
        *("line-200-cpu", "line-200-rate"),
    ]


def test_two_figures_as_json() -> None:
    ran = bench("--only", "damage", "--only", "batches", "--rounds", "1", "--json")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["rounds"] == 1
    assert [figure["name"] for figure in told["figures"]] == ["damage", "batches"]
    for figure in told["figures"]:
        assert [figure["median"]] == figure["values"]
        assert figure["median"] > 0
        assert figure["met"] in (True, False)


def test_a_figure_as_text() -> None:
    ran = bench("--only", "damage", "--rounds", "2")
    assert ran.returncode == 0, ran.stderr
    name, median, least, most, unit, relation, target, verdict, *_ = ran.stdout.split("\n")[
        2
    ].split()
    assert (name, unit, relation, target) == ("damage", "x", "<=", "1.15")
    assert 0 < float(least) <= float(median) <= float(most)
    assert verdict in ("met", "MISSED")


def test_an_unknown_figure_is_named() -> None:
    ran = bench("--only", "speed")
    assert ran.returncode == 2
    assert "'speed'" in ran.stderr
