"""The rate of a backlog, whatever a server does."""

from hypothesis import given
from hypothesis import strategies as st

from ruuvi_host.relay.drain_rate import FORGOTTEN, LEAST, MOST, START, DrainRate, Reply

REPLIES = st.lists(
    st.builds(
        lambda pause, took, end, own: (pause, took, *end, own),
        st.one_of(st.just(0.0), st.floats(0, 2 * FORGOTTEN)),
        st.floats(0.0, 60.0),
        st.sampled_from([(True, False), (False, True), (False, False)]),
        st.booleans(),
    ),
    max_size=200,
)
LIMITS = st.sampled_from([0, 1, 5, 20, 50, 1000])


@given(LIMITS, REPLIES)
def test_the_rate_keeps_its_bounds(
    limit: int, replies: list[tuple[float, float, bool, bool, bool]]
) -> None:
    rate, now = DrainRate(limit), 0.0
    for pause, took, accepted, overloaded, own in replies:
        before, now = rate.per_second, now + pause + took
        rate.told(Reply(now, took, accepted, overloaded, own))
        after = rate.per_second
        assert min(LEAST, limit or LEAST) <= after <= (limit or MOST)
        assert after <= 2 * before
        assert rate.gap == 1 / after
        if overloaded:
            assert after <= max(before / 2, LEAST)
        if accepted and not own and not limit:
            assert after <= START


def told(
    rate: DrainRate, took: float, count: int, begin: float = 0.0, *, own: bool = True
) -> float:
    """So many accepted ones, as fast as is allowed. The time then."""
    now = begin
    for _ in range(count):
        now += max(took, rate.gap)
        rate.told(Reply(now, took, accepted=True, own=own))
    return now


@given(st.floats(0.0001, 0.005))
def test_an_own_server_that_answers_fast_gets_a_hundred_a_second_within_two(took: float) -> None:
    rate = DrainRate()
    now = told(rate, took, 70)
    assert rate.per_second >= 100
    assert now < 2.0
    told(rate, took, 1000, now)
    assert rate.per_second >= 160


@given(st.floats(0.0001, 0.04), st.integers(1, 500))
def test_others_are_not_hurried(took: float, count: int) -> None:
    rate = DrainRate()
    told(rate, took, count, own=False)
    assert rate.per_second == START
    assert not rate.hurries


def test_a_limit_makes_any_server_an_own_one() -> None:
    rate = DrainRate(60)
    told(rate, 0.001, 200, own=False)
    assert rate.per_second == 60


@given(st.floats(0.15, 50.0))
def test_slowness_halves_it_and_no_single_hiccup_does(slow: float) -> None:
    rate = DrainRate()
    now = told(rate, 0.002, 200)
    fast = rate.per_second
    told(rate, 0.3, 1, now)
    assert rate.per_second == fast
    told(rate, slow, 30, now + 1)
    assert rate.per_second <= fast / 4


def test_an_answer_slower_than_the_pause_is_no_reason_to_go_faster() -> None:
    rate = DrainRate()
    told(rate, 0.03, 1000)
    assert rate.per_second == 40


def test_it_recovers_after_an_overload_and_begins_anew_after_a_minute() -> None:
    rate = DrainRate()
    now = told(rate, 0.002, 300)
    for _ in range(20):
        rate.told(Reply(now, 0.002, accepted=False, overloaded=True))
    assert rate.per_second == LEAST
    now = told(rate, 0.002, 500, now)
    assert rate.per_second >= 100
    rate.told(Reply(now + FORGOTTEN + 1, 0.002, accepted=True, own=True))
    assert rate.per_second == START


def test_a_slow_server_is_asked_no_less_often_than_is_polite_to_anybody() -> None:
    """One request is under way at a time, which spares it; a longer pause would only delay."""
    rate, now = DrainRate(), 0.0
    for number in range(400):
        took = 0.001 if number < 100 else 0.15
        now += max(took, rate.gap)
        rate.told(Reply(now, took, accepted=True, own=True))
    assert rate.per_second == START
    rate.told(Reply(now, 0.15, accepted=False, overloaded=True))
    assert rate.per_second == START / 2
