"""Who leaves a full table: a crowd of random addresses pushes out itself, not the real sensors."""

from collections.abc import Iterator
from heapq import merge
from itertools import count
from random import Random

import pytest

from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.eviction import AGAIN, REMEMBERED
from ruuvi_host.intake.table import AdvertisementTable

INTERVAL = 1.285
"""Seconds between two advertisements of a RuuviTag."""


def received(address: bytes, at: float, data: bytes = b"") -> Advertisement:
    return Advertisement(address, data or b"%f" % at, -60, 1, 15, 37, None, at, int(at))


def sensor(number: int) -> bytes:
    return b"sen" + number.to_bytes(3)


def real(sensors: int, until: float, interval: float = INTERVAL) -> Iterator[Advertisement]:
    """What so many RuuviTags send: a new measurement each time."""
    for number in count():
        at = number * interval / sensors
        if at >= until:
            return
        yield received(sensor(number % sensors), at)


def flood(
    a_second: int, until: float, times: int = 1, begin: float = 0.0
) -> Iterator[Advertisement]:
    """Reports of random addresses, each sent so many times at once."""
    random = Random(1)
    for number in range(int((until - begin) * a_second / times)):
        address = random.randbytes(5) + b"."
        for each in range(times):
            yield received(address, begin + (number * times + each) / a_second)


def batches(table: AdvertisementTable, *sent: Iterator[Advertisement]) -> Iterator[int]:
    """How many real sensors are in each batch of ten seconds."""
    queue, due = table.queue(), 10.0
    for advertisement in merge(*sent, key=lambda a: a.received):
        if advertisement.received >= due:
            yield len({a.address for a in queue.take() if a.address.startswith(b"sen")})
            due += 10.0
        table.put([advertisement])


@pytest.mark.parametrize("a_second", [200, 1000])
@pytest.mark.parametrize("sensors", [1, 50, 99])
def test_random_addresses_do_not_push_the_sensors_out(sensors: int, a_second: int) -> None:
    table = AdvertisementTable()
    found = list(batches(table, real(sensors, 41.0), flood(a_second, 41.0)))
    assert found == [sensors] * 4
    assert table.counters.evicted > 30 * a_second


def test_nor_those_that_send_seldom() -> None:
    """A RuuviTag that is to live for long sends every 6.4 s."""
    found = list(batches(AdvertisementTable(), real(20, 41.0, 9.0), flood(1000, 41.0)))
    assert found[1:] == [20] * 3


def test_nor_when_they_come_in_bursts() -> None:
    found = batches(AdvertisementTable(), real(20, 41.0), flood(200, 41.0, times=2))
    assert list(found) == [20] * 4


def test_nor_when_they_come_later() -> None:
    table = AdvertisementTable()
    found = list(batches(table, real(50, 41.0), flood(200, 41.0, begin=15.0)))
    assert found == [50] * 4


def test_a_table_full_of_sensors_keeps_nearly_all() -> None:
    found = list(batches(AdvertisementTable(), real(100, 41.0), flood(200, 41.0)))
    assert min(found) >= 99


def test_a_sensor_that_has_not_changed_leaves_after_those_received_once() -> None:
    table = AdvertisementTable(max_sensors=3)
    table.put([received(sensor(1), 0.0, b"same"), received(sensor(1), 0.0, b"same")])
    for number in range(2, 9):
        table.put([received(sensor(number), 1.0)])
    assert [a.address for a in table.newest_first()] == [sensor(8), sensor(7), sensor(1)]


def test_sensors_that_are_gone_make_room() -> None:
    """No sensor stays for ever, proven or not."""
    table = AdvertisementTable(max_sensors=3)
    for at in (0.0, 5.0):
        table.put([received(sensor(number), at) for number in range(3)])
    for at in (10.0, 10.0 + AGAIN, 11.0):
        for number in (3, 4, 5):
            table.put([received(sensor(number), at)])
    assert {a.address for a in table.newest_first()} == {sensor(3), sensor(4), sensor(5)}


def test_who_has_left_is_proven_when_it_comes_back() -> None:
    table = AdvertisementTable(max_sensors=2)
    table.put([received(sensor(1), 0.0), received(sensor(2), 0.1), received(sensor(3), 0.2)])
    table.put([received(sensor(1), 1.0)])  # proven
    table.put([received(bytes([n]) * 6, 1.1) for n in range(9)])
    assert sensor(1) in {a.address for a in table.newest_first()}


def test_only_the_last_are_remembered() -> None:
    table = AdvertisementTable(max_sensors=2)
    table.put([received(sensor(n), 0.0) for n in range(REMEMBERED + 10)])
    table.put([received(sensor(0), 1.0), received(sensor(REMEMBERED), 1.0)])
    table.put([received(bytes([n]) * 6, 1.1) for n in range(9)])
    kept = {a.address for a in table.newest_first()}
    assert sensor(REMEMBERED) in kept
    assert sensor(0) not in kept


def test_an_emptied_table_still_knows_who_was_proven() -> None:
    table = AdvertisementTable(max_sensors=2)
    for at in (0.0, 1.0, 2.0):
        table.put([received(sensor(1), at)])
        table.put([received(bytes([n, round(at), 77]) * 2, at) for n in range(9)])
    table.clear()
    table.put([received(sensor(1), 3.0)])
    table.put([received(bytes([n]) * 6, 3.1) for n in range(9)])
    assert sensor(1) in {a.address for a in table.newest_first()}
