"""What becomes of fragments that never become whole, and of their rests."""

from hci_events import ADDRESS

from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.joiner import LONGEST, MOST, OLDEST, Joiner, Whole

WHO = (1, ADDRESS, 0)


def test_a_report_without_fragments_is_whole() -> None:
    joiner = Joiner(ControllerCounters())
    assert joiner.complete(WHO, b"abc", 4) == Whole(b"abc", 4)
    assert not joiner


def test_address_type_address_and_set_tell_advertisers_apart() -> None:
    joiner = Joiner(ControllerCounters())
    others = [(0, ADDRESS, 0), (1, bytes(6), 0), (1, ADDRESS, 1)]
    for advertiser in (WHO, *others):
        joiner.add(advertiser, b"a", 127, 0.0)
    assert joiner.complete(WHO, b"b", 7) == Whole(b"ab", 7)
    assert joiner.complete(others[2], b"c", 7) == Whole(b"ac", 7)


def test_as_much_as_an_advertisement_may_be_is_joined() -> None:
    joiner = Joiner(ControllerCounters())
    joiner.add(WHO, bytes(LONGEST - 1), 127, 0.0)
    assert joiner.complete(WHO, b"!", 127) == Whole(bytes(LONGEST - 1) + b"!", 127)


def test_the_rest_of_a_too_long_one_is_not_taken_for_another() -> None:
    counters = ControllerCounters()
    joiner = Joiner(counters)
    joiner.add(WHO, bytes(200), 127, 0.0)
    joiner.add(WHO, bytes(56), 127, 0.1)
    assert (counters.orphaned, counters.waiting) == (2, 0)
    joiner.add(WHO, b"more", 127, 0.2)
    assert joiner.complete(WHO, b"rest", 127) is None
    assert counters.orphaned == 4
    assert joiner.complete(WHO, b"the next", 127) == Whole(b"the next", 127)


def test_one_that_is_too_long_only_in_the_end_is_dropped_too() -> None:
    counters = ControllerCounters()
    joiner = Joiner(counters)
    joiner.add(WHO, bytes(LONGEST), 127, 0.0)
    assert joiner.complete(WHO, b"!", 127) is None
    assert (counters.orphaned, counters.waiting, counters.joined) == (2, 0, 0)


def test_after_two_seconds_the_rest_does_not_come_any_more() -> None:
    counters = ControllerCounters()
    joiner = Joiner(counters)
    joiner.add(WHO, b"a", 127, 0.0)
    joiner.expire(OLDEST)
    assert counters.waiting == 1
    joiner.expire(OLDEST + 0.01)
    assert (counters.waiting, counters.orphaned) == (0, 1)
    assert joiner.complete(WHO, b"new", 127) == Whole(b"new", 127)


def test_of_too_many_the_oldest_is_given_up_and_its_rest_dropped() -> None:
    counters = ControllerCounters()
    joiner = Joiner(counters)
    many = [(1, ADDRESS, sid) for sid in range(MOST + 1)]
    for at, advertiser in enumerate(many):
        joiner.add(advertiser, b"a", 127, at / 100)
    assert (counters.waiting, counters.orphaned) == (MOST, 1)
    assert joiner.complete(many[0], b"rest", 127) is None
    assert joiner.complete(many[1], b"b", 127) == Whole(b"ab", 127)


def test_memory_is_bounded() -> None:
    counters = ControllerCounters()
    joiner = Joiner(counters)
    for number in range(1000):
        joiner.add((1, number.to_bytes(6, "big"), 0), bytes(200), 127, 0.0)
    assert counters.waiting == MOST
    assert counters.orphaned == 1000 - MOST
    assert len(joiner._unfinished) <= 2 * MOST + 1
    joiner.clear()
    assert (counters.waiting, counters.orphaned) == (0, 1000)
