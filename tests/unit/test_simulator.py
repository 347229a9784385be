"""The simulated board and its tags, in simulated time."""

from itertools import pairwise
from math import inf
from random import Random

import pytest

from firmware_protocol.coprocessor import Booted, Cause, Configured
from firmware_protocol.events import Ready, Received
from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import (
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetAll,
    Message,
    SetAll,
    messages,
)
from firmware_protocol.session import HostSession
from firmware_protocol.transmitter import TRANSMIT_MODES
from ruuvi_host.formats import df5
from ruuvi_host.simulator.board import Board
from ruuvi_host.simulator.tags import PLACES, Tag


def received(board: Board, until: float) -> list[Message]:
    """Configure the board at once; everything that the host hears then."""
    board.receive(SetAll().to_frame(), 0.0)
    scanner: FrameScanner[Message] = FrameScanner(messages)
    return scanner.feed(board.advance(until))


def readings(tag: Tag, count: int) -> list[tuple[float, df5.Format5]]:
    """What `count` advertising events of a tag say, and when."""
    found = []
    for _ in range(count):
        at = tag.next_at
        reading = df5.decode_advert(tag.advertise().data)
        assert reading is not None
        found.append((at, reading))
    return found


# -- tags -----------------------------------------------------------------------------------------


def test_a_tag_advertises_about_every_1285_ms() -> None:
    times = [at for at, _ in readings(Tag(Random(1)), 1000)]
    pauses = [after - before for before, after in pairwise(times)]
    assert min(pauses) >= 1.285
    assert max(pauses) <= 1.295
    assert len({round(pause, 6) for pause in pauses}) > 900


def test_each_measurement_is_advertised_about_twice() -> None:
    found = readings(Tag(Random(2)), 1000)
    sequences = [reading.measurement_sequence for _, reading in found]
    assert 490 <= len(set(sequences)) <= 510
    for (_, before), (_, after) in pairwise(found):
        assert (before == after) == (before.measurement_sequence == after.measurement_sequence)


@pytest.mark.parametrize("index", range(len(PLACES)))
def test_readings_move_smoothly_around_what_is_usual_for_the_place(index: int) -> None:
    usual_temperature, usual_humidity = PLACES[index]
    found = [reading for _, reading in readings(Tag(Random(3), index), 5000)]
    for before, after in pairwise(found):
        assert abs((after.temperature or inf) - (before.temperature or inf)) < 0.2
        assert abs((after.humidity or inf) - (before.humidity or inf)) < 0.6
        assert abs((after.pressure or inf) - (before.pressure or inf)) < 20
    for reading in found:
        assert reading.temperature == pytest.approx(usual_temperature, abs=3)
        assert reading.humidity == pytest.approx(usual_humidity, abs=8)
        assert reading.pressure == pytest.approx(100_800, abs=1500)
        assert 2.5 < (reading.battery_voltage or 0) < 3.2
        x, y, z = reading.acceleration_x, reading.acceleration_y, reading.acceleration_z
        assert x is not None
        assert y is not None
        assert z is not None
        assert x * x + y * y + z * z == pytest.approx(1, abs=0.1)
        assert reading.tx_power == 4
    assert len({reading.temperature for reading in found}) > 20
    assert len({reading.movement_counter for reading in found}) > 1


def test_counters_wrap_and_never_take_the_value_for_missing() -> None:
    tag = Tag(Random(4), interval=600.0)
    found = [reading for _, reading in readings(tag, 1000)]
    sequences = [reading.measurement_sequence or 0 for reading in found]
    assert {(after - before) % 65535 for before, after in pairwise(sequences)} <= {233, 234}
    assert any(after < before for before, after in pairwise(sequences))
    tag.sensor.movements = 254
    while tag.sensor.movements == 254:
        tag.advertise()
    assert tag.sensor.movements == 0


def test_a_tag_states_its_own_random_static_address() -> None:
    tags = [Tag(Random(seed)) for seed in range(100)]
    assert len({tag.address for tag in tags}) == 100
    for tag in tags:
        assert tag.address[0] & 0xC0 == 0xC0
        event = tag.advertise()
        reading = df5.decode_advert(event.data)
        assert reading is not None
        assert reading.mac == tag.address.hex(":").upper()
        assert event.address == tag.address
        assert event.is_legacy
        assert -95 <= event.rssi <= -35


# -- the board ------------------------------------------------------------------------------------


def test_a_board_boots_is_configured_and_reports_its_tags() -> None:
    board = Board(tags=5)
    boot, *rest = received(board, 10.0)
    assert boot == GetAll()
    reports = [message for message in rest if isinstance(message, AdvRprt2)]
    assert {report.address for report in reports} == {tag.address for tag in board.tags}
    assert 35 <= len(reports) <= 40
    assert board.take_events() == [
        Booted(0.0, Cause.POWER_ON),
        Configured(0.0, SetAll(), refused=False),
    ]


def test_the_device_address_is_random_static() -> None:
    assert all(Board(tags=0, seed=seed).device.addr[0] & 0xC0 == 0xC0 for seed in range(50))


def test_the_seed_decides_everything() -> None:
    raw = [Board(seed=seed) for seed in (1, 1, 2, -1)]
    outputs = []
    for board in raw:
        board.receive(SetAll().to_frame(), 0.0)
        outputs.append(board.advance(30.0))
    assert outputs[0] == outputs[1]
    assert len(set(outputs)) == 3
    assert len({board.device for board in raw}) == 3


def test_more_tags_leave_the_first_ones_where_they_are() -> None:
    few, many = Board(tags=3), Board(tags=30)
    assert [tag.address for tag in few.tags] == [tag.address for tag in many.tags[:3]]
    assert few.device == many.device


@pytest.mark.parametrize(("rate", "tags"), [(0.5, 1), (20, 7), (2000, 100), (20_000, 100)])
def test_rate(rate: float, tags: int) -> None:
    board = Board(tags=tags, rate=rate, baud=0)
    seconds = max(2.0, 50 / rate)
    reports = len(received(board, seconds)) - 2
    # Half of one interval per tag may be missing at either end, and 5 ms every 21 s.
    assert reports == pytest.approx(rate * seconds, abs=tags + rate / 100)


def test_firmware_1_reports_as_it_did() -> None:
    board = Board(tags=1, firmware="1.0.0")
    board.receive(SetAll(max_adv_len=0).to_frame(), 0.0)
    found = FrameScanner(messages).feed(board.advance(5.0))
    assert {type(message) for message in found[2:]} == {AdvRprt}


def test_without_tags_its_watchdog_resets_it() -> None:
    board = Board(tags=0)
    board.receive(SetAll().to_frame(), 1.0)
    board.advance(50.0)
    assert board.take_events()[-1] == Booted(43.0, Cause.WATCHDOG)


def test_what_the_host_sends_does_not_change_what_was_before() -> None:
    board = Board(tags=5)
    board.receive(SetAll().to_frame(), 0.0)
    board.receive(SetAll(fltr_id=0x004C).to_frame(), 10.0)
    assert board.counters.reports_sent > 30
    assert board.counters.filtered == 0


def test_power_off_and_on() -> None:
    board = Board(tags=1)
    received(board, 5.0)
    board.restart(6.0)
    board.advance(10.0)
    assert board.take_events()[-1] == Booted(6.0, Cause.POWER_ON)
    assert board.session.settings is None


def test_the_deadline_is_when_something_happens_next() -> None:
    board = Board(tags=3)
    board.receive(SetAll().to_frame(), 0.0)
    now, output = 0.0, b""
    while now < 20.0:
        assert board.deadline >= now
        now = max(board.deadline, now + 0.001)
        output += board.advance(now)
    other = Board(tags=3)
    other.receive(SetAll().to_frame(), 0.0)
    assert output == other.advance(now)


@pytest.mark.parametrize("firmware", ["2.0.0", "1.0.0"])
@pytest.mark.parametrize("transmit", sorted(TRANSMIT_MODES))
def test_a_host_gets_along_with_it(firmware: str, transmit: str) -> None:
    """Both ends of the wire, for ten minutes of simulated time."""
    board = Board(tags=30, firmware=firmware, transmit=transmit)
    host = HostSession(SetAll())
    host.start(0.0)
    events = []
    now = 0.0
    while now < 600.0:
        board.receive(host.take_output(), now)
        now = max(now + 0.001, min(board.deadline, host.deadline or inf))
        events += host.receive(board.advance(now), now)
        if now >= host.deadline:
            events += host.tick(now)
    assert isinstance(host.device, DeviceId)
    assert sum(isinstance(event, Ready) for event in events) == 1
    heard = sum(len(event.reports) for event in events if isinstance(event, Received))
    lost = board.counters.reports_lost
    assert heard == pytest.approx(board.counters.reports_sent, abs=5)
    assert (lost > 0) == (transmit != "ideal")
