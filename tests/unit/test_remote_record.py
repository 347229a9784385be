"""What a host remembers of its remote configuration: damaged on disk, and what counts as a failure;
and targets of a trial that are replaced by others."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from programs import PATIENCE

from ruuvi_host.config.remote import RemoteSettings
from ruuvi_host.jobs.remote import is_elsewhere
from ruuvi_host.jobs.remote_targets import HOUR, Targets
from ruuvi_host.monitoring.counters import TargetCounters
from ruuvi_host.monitoring.health import TargetFacts
from ruuvi_host.remote import book as book_module
from ruuvi_host.remote.book import Book
from ruuvi_host.remote.rebase import rebased
from ruuvi_host.remote.record import (
    Applied,
    FetchFacts,
    Record,
    RecordFile,
    Refusal,
    RolledBack,
)
from ruuvi_host.remote.trial import Found, Phase, TargetSign, Trial, Verdict

FILE, KEPT = Path("/gw_cfg.json"), Path("/state/gw_cfg.json")
TRIAL = Trial(Phase.RUNNING, 1.8e9, 300.0, {FILE: "old"}, "new", "d", ("custom",))
APPLIED = Applied("{}", "saved", "sha256:0", 1.8e9, "http://x/", '"e"', {FILE: None})
RECORD = Record(
    fetch=FetchFacts(1.8e9, 1.8e9, "equal", 200, "http://x/", 0, ""),
    applied=APPLIED,
    pending=APPLIED,
    refused=Refusal(1.8e9, "sha256:0", "d", "why"),
    trial=TRIAL,
    rolled_back=RolledBack(1.8e9, "why"),
    working=("custom",),
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


def test_what_is_being_kept_is_on_disk_when_whoever_keeps_it_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a host does not wait for its threads."""
    begun, free, write = threading.Event(), threading.Event(), RecordFile.write

    def slowly(self: RecordFile, record: Record) -> None:
        begun.set()
        assert free.wait(PATIENCE)
        write(self, record)

    monkeypatch.setattr(RecordFile, "write", slowly)
    monkeypatch.setattr(book_module, "CLOSING", PATIENCE)

    async def main() -> None:
        keeping = asyncio.ensure_future(Book(tmp_path).keep(rolled_back=RolledBack(1.0, "why")))
        assert await asyncio.to_thread(begun.wait, PATIENCE)
        keeping.cancel()
        asyncio.get_running_loop().call_later(0.05, free.set)
        await asyncio.wait({keeping})
        assert keeping.cancelled()
        assert RecordFile(tmp_path).read().rolled_back == RolledBack(1.0, "why")

    asyncio.run(main())


def test_a_disk_that_hangs_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, free = threading.Event(), threading.Event()

    def hangs(self: RecordFile, record: Record) -> None:
        begun.set()
        free.wait()

    monkeypatch.setattr(RecordFile, "write", hangs)
    monkeypatch.setattr(book_module, "CLOSING", 0.05)

    async def main() -> None:
        keeping = asyncio.ensure_future(Book(tmp_path).keep(rolled_back=RolledBack(1.0, "why")))
        try:
            assert await asyncio.to_thread(begun.wait, PATIENCE)
            keeping.cancel()
            await asyncio.wait({keeping}, timeout=PATIENCE)
            assert keeping.cancelled()
        finally:
            free.set()

    asyncio.run(main())


def test_a_start_does_not_make_a_host_forget_which_targets_worked() -> None:
    """Its first fetch may come before any of them has accepted anything again."""
    connections = {"mqtt": "connects to b:1883", "other": "not connected: refused; next try in 5 s"}
    facts = [
        TargetFacts("custom", 0.0),
        TargetFacts("ruuvi", 0.0, failing="refused"),
        *(TargetFacts(name, 0.0, connection=told) for name, told in connections.items()),
        TargetFacts("new", 0.0),
    ]
    counters = [(each.name, TargetCounters()) for each in facts]
    before = ("custom", "ruuvi", "mqtt", "other", "gone")
    targets = Targets(lambda: facts, lambda: counters, before, began=1000.0)
    assert targets.working(1001.0) == ("custom", "mqtt")
    assert targets.working(1000.0 + HOUR) == (), "it has shown nothing since"
    facts[0] = replace(facts[0], served=5000.0)
    counters[0][1].relay.accepted = 1
    assert targets.working(5001.0) == ("custom",)


def test_what_has_a_host_fetch_again() -> None:
    settings = RemoteSettings("http://a/")
    assert not is_elsewhere(settings, replace(settings, interval=5, splay=5, trial=5))
    for other in (replace(settings, url="http://b/"), replace(settings, pinned=("http_url",))):
        assert is_elsewhere(settings, other)


def test_a_record_of_before_has_no_targets() -> None:
    document = RECORD.document()
    del document["working"]
    assert Record.from_document(document) == replace(RECORD, working=())


def test_a_restart_does_not_make_a_failure_undone() -> None:
    """Near the end of a trial nothing may be sent any more before it is judged."""
    failing = {"custom": TargetSign(proven=False, tried=True, why="refused")}
    trial = TRIAL.see_remote(answered=True).see_targets(failing)
    after = Trial.from_document(trial.document()).taken_up(trial.until)
    silent = {"custom": TargetSign(proven=False, tried=False)}
    assert after.see_targets(silent).judge(after.until, silent).verdict is Verdict.BACK
    works = {"custom": TargetSign(proven=True, tried=True)}
    assert after.see_targets(works).judge(after.began, works).verdict is Verdict.KEPT
    document = trial.document()
    del document["tried"]
    assert Trial.from_document(document).tried == (), "of a host that did not keep them"


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


@pytest.mark.parametrize(
    ("by_hand", "over"),
    [
        ({"coordinates": "9,9"}, False),
        ({}, False),
        ({"http_url": "http://c/"}, True),
        ({"coordinates": "9,9", "remote_cfg_url": "http://c/"}, True),
    ],
)
@pytest.mark.parametrize("kept_in_state", [False, True])
def test_a_change_by_hand_while_a_trial_lasts(
    by_hand: dict[str, str], over: bool, kept_in_state: bool
) -> None:
    """It does not keep what cuts a host off; and it is not lost with that."""
    old = {"use_http": True, "http_url": "http://a/", "coordinates": "1,1", "unknown": 5}
    new = {**old, "http_url": "http://b/", "coordinates": "2,2"}
    after, changed = json.dumps(new), json.dumps({**new, **by_hand}, indent=1)
    user = {FILE: json.dumps(old)}
    before = {**user, KEPT: None} if kept_in_state else user
    written = KEPT if kept_in_state else FILE
    trial = replace(TRIAL, before=before, after=after)
    other = rebased(trial, {**before, written: changed})
    assert (other is None) is over
    if other:
        assert other.after == changed
        assert other.found({**before, written: changed}) is Found.NEW
        text = other.before[written]
        assert text
        back = json.loads(text)
        assert back["http_url"] == "http://a/"
        assert back["coordinates"] == by_hand.get("coordinates", "1,1")
        assert back["unknown"] == 5


@pytest.mark.parametrize("text", [None, "[]", "{", "old"])
def test_files_that_nobody_can_read_while_a_trial_lasts(text: str | None) -> None:
    assert rebased(TRIAL, {FILE: text}) is None
