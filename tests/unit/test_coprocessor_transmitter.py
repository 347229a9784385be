"""The coprocessor's line and its three ways of sending: times, losses, and the firmware's rule."""

from math import exp, inf
from random import Random

import pytest

from firmware_protocol.coprocessor import CoprocessorSession
from firmware_protocol.framing import FrameScanner
from firmware_protocol.messages import DeviceId, GetDeviceId, Message, SetAll, messages
from firmware_protocol.scan import AdvertisingEvent
from firmware_protocol.transmitter import (
    FIFO_SIZE,
    QUEUE_SIZE,
    TRANSMIT_MODES,
    DropIfBusy,
    Faithful,
    Ideal,
    Line,
    Transmitter,
)

BAUD = 10_000  # a byte takes a millisecond
ALL_MODES = list(TRANSMIT_MODES.values())


def sent(transmitter: Transmitter, now: float = inf) -> bytes:
    return transmitter.take(now)


# -- the line -------------------------------------------------------------------------------------


def test_a_byte_takes_ten_bits() -> None:
    line = Line(115200)
    line.give(bytes(51), 1.0)
    assert line.end - 1.0 == pytest.approx(0.00443, abs=0.00001)


def test_bytes_leave_one_by_one() -> None:
    line = Line(BAUD)
    line.give(b"abc", 1.0)
    assert [line.take(1.0 + ms / 1000) for ms in (0, 0.9, 1.1, 1.9, 3.1, 9)] == [
        *(b"", b"", b"a", b"", b"bc", b"")
    ]


def test_bytes_queue_behind_each_other() -> None:
    line = Line(BAUD)
    line.give(b"ab", 1.0)
    line.give(b"cd", 1.0005)
    assert line.end == 1.004
    assert line.take(1.0035) == b"abc"
    line.give(b"ef", 2.0)
    assert line.take(2.0015) == b"de"


def test_without_speed_nothing_takes_time() -> None:
    line = Line(0)
    line.give(b"ab", 1.0)
    assert line.end == 1.0
    assert line.take(1.0) == b"ab"


def test_a_reset_cuts_what_has_not_left() -> None:
    line = Line(BAUD)
    line.give(b"abcd", 1.0)
    line.cut(1.0025)
    assert line.end <= 1.0025
    line.give(b"ef", 1.0025)
    assert line.take(1.0042) == b"abe"


# -- all modes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ALL_MODES)
def test_frames_that_do_not_meet_all_arrive(mode: type[Transmitter]) -> None:
    transmitter = mode(BAUD)
    assert all(transmitter.send(bytes([n] * 5), n / 100) for n in range(1, 21))
    assert sent(transmitter) == b"".join(bytes([n] * 5) for n in range(1, 21))


@pytest.mark.parametrize("mode", ALL_MODES)
def test_a_line_without_speed_loses_nothing(mode: type[Transmitter]) -> None:
    transmitter = mode(0)
    assert all(transmitter.send(b"abc", 1.0) for _ in range(1000))
    assert sent(transmitter, 1.0) == b"abc" * 1000


@pytest.mark.parametrize("mode", ALL_MODES)
def test_ready_at_is_the_end_of_the_frame(mode: type[Transmitter]) -> None:
    transmitter = mode(BAUD)
    assert transmitter.ready_at == inf
    transmitter.send(b"abc", 1.0)
    assert transmitter.ready_at == transmitter.sent_at == 1.003
    transmitter.take(1.0011)
    assert transmitter.ready_at == 1.003
    transmitter.take(1.003)
    assert transmitter.ready_at == inf


@pytest.mark.parametrize("mode", ALL_MODES)
def test_after_a_reset_it_sends_at_once(mode: type[Transmitter]) -> None:
    transmitter = mode(BAUD)
    for ms in range(4):
        transmitter.send(b"abcde", 1 + ms / 1000)
    transmitter.reset(1.0042)
    assert transmitter.sent_at <= 1.0042
    assert transmitter.send(b"xyz", 1.005)
    assert sent(transmitter) == b"abcdxyz"


# -- ideal ----------------------------------------------------------------------------------------


def test_ideal_sends_one_after_the_other() -> None:
    transmitter = Ideal(BAUD)
    assert all(transmitter.send(frame, 1.0) for frame in (b"ab", b"cd", b"ef"))
    assert transmitter.take(1.0035) == b"abc"
    assert transmitter.take(1.0061) == b"def"


def test_ideal_sends_replies_first() -> None:
    transmitter = Ideal(BAUD)
    for frame in (b"ab", b"cd"):
        transmitter.send(frame, 1.0)
    assert transmitter.send(b"R", 1.001, is_reply=True)
    assert sent(transmitter) == b"abRcd"


def test_ideal_has_a_bound_for_reports_and_always_room_for_a_reply() -> None:
    transmitter = Ideal(BAUD)
    taken = [transmitter.send(b"ab", 1.0) for _ in range(QUEUE_SIZE + 3)]
    assert taken == [True] * (QUEUE_SIZE + 1) + [False] * 2  # one is on the line
    assert transmitter.send(b"R", 1.0, is_reply=True)


# -- drop if busy ---------------------------------------------------------------------------------


def test_drop_if_busy_loses_what_meets_another_frame_and_nothing_else() -> None:
    transmitter = DropIfBusy(BAUD)
    assert transmitter.send(b"abc", 1.0)
    assert not transmitter.send(b"xyz", 1.002)
    assert not transmitter.send(b"R", 1.0029, is_reply=True)
    assert transmitter.send(b"def", 1.0031)
    assert sent(transmitter) == b"abcdef"


# -- faithful -------------------------------------------------------------------------------------


def test_faithful_also_loses_the_next_frame_after_a_collision() -> None:
    transmitter = Faithful(BAUD)
    assert transmitter.send(b"abc", 1.0)
    assert not transmitter.send(b"lost", 1.0015)
    assert not transmitter.send(b"lost too, though the line is free", 2.0)
    assert transmitter.send(b"def", 3.0)
    assert sent(transmitter) == b"abcdef"


def test_faithful_says_sent_when_it_loses_a_frame() -> None:
    transmitter = Faithful(BAUD)
    transmitter.send(b"abc", 1.0)
    assert transmitter.sent_at == 1.003
    transmitter.send(b"lost", 1.0015)
    assert transmitter.sent_at == 1.0015


def test_faithful_appends_in_the_moment_after_a_loss() -> None:
    transmitter = Faithful(BAUD)
    transmitter.send(b"abcdef", 1.0)
    assert not transmitter.send(b"lost", 1.0015)
    assert transmitter.send(b"XYZ", 1.0018)  # before the next byte has left
    assert sent(transmitter, 1.1) == b"abcdefXYZ"
    # Its count was through after three bytes, before its own had left. So it is wrong again.
    assert transmitter.sent_at == pytest.approx(1.004)
    assert not transmitter.send(b"lost", 2.0)
    assert transmitter.send(b"uvw", 3.0)


def test_faithful_truncates_what_has_no_room() -> None:
    transmitter = Faithful(BAUD)
    transmitter.send(b"f" * FIFO_SIZE, 1.0)
    transmitter.send(b"lost", 1.0102)
    assert transmitter.send(b"x" * 20, 1.0104)
    assert sent(transmitter, 2.0) == b"f" * FIFO_SIZE + b"x" * 10


def test_faithful_leaves_out_a_crc_of_zero() -> None:
    transmitter = Faithful(BAUD)
    assert transmitter.send(b"\xca\x00\x19\x00\x00\n", 1.0)
    assert transmitter.sent_at == pytest.approx(1.004)
    assert transmitter.send(b"\xca\x00\x19\x00\x01\n", 2.0)
    assert sent(transmitter) == b"\xca\x00\x19\n\xca\x00\x19\x00\x01\n"


def test_replies_keep_their_order() -> None:
    transmitter = Ideal(BAUD)
    for frame in (b"on the line", b"report", b"another"):
        transmitter.send(frame, 1.0)
    transmitter.send(b"first", 1.0, is_reply=True)
    transmitter.send(b"second", 1.0, is_reply=True)
    assert sent(transmitter) == b"on the linefirstsecondreportanother"


# -- losses ---------------------------------------------------------------------------------------

TAG = AdvertisingEvent(
    bytes.fromhex("cbb8334c884f"), bytes.fromhex("020106 1bff9904") + bytes(24), 0
)


def lost_share(mode: str, rate: float) -> float:
    """The share of reports lost when tags advertise at random, `rate` times a second."""
    session = CoprocessorSession(DeviceId(bytes(8), bytes(6)), TRANSMIT_MODES[mode](115200))
    session.boot(0.0)
    session.receive(SetAll(fltr_tags=False).to_frame(), 1.0)
    random = Random(1)
    now = 2.0
    for _ in range(10_000):
        now += random.expovariate(rate)
        session.advertised(TAG, now)
    scanner: FrameScanner[Message] = FrameScanner(messages)
    arrived = len(scanner.feed(session.take_output(now + 1))) - 2  # without GET_ALL and ACK
    counters = session.counters
    # A few may be cut short, or spoilt by one that was.
    assert counters.reports_sent * 0.99 <= arrived <= counters.reports_sent
    return 1 - arrived / (arrived + counters.reports_lost)


@pytest.mark.parametrize("rate", [20, 50, 100])
def test_losses_are_those_of_the_specification(rate: int) -> None:
    load = rate * 51 * 10 / 115200
    assert lost_share("ideal", rate) == 0
    assert lost_share("drop-if-busy", rate) == pytest.approx(load / (1 + load), abs=0.01)
    assert lost_share("faithful", rate) == pytest.approx(1 - 1 / (2 + load - exp(-load)), abs=0.01)


@pytest.mark.parametrize(("mode", "share"), [("drop-if-busy", 0.08), ("faithful", 0.15)])
def test_losses_at_20_reports_per_second(mode: str, share: float) -> None:
    assert lost_share(mode, 20) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(("mode", "some_are_lost"), [("ideal", False), ("faithful", True)])
def test_replies_can_vanish_in_report_traffic(mode: str, some_are_lost: bool) -> None:
    session = CoprocessorSession(DeviceId(bytes(8), bytes(6)), TRANSMIT_MODES[mode](115200))
    session.boot(0.0)
    session.receive(SetAll().to_frame(), 1.0)
    random = Random(1)
    now, asked = 2.0, 0
    while asked < 500:
        now += random.expovariate(100)
        session.advertised(TAG, now)
        if random.random() < 0.1:
            now += 0.001
            session.receive(GetDeviceId().to_frame(), now)
            asked += 1
    session.tick(now + 1)
    counters = session.counters
    assert counters.replies_sent + counters.replies_lost + counters.replies_replaced == 501
    assert (counters.replies_lost > 0) is some_are_lost
    assert counters.replies_sent > 200
