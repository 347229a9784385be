"""Whether a backlog grows: told after some minutes, and not for an outage that has ended."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruuvi_host.monitoring.backlog import Backlog


def looked(waiting: Callable[[float], int], until: float, period: float = 10.0) -> Backlog:
    """At each new batch; waiting: at so many seconds."""
    backlog, now = Backlog(), 0.0
    while now <= until:
        backlog.look(1000.0 + now, waiting(now), period)
        now += period
    return backlog


def test_a_server_that_is_slower_than_the_interval() -> None:
    def slow(now: float) -> int:  # a post takes 15 s, and there is one each 10 s
        return int(now / 10 - now / 15)

    assert looked(slow, 200).growth is None, "it may be a short outage"
    assert looked(slow, 400).growth == pytest.approx(120, rel=0.1)
    assert looked(slow, 40_000).growth == pytest.approx(120, rel=0.1)


@given(st.lists(st.integers(0, 2), min_size=100, max_size=100))
def test_what_is_on_its_way_is_no_backlog(waiting: list[int]) -> None:
    assert looked(lambda now: waiting[int(now // 10)], 990).growth is None


def test_an_outage_grows_and_shrinks() -> None:
    def outage(now: float) -> int:  # of half an hour; then the backlog is sent, as to the Cloud
        return int(min(now, 1800) / 10) - int(max(now - 1800, 0) / 15)

    assert looked(outage, 1790).growth == pytest.approx(360, rel=0.05)
    assert looked(outage, 1830).growth is None, "it has begun to shrink"
    assert looked(outage, 2400).growth == pytest.approx(-240, rel=0.1)
    assert looked(lambda now: 0 if now > 1800 else int(now / 10), 3000).growth is None


def test_a_long_interval_needs_some_of_them() -> None:
    hours = looked(lambda now: int(now / 3600), 8 * 3600, period=3600.0)
    assert hours.growth == pytest.approx(1)


def test_what_is_remembered_is_bounded() -> None:
    assert len(looked(lambda now: int(now), 5000, period=1.0)._seen) < 30
