"""The trial of a configuration, led through anything: it ends, and never wrongly."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ruuvi_host.remote.trial import Found, Phase, TargetSign, Trial, Verdict

NAMES = ("ruuvi", "custom", "mqtt")
FILE = Path("/gw_cfg.json")
KEPT = Path("/state/gw_cfg.json")

signs = st.dictionaries(
    st.sampled_from(NAMES), st.builds(TargetSign, st.booleans(), st.booleans(), st.text(max_size=5))
)
events = st.lists(
    st.one_of(
        st.tuples(st.just("remote"), st.booleans()),
        st.tuples(st.just("targets"), signs),
        st.tuples(st.just("time"), st.floats(0, 200)),
        st.tuples(st.just("restart"), st.floats(-1e9, 1e9)),
        st.tuples(st.just("clock"), st.floats(-1e6, 1e6)),
    ),
    max_size=20,
)
trials = st.builds(
    Trial,
    st.just(Phase.RUNNING),
    st.floats(0, 2e9),
    st.floats(1, 86400),
    st.just({FILE: "old"}),
    st.just("new"),
    st.just("digest"),
    st.lists(st.sampled_from(NAMES), unique=True).map(tuple),
)


@given(trials, events, signs)
def test_it_ends_and_never_wrongly(
    trial: Trial, happens: list[tuple[str, object]], last: dict[str, TargetSign]
) -> None:
    now, answered, proven = trial.began, False, set[str]()
    voters = set(trial.voters)
    for kind, what in happens:
        if kind == "remote":
            trial = trial.see_remote(answered=bool(what), why="" if what else "refused")
            answered = answered or bool(what)
        elif kind == "targets":
            assert isinstance(what, dict)
            counting = set(trial.voters)
            if counting and not trial.proven and not what.keys() & counting:
                counting = set(what)  # they take the place of those that are gone
                voters |= counting
            proven |= {n for n, sign in what.items() if sign.proven and n in counting}
            trial = trial.see_targets(what)
        elif kind == "time":
            assert isinstance(what, float)
            now += what
        elif kind == "clock":  # was set, and the trial lasts as long as before
            assert isinstance(what, float)
            left = trial.until - now
            now, trial = now + what, trial.shifted(what)
            assert abs(trial.until - now - left) < 1e-3
        else:  # another process, whose clock may be anything
            assert isinstance(what, float)
            now += what
            trial = Trial.from_document(trial.document()).taken_up(now)
            assert now < trial.until + 1e-3
            assert trial.until <= now + trial.seconds + 1e-3
    assert trial.remote is answered
    assert set(trial.proven) == proven
    assert set(trial.voters) | set(trial.proven) <= voters
    if trial.voters and not trial.proven and not last.keys() & set(trial.voters):
        voters |= last.keys()
    end = max(now, trial.until) + 1
    trial = trial.see_targets(last)
    judged = trial.judge(end, last)
    assert judged.verdict is not Verdict.WAITING
    assert (judged.verdict is Verdict.BACK) == bool(judged.why)
    if not answered:
        assert judged.verdict is Verdict.BACK
    if answered and trial.proven:
        assert judged.verdict is Verdict.KEPT
    tried_in_vain = [n for n in trial.voters if last[n].tried]
    if answered and tried_in_vain and not trial.proven:
        assert judged.verdict is Verdict.BACK
    assert set(judged.degraded) <= set(trial.voters)


@given(trials)
def test_it_is_asked_four_times_before_its_end(trial: Trial) -> None:
    tries = trial.tries()
    assert len(tries) == 4
    assert trial.began < tries[0] < tries[1] < tries[2] < tries[3] < trial.until or (
        trial.seconds < 1e-6 * trial.began  # a clock has no more digits
    )


texts = st.sampled_from(["old", "new", "other", None])


@given(
    st.dictionaries(st.sampled_from([FILE, KEPT]), st.sampled_from(["old", None]), min_size=1),
    st.dictionaries(st.sampled_from([FILE, KEPT]), texts),
)
def test_what_is_found_after_a_power_cut(
    before: dict[Path, str | None], present: dict[Path, str | None]
) -> None:
    trial = Trial(Phase.APPLYING, 0.0, 300.0, before, "new", "d")
    found = trial.found(present)
    assert (found is Found.OLD) == all(present.get(p) == text for p, text in before.items())
    if found is Found.NEW:
        assert "new" in present.values()
    one = next(iter(before))
    assert trial.found({**before, one: "new"}) is Found.NEW
    assert trial.found({**before, one: "other"}) is Found.OTHER
    assert replace(trial, phase=Phase.GOING_BACK).found(before) is Found.OLD
