"""tools/bench.py runs and tells; how fast anything is, is not tested."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from builds import Build, BuildError, Pair, as_json, compare, table
from figures.figure import Figure
from sources import GitError, check_out, copy_work_tree

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


# -- two builds -----------------------------------------------------------------------------------

FAST = Figure("fast", "something", "ms", at_most=10)
MUCH = Figure("much", "something else", at_least=2)
ODD = Figure("odd", "what only one build has")

A_BENCH = """
import argparse, json, sys
from pathlib import Path

here = Path(__file__).parents[1]
values = json.loads((here / "values.json").read_text())
parser = argparse.ArgumentParser()
parser.add_argument("--list", action="store_true")
parser.add_argument("--json", action="store_true")
parser.add_argument("--rounds", type=int)
parser.add_argument("--only", action="append")
options = parser.parse_args()
if options.list:
    for name in values:
        print(name, "what it is")
    sys.exit()
assert options.json and options.rounds == 1
with open(here.parent / "log", "a+") as log:
    log.seek(0)
    before = log.read().splitlines()
    log.write(f"{here.name} {' '.join(options.only)}\\n")
told = []
for name in options.only:
    value = values[name]
    if isinstance(value, str):
        told.append({"name": name, "skipped": value})
    else:
        turn = sum(line.startswith(here.name) and name in line.split() for line in before)
        told.append({"name": name, "values": [value[turn]]})
print(json.dumps({"figures": told}))
"""
"""What tells of each round what stands in values.json, and notes in a log that it was asked."""


def a_build(folder: Path, name: str, values: dict[str, list[float] | str]) -> Build:
    root = folder / name
    for package in ("firmware_protocol", "ruuvi_host"):
        (root / package).mkdir(parents=True)
        (root / package / "__init__.py").touch()
    (root / "tools").mkdir()
    (root / "tools" / "bench.py").write_text(A_BENCH)
    (root / "values.json").write_text(json.dumps(values))
    return Build(name, root)


def test_two_builds_take_turns_and_their_medians_are_compared(tmp_path: Path) -> None:
    new = a_build(
        tmp_path,
        "new",
        {"fast": [9, 2, 3, 1, 2, 2, 4], "much": [6] * 7, "odd": [1.0] * 7},
    )
    old = a_build(tmp_path, "old", {"fast": [8, 8, 4, 9, 1, 8, 8], "much": [5, 4, 3, 4, 4, 4, 4]})
    shown: list[str] = []
    fast, odd, much = compare(new, old, [[FAST, ODD], [MUCH]], 7, shown.append)
    turns = ["new fast", "old fast", "new much", "old much"]
    returns = ["old fast", "new fast", "old much", "new much"]
    assert (tmp_path / "log").read_text().split("\n") == [*(turns + returns) * 3, *turns, ""]
    assert shown[:2] == ["round 1 of 7: fast, new", "round 1 of 7: fast, old"]
    assert shown[-1] == ""
    assert fast.new == [9, 2, 3, 1, 2, 2, 4], "a value a round, in order"
    assert (fast.ratio, fast.apart) == (2 / 8, False)
    assert (much.ratio, much.apart) == (6 / 4, True)
    assert odd.skipped == "old: there is no such figure"
    _, _, one, other, last = table([fast, odd, much])
    assert one.split()[:10] == ["fast", *"2 1 9 8 1 9".split(), "ms", "0.250", "overlap"]
    assert one.endswith("less is better: something")
    assert other.split(maxsplit=1) == ["odd", "skipped: old: there is no such figure"]
    assert last.split()[:10] == ["much", *"6 6 6 4 3 5".split(), "x", "1.500", "apart"]
    assert last.endswith("more is better: something else")
    assert as_json(fast) == {
        "name": "fast",
        "what": "something",
        "unit": "ms",
        "ratio": 0.25,
        "apart": False,
        "new": {"median": 2, "min": 1, "max": 9, "values": fast.new},
        "old": {"median": 8, "min": 1, "max": 9, "values": fast.old},
    }
    assert as_json(odd)["skipped"] == odd.skipped


def test_there_is_no_ratio_to_nothing() -> None:
    assert Pair(FAST, [1.0], [0.0]).ratio is None
    assert Pair(FAST, [0.0], [0.0]).ratio == 1
    assert " - " in list(table([Pair(FAST, [1.0], [0.0])]))[-1]


def test_what_one_build_cannot_measure_is_skipped_with_its_reason(tmp_path: Path) -> None:
    new = a_build(tmp_path, "new", {"fast": [1] * 7, "much": [2] * 7})
    old = a_build(tmp_path, "old", {"fast": "no peer", "much": [4] * 7})
    fast, much = compare(new, old, [[FAST, MUCH]], 7)
    assert (fast.skipped, fast.ratio, much.ratio) == ("old: no peer", None, 0.5)


def test_a_build_that_fails_is_named_with_what_it_said(tmp_path: Path) -> None:
    new = a_build(tmp_path, "new", {"fast": [1] * 7})
    old = a_build(tmp_path, "old", {"fast": []})
    with pytest.raises(BuildError, match=r"^old: .*bench\.py has failed; .*: IndexError"):
        compare(new, old, [[FAST]], 7)
    (old.root / "tools" / "bench.py").write_text("print('fast')")
    with pytest.raises(BuildError, match=r"^old: .*bench\.py --json prints something else"):
        compare(new, old, [[FAST]], 7)


def test_a_build_is_never_measured_with_the_modules_of_another(tmp_path: Path) -> None:
    old = a_build(tmp_path, "old", {"fast": [1] * 7})
    shutil.rmtree(old.root / "ruuvi_host")
    with pytest.raises(BuildError, match="another build's"):
        old.prepare()


def test_seven_rounds_at_least() -> None:
    ran = bench("--against", "HEAD", "--rounds", "6")
    assert ran.returncode == 2
    assert "7 rounds or more" in ran.stderr


@pytest.mark.skipif(not (BENCH.parents[1] / ".git").exists(), reason="no git repository here")
@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_a_comparison_that_is_ended_leaves_nothing(tmp_path: Path) -> None:
    """Both builds are in copies, in the folder for temporary files."""
    command = [sys.executable, str(BENCH), "--against", "HEAD", "--only", "line-200-cpu"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as comparison:
        while not list(tmp_path.glob("*/old/tools/bench.py")):
            assert comparison.poll() is None
        comparison.terminate()
        assert comparison.wait() == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.invalid")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_files_of_the_work_tree_and_of_a_revision(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("kept", "removed", "changed"):
        (source / name).write_text("first")
    (source / ".gitignore").write_text("ignored")
    git(source, "init", "-q")
    git(source, "add", ".")
    git(source, "commit", "-qm", "A first one")
    assert copy_work_tree(tmp_path / "same", source).endswith(" A first one")
    (source / "removed").unlink()
    (source / "changed").write_text("second")
    for name in ("new", "ignored"):
        (source / name).write_text("second")
    told = copy_work_tree(tmp_path / "now", source)
    assert told.endswith(" A first one, and changes")
    assert contents(tmp_path / "now") == {"kept": "first", "changed": "second", "new": "second"}
    assert check_out("HEAD", tmp_path / "before", source) == told.removesuffix(", and changes")
    assert contents(tmp_path / "before") == dict.fromkeys(("kept", "removed", "changed"), "first")
    with pytest.raises(GitError, match=r"git has no v9\^"):
        check_out("v9", tmp_path / "never", source)
    with pytest.raises(GitError, match="not a git repository"):
        copy_work_tree(tmp_path / "never", tmp_path)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.name[0] != "."}
