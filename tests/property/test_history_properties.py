"""The history against a plain model: whatever comes, when, and from whom."""

import itertools
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st

from ruuvi_host.formats.df5 import HEADER, Format5
from ruuvi_host.formats.df5 import encode as encode5
from ruuvi_host.intake.history import HOLDS, MOST_SENSORS, POINTS, STEP, History
from ruuvi_host.intake.readings import Readings
from ruuvi_host.intake.table import AdvertisementTable

ADDRESSES = [n.to_bytes(6, "big") for n in range(3)]
STEPS = st.lists(
    st.tuples(
        st.floats(0, 5 * HOLDS) | st.floats(0, POINTS * STEP * 1.5),
        st.sampled_from(ADDRESSES) | st.none(),
        st.integers(-100, 100),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(STEPS, st.floats(0, 1e9))
def test_points_are_what_was_last_heard_in_each_interval(
    steps: list[tuple[float, bytes | None, int]], began: float
) -> None:
    history, table, readings = History(), AdvertisementTable(), Readings()
    last: dict[bytes, tuple[float, int]] = {}
    model: dict[bytes, dict[int, int]] = {}
    now, sequence = began, 0
    for passed, address, value in steps:
        now += passed
        if address is not None:
            sequence += 1
            measured = Format5(temperature=float(value), measurement_sequence=sequence)
            data = HEADER + encode5(measured)[1:]
            table.put([(address, data, value, 1, 15, 37, None, now, 1)])
            last[address] = now, value
        history.sample(readings, table, now, now)
        number = floor(now / STEP)
        for each in [a for a, points in model.items() if max(points) <= number - POINTS]:
            del model[each]
        for each, (at, what) in last.items():
            if now - at <= HOLDS:
                model.setdefault(each, {})[number] = what
    number, utc = floor(now / STEP), now + 1e6
    assert len(history) <= MOST_SENSORS
    for address in ADDRESSES:
        points = model.get(address, {})
        first = max(min(points, default=number + 1), number - POINTS + 1)
        expected = [points.get(n) for n in range(first, number + 1)]
        found = history.series(address, "temperature", -1e300, now, utc)
        assert [value for _, value in found] == expected
        assert [value for _, value in history.series(address, "rssi", 0.0, now, utc)] == expected
        assert all(b[0] - a[0] in (119, 120, 121) for a, b in itertools.pairwise(found))
        assert all(time <= utc + 1 for time, _ in found)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 400), max_size=400), st.integers(1, 300))
def test_there_are_never_more_than_may_be(senders: list[int], max_sensors: int) -> None:
    history, table, readings = History(), AdvertisementTable(max_sensors), Readings()
    for number, sender in enumerate(senders):
        data = HEADER + encode5(Format5(temperature=1.0, measurement_sequence=number))[1:]
        table.put([(sender.to_bytes(6, "big"), data, -60, 1, 15, 37, None, number * 20.0, 1)])
        history.sample(readings, table, number * 20.0, number * 20.0)
        assert len(history) <= MOST_SENSORS
