"""What a host remembers of its remote configuration: damaged on disk, and what counts as a failure;
and targets of a trial that are replaced by others."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ruuvi_host.remote.book import Book
from ruuvi_host.remote.record import (
    Applied,
    FetchFacts,
    Record,
    RecordFile,
    Refusal,
    RolledBack,
)
from ruuvi_host.remote.trial import Phase, TargetSign, Trial, Verdict

FILE = Path("/gw_cfg.json")
TRIAL = Trial(Phase.RUNNING, 1.8e9, 300.0, {FILE: "old"}, "new", "d", ("custom",))
APPLIED = Applied("{}", "saved", "sha256:0", 1.8e9, "http://x/", '"e"', {FILE: None})
RECORD = Record(
    fetch=FetchFacts(1.8e9, 1.8e9, "equal", 200, "http://x/", 0, ""),
    applied=APPLIED,
    pending=APPLIED,
    refused=Refusal(1.8e9, "sha256:0", "d", "why"),
    trial=TRIAL,
    rolled_back=RolledBack(1.8e9, "why"),
    bad=("d",),
)


def test_it_is_as_it_was(tmp_path: Path) -> None:
    RecordFile(tmp_path).write(RECORD)
    assert RecordFile(tmp_path).read() == RECORD


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of all values in a document, from outside."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


@pytest.mark.parametrize("damage", ["x", 5, None, [], {}, True, 1e999, ["a"], {"a": 1}])
def test_damage_of_any_value(tmp_path: Path, damage: Any) -> None:
    """Either nothing is remembered, or what is has its type: nobody falls over it later."""
    for path in places(RECORD.document()):
        document = RECORD.document()
        inner: Any = document
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = damage
        (tmp_path / "remote.json").write_text(json.dumps(document))
        found = RecordFile(tmp_path).read()
        assert found == Record() or found.document().keys() == document.keys(), path
        facts = found.fetch
        assert facts.failures + 1 > 0, path
        assert facts.result + facts.url + facts.reason is not None, path
        for seconds in (facts.last, facts.success, found.refused and found.refused.at):
            assert int(seconds or 0) >= 0, path
        for applied in (found.applied, found.pending):
            assert applied is None or int(applied.at) >= 0, path
            assert applied is None or applied.hash + applied.saved + applied.text, path
        if found.trial:
            assert int(found.trial.until) >= 0, path


def test_what_counts_as_a_failure(tmp_path: Path) -> None:
    """A refused text is one where nothing would be fetched any more: with an interval of 0."""
    book = Book(tmp_path)
    for result in ("refused", "rolled_back"):
        assert book.counted(result, 200, "", 1.0).failures == 0
        assert book.counted(result, 200, "", 1.0, until_good=True).failures == 1
    assert book.counted("equal", 200, "", 1.0, until_good=True).failures == 0
    assert book.counted("unreachable", 502, "", 1.0).failures == 1


def test_targets_in_place_of_others() -> None:
    """Where none of those that worked is left, the others have to work; or there is none."""
    silent = {"mqtt": TargetSign(proven=False, tried=True, why="refused")}
    trial = TRIAL.see_remote(answered=True).see_targets(silent)
    assert trial.waiting_for == ["mqtt"]
    assert trial.judge(trial.until, silent).verdict is Verdict.BACK
    works = {"mqtt": TargetSign(proven=True, tried=True)}
    assert trial.see_targets(works).judge(trial.began, works).verdict is Verdict.KEPT
    nothing = TRIAL.see_remote(answered=True).see_targets({})
    assert nothing.judge(trial.began, {}).verdict is Verdict.KEPT
