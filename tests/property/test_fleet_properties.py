"""Many hosts as one, against the rule as it stands in words, over what has come so far."""

from fleet_messages import UTC, message
from hypothesis import given, settings
from hypothesis import strategies as st

from ruuvi_host.fleet.fleet import Fleet, Measurement
from ruuvi_host.fleet.place import STRONGER, WINDOWS, Place
from ruuvi_host.fleet.repeats import WINDOW
from ruuvi_host.monitoring.accounting import accounts_of

HOSTS = (1, 2, 3)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(HOSTS),
        st.integers(1, 2),
        st.integers(0, 4),
        st.sampled_from([0.0, 1.0, 30.0, 119.0, 125.0, 500.0]),
        st.booleans(),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(STEPS)
def test_each_measurement_once_within_the_window(
    steps: list[tuple[int, int, int, float, bool]],
) -> None:
    """A model that forgets nothing: the time of the last telling of each measurement."""
    fleet, now = Fleet(), 0.0
    told: dict[tuple[int, int], float] = {}
    for host, of, number, passed, decoded in steps:
        now += passed
        ts = UTC + int(now)
        found = fleet.receive(
            *message(number, host=host, of=of, ts=ts, decoded=decoded), now, UTC + now
        )
        is_new = any(isinstance(t, Measurement) for t in found)
        before = told.get((of, number))
        assert is_new == (before is None or now - before > WINDOW)
        if is_new:
            told[of, number] = now
    [account] = accounts_of(fleet.counters)
    assert not account.unaccounted


ORDERS = st.lists(
    st.tuples(st.sampled_from(HOSTS), st.integers(0, 400), st.integers(0, 300)),
    min_size=1,
    max_size=40,
)


@settings(deadline=None)
@given(ORDERS)
def test_what_is_late_never_replaces_what_is_newer(orders: list[tuple[int, int, int]]) -> None:
    fleet, newest = Fleet(), -1
    for number, (host, ts, late) in enumerate(orders):
        found = fleet.receive(*message(number, host=host, ts=UTC + ts, late=late), 0.0, UTC + 1000)
        [measured] = [t for t in found if isinstance(t, Measurement)]
        if measured.is_newest:
            assert ts >= newest
            newest = ts
        else:
            assert ts < newest


WINDOWS_OF_RSSI = st.lists(
    st.dictionaries(st.sampled_from(HOSTS), st.integers(-80, -60), min_size=1), max_size=30
)


@given(WINDOWS_OF_RSSI)
def test_the_place_changes_only_for_one_that_was_stronger_three_times(
    windows: list[dict[int, int]],
) -> None:
    """Whoever it goes to was stronger by six in each of the last three windows."""
    place, before = Place(), None
    for number, window in enumerate(windows):
        for host, rssi in window.items():
            place.heard(host, rssi, number * WINDOW, WINDOW)
        if number == 0:
            assert window[place.host or 0] == max(window.values())
        elif place.host != before:
            last = windows[number - WINDOWS : number]
            assert len(last) == WINDOWS
            for one in last:
                own = one.get(before or 0, -1000)
                assert one[place.host or 0] >= own + STRONGER
        before = place.host


@given(WINDOWS_OF_RSSI, st.sampled_from(HOSTS))
def test_it_does_change_for_one_that_stays_stronger(
    windows: list[dict[int, int]], strong: int
) -> None:
    place = Place()
    now = 0.0
    for window in [*windows, *[{host: -80 for host in HOSTS} | {strong: -60}] * (WINDOWS + 1)]:
        for host, rssi in window.items():
            place.heard(host, rssi, now, WINDOW)
        now += WINDOW
    assert place.host == strong


@settings(deadline=None)
@given(st.text(max_size=40), st.binary(max_size=80))
def test_nothing_raises(topic: str, payload: bytes) -> None:
    fleet = Fleet()
    for name in (topic, f"{topic}/gw_status", f"{topic}AA:BB:CC:DD:EE:FF"):
        fleet.receive(name, payload, 0.0, UTC)
        fleet.receive(name, b'{"gw_mac":"AA:BB:CC:DD:EE:FF","data":' + payload, 0.0, UTC)
    [account] = accounts_of(fleet.counters)
    assert not account.unaccounted
