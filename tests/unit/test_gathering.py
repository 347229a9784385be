"""How long a port is left alone: by what came lately, and never while anything is awaited."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruuvi_host.device.gathering import BEGUN, FIRST, MOST, SHORTEST, Gathering

LIMIT = 0.05
REPORT = 51  # bytes of a frame with 31 bytes of advertising data


def settled(rate: float, limit: float = LIMIT, seconds: float = 3.0) -> tuple[float, float]:
    """A line with so many reports a second: reads a second, and the longest pause."""
    gathering, now, reads, longest, taken = Gathering(limit), 0.0, 0, 0.0, 0.0
    counted_from = seconds / 2
    while now < seconds:
        due = int(now * rate) - taken
        if due < 1:  # it waits for the next report
            now = (taken + 1) / rate + 1e-6
            due = int(now * rate) - taken
        taken += due
        pause = gathering.pause(int(due) * REPORT, now, calm=True, begun=False)
        if now >= counted_from:
            reads += 1
            longest = max(longest, pause)
        now += pause or 1e-5
    return reads / (seconds - counted_from), longest


def test_a_busy_line_is_read_as_often_as_its_bytes_ask_for() -> None:
    reads, longest = settled(200)
    assert longest == LIMIT
    assert reads < 21
    reads, longest = settled(2000)
    assert longest * 2000 * REPORT <= MOST * 1.1
    assert reads < 2000 / 15


def test_a_line_with_a_few_tags_is_not_left_alone() -> None:
    """Nothing would be saved: each pause would end with a look at a line that is silent."""
    reads, longest = settled(8, seconds=20)
    assert (round(reads), longest) == (8, 0)


def test_a_report_that_has_begun_is_given_the_time_to_end() -> None:
    gathering = Gathering(LIMIT)
    gathering.pause(REPORT, 0.0, calm=True, begun=False)
    assert gathering.pause(16, 1.0, calm=True, begun=True) == BEGUN
    assert gathering.pause(35, 1.05, calm=True, begun=False) == 0
    gathering.pause(22, 2.0, calm=False, begun=False)
    assert gathering.pause(16, 3.0, calm=True, begun=True) == FIRST
    assert gathering.pause(16, 4.0, calm=True, begun=True) == BEGUN


PTY = 18_000  # bytes that a raw pty holds, measured


@pytest.mark.parametrize("rate", [1, 10, 200, 2_000, 20_000, 45_000])
@pytest.mark.parametrize("silence", [0.001, 0.3, 100.0])
def test_a_flood_that_begins_after_an_answer_is_held_by_the_kernel(
    rate: int, silence: float
) -> None:
    """As soon as it is configured, or some time later: what came until then tells nothing of it."""
    gathering, start = Gathering(LIMIT), 1000.0
    gathering.pause(20, start, calm=False, begun=False)
    start += silence
    read_at, taken = start, 0
    while read_at < start + 1:
        came = int((read_at - start) * rate * REPORT) + 1
        assert came - taken <= PTY
        pause = gathering.pause(min(came - taken, 4095), read_at, calm=True, begun=True)
        taken += min(came - taken, 4095)
        read_at += pause or 0.0005


def test_what_is_awaited_is_read_at_once() -> None:
    gathering, now = Gathering(LIMIT), 0.0
    for _ in range(100):
        now += 0.01
        gathering.pause(2 * REPORT, now, calm=True, begun=True)
    assert gathering.pause(2 * REPORT, now + 0.01, calm=False, begun=True) == 0


def test_a_line_that_has_become_faster_is_read_sooner() -> None:
    gathering, now = Gathering(LIMIT), 0.0
    for _ in range(100):
        now += LIMIT
        assert gathering.pause(10 * REPORT, now, calm=True, begun=False) <= LIMIT
    pause = gathering.pause(MOST, now + LIMIT, calm=True, begun=False)
    assert pause <= LIMIT
    pause = gathering.pause(4 * MOST, now + 2 * LIMIT, calm=True, begun=False)
    assert pause == pytest.approx(LIMIT / 4)


reads = st.lists(
    st.tuples(
        st.integers(0, 4095), st.floats(0, 10, allow_subnormal=False), st.booleans(), st.booleans()
    ),
    min_size=2,
)


@given(reads, st.sampled_from([0, 0.001, LIMIT, 1.0]))
def test_no_pause_is_longer_than_allowed(
    reads: list[tuple[int, float, bool, bool]], limit: float
) -> None:
    gathering, now = Gathering(limit), 0.0
    for size, since, calm, begun in reads:
        now += since
        pause = gathering.pause(size, now, calm=calm, begun=begun)
        assert pause == 0 or SHORTEST <= pause <= limit
        assert calm or pause == 0
        assert pause * size <= MOST * since * 1.001 or since == 0 or now == since
