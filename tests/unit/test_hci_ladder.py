"""The ladder, with a false clock."""

from itertools import pairwise
from math import inf

import pytest

from ruuvi_host.hci.ladder import CALM, Ladder, Rung


def climb(ladder: Ladder, until: float) -> list[tuple[float, int]]:
    """What silence leads to until then, asked whenever something is due."""
    climbed = []
    while (now := ladder.deadline) <= until:
        rung = ladder.due(now)
        assert rung
        climbed.append((now, rung.value))
    return climbed


def test_silence_climbs_slowly_and_then_keeps_to_what_costs_little() -> None:
    ladder = Ladder()
    assert ladder.deadline == inf, "nothing is expected yet"
    ladder.watch(1000.0)
    climbed = [(at - 1000.0, rung) for at, rung in climb(ladder, 3000.0)]
    assert climbed[:4] == [(42.0, 1), (84.0, 2), (210.0, 3), (252.0, 1)]
    assert [at for at, rung in climbed if rung == 3] == [210.0, 810.0, 1410.0]
    assert {rung for _, rung in climbed[3:]} == {1, 3}
    pauses = [b - a for (a, _), (b, rung) in pairwise(climbed[2:]) if rung == 1]
    assert set(pauses) == {42.0}


def test_nothing_is_due_before_its_time() -> None:
    ladder = Ladder()
    ladder.watch(0.0)
    assert ladder.due(41.9) is None
    assert ladder.due(42.0) is Rung.SCAN_ANEW
    assert ladder.due(42.0) is None


def test_a_report_with_data_leads_back_to_the_bottom() -> None:
    ladder = Ladder()
    ladder.watch(0.0)
    climb(ladder, 300.0)
    assert ladder.heard(300.0) is Rung.REOPEN
    assert ladder.heard(301.0) is None
    assert climb(ladder, 600.0)[:3] == [(343.0, 1), (385.0, 2), (511.0, 3)]


def test_a_report_while_none_is_expected_ends_the_silence_of_before() -> None:
    ladder = Ladder()
    ladder.watch(0.0)
    ladder.pause(40.0)
    ladder.heard(50.0)
    ladder.watch(60.0)
    assert ladder.deadline == 102.0


def test_silence_counts_only_while_reports_are_expected() -> None:
    ladder = Ladder()
    ladder.watch(0.0)
    ladder.pause(30.0)
    assert ladder.deadline == inf
    assert ladder.silence(1000.0) == 30.0
    ladder.watch(1000.0)
    ladder.watch(1001.0)  # it is, already
    assert climb(ladder, 1060.0) == [(1012.0, 1), (1054.0, 2)]


def test_who_was_stopped_for_an_hour_does_not_make_up_for_it() -> None:
    ladder = Ladder()
    ladder.watch(0.0)
    assert ladder.due(3600.0) is Rung.SCAN_ANEW
    assert ladder.due(3600.0) is None
    assert climb(ladder, 3700.0) == [(3642.0, 2), (3684.0, 3)]


def test_faults_climb_at_once() -> None:
    ladder = Ladder()
    assert [ladder.fault(now) for now in (0.0, 2.0, 4.0, 6.0)] == [2, 3, 4, 4]


@pytest.mark.parametrize(("at_least", "rungs"), [(3, [3, 4, 4]), (4, [4, 4, 4])])
def test_worse_faults_begin_higher(at_least: int, rungs: list[int]) -> None:
    ladder = Ladder()
    assert [ladder.fault(now, Rung(at_least)) for now in (0.0, 1.0, 2.0)] == rungs


def test_reports_forgive_faults_and_so_does_time() -> None:
    ladder = Ladder()
    assert [ladder.fault(0.0), ladder.fault(1.0)] == [2, 3]
    ladder.heard(2.0)
    assert ladder.fault(3.0) == 2
    assert ladder.fault(3.0 + CALM) == 3
    assert ladder.fault(3.0 + 2 * CALM + 0.1) == 2
    assert ladder.is_first, "it is another story"


def test_it_tells_whether_a_rung_is_new() -> None:
    ladder = Ladder()
    ladder.watch(0.0)
    firsts = []
    while ladder.deadline < 400.0:
        ladder.due(ladder.deadline)
        firsts.append(ladder.is_first)
    assert firsts == [True, True, True, *[False] * (len(firsts) - 3)]
