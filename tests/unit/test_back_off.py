"""How long the supervisor waits between two attempts."""

from hypothesis import given
from hypothesis import strategies as st

from ruuvi_host.device.reopener import BackOff


def average(low: float, high: float) -> float:
    return (low + high) / 2


def test_it_doubles_from_half_a_second_to_thirty() -> None:
    back_off = BackOff(average)
    assert [back_off.next() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    back_off.reset()
    assert [back_off.next() for _ in range(2)] == [0.5, 1]


@given(st.lists(st.sampled_from(["next"] * 9 + ["reset"]), min_size=1, max_size=40))
def test_chance_moves_it_by_a_quarter_and_never_out_of_its_bounds(calls: list[str]) -> None:
    back_off, steady = BackOff(), BackOff(average)
    for call in calls:
        if call == "reset":
            back_off.reset()
            steady.reset()
        else:
            pause, expected = back_off.next(), steady.next()
            assert 0.5 <= pause <= 30.0
            assert 0.75 * expected <= pause <= 1.25 * expected


def test_two_hosts_do_not_keep_step() -> None:
    first, second = BackOff(), BackOff()
    pauses = [(first.next(), second.next()) for _ in range(40)]
    assert all(any(a != b for a, b in part) for part in (pauses[:20], pauses[20:]))
