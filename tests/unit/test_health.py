"""The judgement of health: what is excused, for how long, and what it says."""

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruuvi_host.monitoring.health import (
    LINK_PATIENCE,
    LOSING_PATIENCE,
    STANDSTILL,
    Finding,
    Health,
    HostFacts,
    Level,
    LinkFacts,
    TargetFacts,
    judge,
    unreachable,
)

NOW = 100_000.0
PORT = "/dev/ttyACM0"
LINK = LinkFacts(PORT, answers=True, present=True, answered=NOW, reported=NOW - 1)
TARGET = TargetFacts("custom", batch_due=NOW + 3, served=NOW - 7, answered=NOW - 7)
DOWN = replace(
    TARGET, failing="Connection refused", served=NOW - 5400, step_due=NOW + 60, waiting=540
)


def judged(link: LinkFacts = LINK, target: TargetFacts = TARGET, hindrance: str = "") -> Health:
    return judge(HostFacts([link], [target], hindrance), NOW)


def told(health: Health) -> tuple[Level, str]:
    return health.level, health.sentence


def test_all_is_well() -> None:
    assert told(judged()) == (Level.OK, "reports flow; custom: batches are accepted")
    backlog = judged(target=replace(TARGET, waiting=3))
    assert told(backlog) == (Level.OK, "reports flow; custom: batches are accepted, waiting 3")


def test_a_quiet_radio_is_no_fault() -> None:
    assert judged(replace(LINK, reported=None)).sentence.startswith("no reports yet")
    quiet = judged(replace(LINK, reported=NOW - 6 * 3600))
    assert quiet.level is Level.OK
    assert quiet.sentence.startswith("no reports for 6.0 h, the coprocessor answers; ")


def test_an_unplugged_coprocessor_is_known_for_as_long_as_it_lasts() -> None:
    gone = replace(LINK, answers=False, present=False, answered=NOW - 90_000)
    assert told(judged(gone)) == (Level.DEGRADED, f"{PORT}: no coprocessor for 25.0 h")


@pytest.mark.parametrize(("silent", "level"), [(10, Level.DEGRADED), (LINK_PATIENCE, Level.FAULT)])
def test_a_port_that_is_there_and_silent(silent: float, level: Level) -> None:
    health = judged(replace(LINK, answers=False, answered=NOW - silent))
    assert health.level is level
    assert health.sentence.startswith(f"{PORT}: no answer from the coprocessor for ")


def test_a_server_that_is_down_is_known_as_long_as_data_is_kept() -> None:
    assert told(judged(target=DOWN)) == (
        Level.DEGRADED,
        "custom: nothing accepted for 90 min (Connection refused), batches kept 540",
    )


def test_data_that_cannot_be_written_is_excused_for_a_short_while() -> None:
    losing = replace(DOWN, unkept_since=NOW - LOSING_PATIENCE + 1)
    assert judged(target=losing).level is Level.DEGRADED
    health = judged(target=replace(losing, unkept_since=NOW - LOSING_PATIENCE))
    assert told(health) == (
        Level.FAULT,
        "custom: nothing accepted for 90 min (Connection refused), batches kept 540; what comes "
        "cannot be written for 5 min",
    )
    served = replace(losing, failing="", unkept_since=NOW - LOSING_PATIENCE)
    assert judged(target=served).level is Level.OK


def test_no_new_start_makes_room_on_a_disk() -> None:
    full = replace(DOWN, unkept_since=NOW - 9000, unkept_why="the disk is full", no_room=True)
    assert told(judged(target=replace(full, lost=12))) == (
        Level.DEGRADED,
        "custom: nothing accepted for 90 min (Connection refused), batches kept 540, lost 12; "
        "what comes cannot be written for 2.5 h (the disk is full)",
    )


def test_what_is_lost_is_told_when_all_is_well_again() -> None:
    assert told(judged(target=replace(TARGET, lost=12))) == (
        Level.OK,
        "reports flow; custom: batches are accepted, lost 12",
    )


def test_a_backlog_that_grows_is_told_although_batches_are_accepted() -> None:
    slow = replace(TARGET, waiting=40, growth=119.7)
    assert told(judged(target=slow)) == (
        Level.DEGRADED,
        "custom: batches are accepted, but more are made, waiting 40, growing by 120 an hour",
    )
    assert judged(target=replace(slow, growth=-500.0)).level is Level.OK
    assert judged(target=replace(DOWN, growth=360.0)).sentence.endswith(
        "(Connection refused), batches kept 540, growing by 360 an hour"
    )


@pytest.mark.parametrize(
    "late",
    [
        replace(TARGET, batch_due=NOW - STANDSTILL),
        replace(TARGET, step_due=NOW - STANDSTILL),
    ],
)
def test_a_relay_that_stands_still(late: TargetFacts) -> None:
    assert told(judged(target=late)) == (
        Level.FAULT,
        "custom: its relay has stood still for 90 s",
    )
    just = replace(late, batch_due=late.batch_due + 1, step_due=late.step_due + 1)
    assert judged(target=just).level is Level.OK


def test_before_it_relays_no_relay_can_stand_still() -> None:
    waiting = judged(target=replace(TARGET, batch_due=0.0), hindrance="the clock is not right")
    assert told(waiting) == (Level.DEGRADED, "nothing is relayed: the clock is not right")


def test_the_worst_comes_first_and_what_is_well_is_not_said_beside_it() -> None:
    silent = replace(LINK, answers=False, answered=NOW - LINK_PATIENCE)
    health = judge(HostFacts([silent], [TARGET, DOWN]), NOW)
    assert health.sentence == (
        f"{PORT}: no answer from the coprocessor for 15 min; "
        "custom: nothing accepted for 90 min (Connection refused), batches kept 540"
    )


def test_what_is_dropped_or_filtered_is_said_beside_what_is_worse() -> None:
    """Else nobody sees it while a server is down."""
    quiet = replace(LINK, ready=NOW - 3600, reported=None, company=0x0499)
    drop = Finding(Level.OK, "table: sensors that left the full table: 3", also=True)
    health = judge(HostFacts([quiet], [DOWN, TARGET], others=[drop]), NOW)
    assert told(health) == (
        Level.DEGRADED,
        "custom: nothing accepted for 90 min (Connection refused), batches kept 540; "
        "no reports yet; only company 0x0499 passes (company_use_filtering); "
        "table: sensors that left the full table: 3",
    )


def test_of_several_coprocessors_one_that_answers_is_enough_to_go_on() -> None:
    silent = replace(LINK, name="/dev/ttyACM1", answers=False, answered=NOW - 90_000)
    health = judge(HostFacts([LINK, silent], [TARGET]), NOW)
    assert told(health) == (
        Level.DEGRADED,
        "/dev/ttyACM1: no answer from the coprocessor for 25.0 h",
    )
    assert judge(HostFacts([silent, silent], [TARGET]), NOW).level is Level.FAULT


times = st.floats(0, NOW)
links = st.builds(
    LinkFacts,
    name=st.just(PORT),
    answers=st.booleans(),
    present=st.booleans(),
    answered=times,
    reported=st.none() | times,
)
targets = st.builds(
    TargetFacts,
    name=st.sampled_from(["ruuvi", "custom"]),
    batch_due=st.floats(NOW - 200, NOW + 3600),
    step_due=st.just(inf) | st.floats(NOW - 200, NOW + 3600),
    failing=st.sampled_from(["", "no answer within 60 s"]),
    served=times,
    answered=times,
    waiting=st.integers(0, 10),
    unkept_since=st.none() | times,
    unkept_why=st.sampled_from(["", "the disk is full"]),
    no_room=st.booleans(),
    lost=st.integers(0, 3),
    growth=st.none() | st.floats(-900, 900),
)
hosts = st.builds(
    HostFacts,
    st.lists(links, min_size=1, max_size=3),
    st.lists(targets, max_size=2),
    st.sampled_from(["", "the clock is not right"]),
)


@given(hosts)
def test_there_is_always_one_line_that_names_what_is_amiss(facts: HostFacts) -> None:
    health = judge(facts, NOW)
    assert health.sentence
    assert "\n" not in health.sentence
    assert health.level is max(finding.level for finding in health.findings)


@given(hosts, st.floats(0, 1e6))
def test_what_nobody_fixes_never_gets_better(facts: HostFacts, seconds: float) -> None:
    assert judge(facts, NOW + seconds).level >= judge(facts, NOW).level


@given(hosts)
def test_good_means_that_all_answer_and_no_target_fails(facts: HostFacts) -> None:
    if judge(facts, NOW).level is Level.OK:
        assert all(link.answers for link in facts.links)
        assert not facts.hindrance
        assert not any(target.failing for target in facts.targets)


@given(hosts)
def test_a_fault_has_a_reason_that_a_new_start_may_mend(facts: HostFacts) -> None:
    """An outage, however long, is none, if it is on the way and the data is kept."""
    silent = not any(link.answers for link in facts.links) and any(
        link.present and NOW - link.answered >= LINK_PATIENCE for link in facts.links
    )
    stuck = any(NOW - min(t.batch_due, t.step_due) >= STANDSTILL for t in facts.targets)
    losing = any(
        t.failing
        and t.unkept_since is not None
        and NOW - t.unkept_since >= LOSING_PATIENCE
        and not t.no_room
        for t in facts.targets
    )
    relaying = not facts.hindrance
    expected = silent or (relaying and (stuck or losing))
    assert (judge(facts, NOW).level is Level.FAULT) == expected


def test_the_network_watchdog() -> None:
    one = replace(TARGET, answered=NOW - 3600)
    other = replace(TARGET, name="other", answered=NOW - 7200)
    file = replace(TARGET, name="file", network=False)

    def found(limit: float, *targets: TargetFacts) -> tuple[dict[str, str], bool]:
        unreached = unreachable(HostFacts([LINK], targets), NOW, limit)
        return unreached.silent, unreached.all_of_them

    hour = "no answer to a batch for 60 min"
    two_hours = "no answer to a batch for 2.0 h"
    assert found(7201, one, other) == ({}, False)
    assert found(3601, one, other) == ({"other": two_hours}, False)
    assert found(3600, one, other) == ({"custom": hour, "other": two_hours}, True)
    assert found(3600, one, file) == ({"custom": hour}, True), "a file says nothing of a network"
    assert found(3600, TARGET, file) == ({}, False)
    assert found(3600, replace(file, answered=0.0)) == ({}, False)
    assert found(3600) == ({}, False)


def test_what_happens_while_it_is_judged_is_now() -> None:
    just_now = judged(replace(LINK, answers=False, answered=NOW + 0.01))
    assert "for 0 s" in just_now.sentence


def test_what_is_judged_elsewhere_is_said_and_no_reason_to_end() -> None:
    fault = Finding(Level.DEGRADED, "configuration: scan_filter_list: nothing passes")
    health = judge(HostFacts([LINK], [TARGET], others=[fault]), NOW)
    assert (health.level, health.sentence) == (Level.DEGRADED, fault.sentence)


def test_the_filter_of_the_coprocessor_is_named_after_five_minutes() -> None:
    def said(heard: float, company: int | None, *, reported: bool) -> str:
        times = {"reported": heard} if reported else {"reported": None, "ready": heard}
        return judge(HostFacts([replace(LINK, company=company, **times)], []), NOW).sentence

    only = "; only company 0x0499 passes (company_use_filtering)"
    for reported in (True, False):
        assert said(NOW - 300, 0x0499, reported=reported).endswith(only)
        assert only not in said(NOW - 299, 0x0499, reported=reported)
        assert only not in said(NOW - 300, None, reported=reported)
