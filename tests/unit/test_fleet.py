"""Many hosts as one: what single messages come to, and what they cost."""

import json
import tracemalloc
from typing import Any

import pytest
from fleet_messages import UTC, data_of, gateway, message, tag

from ruuvi_host.fleet.fleet import Fleet, Measurement, Moved, Told
from ruuvi_host.fleet.lines import json_line, text_line
from ruuvi_host.fleet.messages import GatewayState, Heard, read_message
from ruuvi_host.fleet.repeats import Repeats
from ruuvi_host.formats import encode
from ruuvi_host.formats.dfc5 import FormatC5
from ruuvi_host.intake.readings import Readings


class World:
    """A fleet, and a clock that is told how late it is."""

    def __init__(self, **options: Any) -> None:
        self.fleet = Fleet(**options)
        self.now = 1000.0

    def hear(self, number: int, *, after: float = 0.0, **how: Any) -> list[Told]:
        self.now += after
        utc = UTC + self.now - 1000
        return self.fleet.receive(*message(number, **how), self.now, utc)

    def measured(self, number: int, **how: Any) -> Measurement | None:
        found = [t for t in self.hear(number, **how) if isinstance(t, Measurement)]
        return found[0] if found else None


def test_the_same_measurement_of_two_hosts_is_one() -> None:
    world = World()
    first = world.measured(7, host=1)
    assert first
    assert first.heard.gateway == gateway(1)
    assert world.measured(7, host=2, rssi=-30) is None
    assert world.measured(7, host=1) is None
    assert world.measured(8, host=2)
    assert world.measured(8, host=2, of=2), "another sensor"
    assert world.fleet.counters.repeats == 2


@pytest.mark.parametrize("order", [(False, True), (True, False), (True, True)])
def test_with_and_without_data_is_the_same_measurement(order: tuple[bool, bool]) -> None:
    world = World()
    assert world.measured(7, host=1, decoded=order[0])
    assert world.measured(7, host=2, decoded=order[1]) is None
    assert world.measured(8, host=1, decoded=order[1])
    assert world.measured(8, host=2, decoded=order[0]) is None


def test_one_number_of_two_measurements() -> None:
    """A sensor was restarted: with the data, nobody takes them for the same."""
    world = World()
    other = {"data": data_of(7, 25.0).hex().upper()}
    assert world.measured(7, host=1)
    assert world.measured(7, host=1, **other)
    assert world.measured(7, host=2) is None
    assert world.measured(7, host=2, **other) is None


def test_numbers_start_over() -> None:
    world = World()
    assert world.measured(7, host=1, decoded=True)
    assert world.measured(7, host=2, ts=UTC + 121, after=121, decoded=True), "a day later"
    world = World(window=600.0)
    six = {"dataFormat": 6, "measurementSequenceNumber": 9, "decoded": True}
    assert world.measured(7, host=1, **six)
    assert world.measured(7, host=2, ts=UTC + 100, after=100, **six) is None
    assert world.measured(7, host=2, ts=UTC + 130, after=30, **six), "256 numbers, one a second"


def test_without_numbers_values_may_come_back() -> None:
    """Format 3 has none: the same octets again, by the same host, are another measurement."""
    world = World()
    one, other = ("02010611FF990403" + "29" * n + "00" * (14 - n) for n in (6, 7))
    assert world.measured(0, host=1, data=one)
    assert world.measured(0, host=2, data=one) is None
    assert world.measured(0, host=1, data=other, ts=UTC + 10)
    assert world.measured(0, host=1, data=one, ts=UTC + 20)
    assert world.measured(0, host=2, data=one, ts=UTC + 20) is None
    assert world.measured(0, host=1, data=one, ts=UTC + 20) is None, "sent twice"


def newest(found: Measurement | None) -> bool:
    assert found
    return found.is_newest


def test_what_is_late_replaces_nothing_newer() -> None:
    world = World()
    assert newest(world.measured(9, host=1, ts=UTC + 100, after=100))
    late = world.measured(5, host=2, ts=UTC, late=100)
    assert late
    assert late.heard.is_late
    assert not late.is_newest
    assert newest(world.measured(10, host=2, ts=UTC + 101, after=1))
    assert not newest(world.measured(6, host=2, ts=UTC + 50, late=400, after=300)), "also then"
    assert world.fleet.counters.older == 2


def test_of_the_same_second_the_number_tells() -> None:
    world = World()
    assert newest(world.measured(65_534, host=1))
    assert newest(world.measured(2, host=2)), "numbers start over"
    assert not newest(world.measured(1, host=1))


def test_without_clock_only_one_host_has_an_order() -> None:
    world = World()
    assert newest(world.measured(5, host=1, cnt=100))
    assert not newest(world.measured(4, host=1, cnt=99))
    assert newest(world.measured(6, host=2, cnt=3)), "nobody can know"
    assert newest(world.measured(7, host=1, cnt=101))
    world.fleet.receive(f"ruuvi/{gateway(1)}/gw_status", b'{"state": "online"}', world.now, UTC)
    assert newest(world.measured(8, host=1, cnt=0)), "it was started again"


def test_a_wrong_clock_hides_nothing() -> None:
    world = World()
    assert newest(world.measured(5, host=1, ts=UTC + 86_400))
    assert newest(world.measured(6, host=2, ts=UTC))
    assert newest(world.measured(7, host=2, ts=UTC + 1))
    assert not newest(world.measured(8, host=3, ts=UTC - 86_400)), "behind"
    assert newest(world.measured(9, host=3, ts=UTC - 86_400, after=121)), "when it is alone"


def places(world: World, *rounds: dict[int, int]) -> list[str]:
    """Strength by host, of windows running → where it is after each of them."""
    found = []
    for round_ in rounds:
        for host, rssi in round_.items():
            world.hear(int(world.now), host=host, rssi=rssi, ts=None, cnt=0)
        world.now += 120
        found.append(world.fleet.place_of(world.fleet.tags[tag()])[-1])
    return found


def test_the_place_is_the_strongest_at_first_and_stays_for_a_while() -> None:
    five, six = {1: -70, 2: -65}, {1: -70, 2: -64}
    assert places(World(), {1: -70, 2: -60, 3: -80}) == ["2"]
    assert places(World(), {1: -70, 2: -70}, *[five] * 9)[-1] == "1"
    assert places(World(), {1: -70}, *[six] * 3, {1: -70}) == ["1", "1", "1", "1", "2"]
    assert places(World(), {1: -70}, six, six, five, six, six, five, six)[-1] == "1"
    assert places(World(), {1: -70}, six, six, {1: -70, 3: -50}, six, six, six)[-1] == "1"
    silent = {2: -90}
    assert places(World(), {1: -70}, *[silent] * 4)[-2:] == ["1", "2"], "nobody else hears it"


def test_what_is_late_moves_nothing() -> None:
    world = World()
    world.hear(1, host=1, rssi=-90)
    for number in range(9):
        world.hear(number, host=2, rssi=-30, ts=UTC, late=300, after=121)
    assert world.fleet.place_of(world.fleet.tags[tag()]) == gateway(1)


def test_states_of_hosts() -> None:
    fleet = Fleet()
    topic = f"ruuvi/{gateway(1)}/gw_status"
    online, offline = b'{"state": "online"}', b'{"state": "offline"}'
    assert fleet.receive(topic, online, 0, UTC) == [GatewayState(gateway(1), "online")]
    assert fleet.receive(topic, online, 1, UTC) == []
    assert fleet.receive(topic, offline, 2, UTC) == [GatewayState(gateway(1), "offline")]
    assert fleet.receive(topic, b"", 3, UTC) == [GatewayState(gateway(1), "")]
    assert fleet.receive("home/kitchen/gw_status", online, 4, UTC)[0][0] == "home/kitchen"
    assert fleet.receive(topic, b"online", 5, UTC) == []
    assert fleet.counters.not_understood == 1


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"{", b"[]", b"null", b"\xff", b"[" * 9999, b'{"rssi":NaN}'),
        *(b'{"data":"0"}', b'{"data":5}', b'{"gw_mac":"x"}', b"{" + b" " * 20_000 + b"}"),
        b'{"rssi":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_message(payload: bytes) -> None:
    fleet = Fleet()
    assert fleet.receive(f"ruuvi/{gateway(1)}/{tag()}", payload, 0, UTC) == []
    assert fleet.counters.not_understood == 1


def test_topics() -> None:
    payload = message(1)[1]
    for topic in (f"home{tag()}", f"a/b/{tag().lower()}", tag()):
        read = read_message(topic, payload)
        assert isinstance(read, Heard)
        assert (read.gateway, read.tag) == (gateway(1), tag())
    for topic in ("", "ruuvi/x", f"ruuvi/{gateway(1)}/00:00:00:00:00:00", tag()[:-1]):
        assert read_message(topic, payload) is None


def test_times_as_texts_and_no_times() -> None:
    _, payload = message(1)
    told = json.loads(payload) | {"ts": "5", "gwts": "66", "rssi": "-60"}
    read = read_message(f"x/{tag()}", json.dumps(told).encode())
    assert isinstance(read, Heard)
    assert (read.ts, read.gwts, read.rssi, read.is_late) == (5, 66, -60, True)
    wrongs: list[Any] = [True, -1, 1e300, "²", "x", [], 1 << 60, 1.5]
    for wrong in wrongs:
        told["ts"] = told["rssi"] = wrong
        read = read_message(f"x/{tag()}", json.dumps(told).encode())
        assert isinstance(read, Heard)
        assert read.ts is None


# -- lines ----------------------------------------------------------------------------------------


def line(world: World, number: int, **how: Any) -> dict[str, Any]:
    [told] = [t for t in world.hear(number, **how) if isinstance(t, Measurement)]
    assert text_line(told, Readings())
    found: dict[str, Any] = json.loads(json_line(told, UTC, Readings()))
    return found


def test_raw_and_decoded_come_to_the_same_line() -> None:
    raw, decoded = line(World(), 7), line(World(), 7, decoded=True)
    assert raw.pop("data") == data_of(7).hex().upper()
    assert raw == decoded
    assert raw["place"] == raw["gw_mac"] == gateway(1)
    assert raw["address"] == tag()
    assert raw["measurementSequenceNumber"] == 7
    assert raw["newest"] is True


def test_a_message_cannot_say_what_we_say() -> None:
    told = line(World(), 7, kind="gateway", newest=False, place="here", address="me", late=1)
    assert (told["kind"], told["newest"], told["address"]) == ("measurement", True, tag())
    assert (told["place"], told["late"]) == (gateway(1), False)


def test_other_formats_have_our_names() -> None:
    three = "02010611FF99040329" + "1A1ECE1EFC18F94202CA0B53"
    told = line(World(), 0, data=three)
    assert (told["data_format"], told["humidity"]) == (3, 20.5)
    assert line(World(), 0, data="020106")["error"] == "not_ruuvi"


def test_a_host_that_decodes_all_formats() -> None:
    """Of those that no gateway decodes it has the data, and not, with our own names."""
    payload = encode(FormatC5(measurement_sequence=7))
    c5 = f"020106{len(payload) + 3:02X}FF9904{payload.hex()}"
    own: dict[str, Any] = {"data_format": 0xC5, "measurement_sequence": 7, "name": "Sauna"}
    gone = {"dataFormat": None, "measurementSequenceNumber": None}
    world = World()
    assert line(world, 7, data=c5)["measurement_sequence"] == 7
    topic, payload = message(7, host=2, decoded=True, **own)
    told = {k: v for k, v in json.loads(payload).items() if k not in gone}
    assert world.fleet.receive(topic, json.dumps(told).encode(), world.now, UTC) == []
    told["measurement_sequence"] = 8
    assert world.fleet.receive(topic, json.dumps(told).encode(), world.now, UTC)


def test_a_move_and_a_state_are_lines_too() -> None:
    moved = Moved(tag(), gateway(2), gateway(1))
    assert json.loads(json_line(moved, UTC, Readings())) == {
        "kind": "place",
        "time": UTC,
        "address": tag(),
        "place": gateway(2),
        "before": gateway(1),
    }
    assert text_line(moved, Readings()) == f"{tag()}  is at {gateway(2)}, was at {gateway(1)}"
    state = GatewayState("x\x1b", "")
    assert json.loads(json_line(state, UTC, Readings()))["state"] is None
    assert "\x1b" not in text_line(state, Readings())


# -- bounds ---------------------------------------------------------------------------------------


def test_too_many_leave() -> None:
    fleet = Fleet(most_tags=10, most_gateways=5)
    for number in range(100):
        fleet.receive(*message(number, host=number, of=number), number, UTC)
    assert len(fleet.tags) == 10
    assert len(fleet.gateways) == 5
    assert tag(99) in fleet.tags
    assert fleet.counters.tags_left == 90
    assert fleet.place_of(fleet.tags[tag(90)]) == ""


def test_memory_for_a_large_fleet() -> None:
    """A sensor costs less than a kilobyte, with all that is remembered of it."""
    fleet = Fleet()
    tracemalloc.start()
    try:
        sensors = 5_000
        for round_ in range(3):
            for number in range(sensors):
                topic, payload = message(round_, host=number % 250, ts=UTC + 60 * round_)
                topic = topic[:-17] + f"F4:1F:0C:28:{number >> 8:02X}:{number & 255:02X}"
                fleet.receive(topic, payload, 60.0 * round_, UTC + 60 * round_)
        assert len(fleet.tags) == sensors
        assert tracemalloc.get_traced_memory()[0] / sensors < 1200
    finally:
        tracemalloc.stop()


def test_what_is_remembered_is_bounded() -> None:

    repeats = Repeats(most=1000)
    for number in range(20_000):
        read = read_message(*message(number % 60_000))
        assert isinstance(read, Heard)
        assert not repeats.is_repeat(read, 1, UTC, 0.0)
    assert len(repeats) <= 1000
    assert repeats.forgotten >= 18_000
