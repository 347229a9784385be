"""The coprocessor's end of the wire: what it receives byte by byte, and its slot for a reply."""

from dataclasses import replace

import pytest
from coprocessor_bench import DEVICE, GATEWAY, TAG, Bench

from firmware_protocol.commands import Command
from firmware_protocol.coprocessor import Booted, Cause
from firmware_protocol.messages import (
    Ack,
    GetAll,
    GetDeviceId,
    HostMessage,
    LedCtrl,
    SetCh37,
)
from firmware_protocol.transmitter import DropIfBusy, Faithful, Ideal, Transmitter

# -- the receive path -----------------------------------------------------------------------------


HAS_INNER_0A = SetCh37(True).to_frame()  # CMD is 0x0A


def test_a_frame_may_come_in_pieces() -> None:
    bench = Bench()
    for byte in GATEWAY.to_frame():
        assert bench.received(1.0) == []
        bench.send(bytes([byte]), 1.0)
    assert bench.received(1.1) == [Ack(Command.SET_ALL, False)]


def test_a_frame_with_an_inner_0a_decodes_only_when_the_ring_is_empty() -> None:
    bench = Bench()
    assert HAS_INNER_0A.count(b"\n") == 2
    assert bench.ask(HAS_INNER_0A, 1.0) == [Ack(Command.SET_CH_37, False)]
    assert bench.ask(b"\x00\n" + HAS_INNER_0A, 2.0) == []


def test_garbage_directly_before_a_frame_loses_that_frame() -> None:
    bench = Bench()
    assert bench.ask(b"\x00" + GetDeviceId().to_frame(), 1.0) == []


def test_0a_separates_a_frame_from_garbage() -> None:
    assert Bench().ask(b"\x00\n" + GetDeviceId().to_frame(), 1.0) == [DEVICE]


@pytest.mark.parametrize(
    "rescue",
    [GetDeviceId(), LedCtrl(0), LedCtrl(1500), GATEWAY, replace(GATEWAY, max_adv_len=0)],
    ids=str,
)
def test_a_poisoned_ring_is_emptied_by_a_frame_without_inner_0a(rescue: HostMessage) -> None:
    bench = Bench()
    bench.send(GetDeviceId().to_frame()[1:], 1.0)  # its STX was lost
    assert bench.ask(HAS_INNER_0A, 2.0) == []
    assert bench.ask(HAS_INNER_0A, 41.0) == []  # no time-out clears it
    assert len(bench.ask(rescue, 41.1)) == 1
    assert bench.ask(HAS_INNER_0A, 41.2) == [Ack(Command.SET_CH_37, False)]


def test_a_reset_empties_the_ring() -> None:
    bench = Bench()
    bench.send(GetDeviceId().to_frame()[1:], 1.0)
    assert bench.ask(HAS_INNER_0A, 42.1) == [GetAll(), Ack(Command.SET_CH_37, False)]


def test_bytes_behind_a_frame_in_the_ring_are_lost_with_it() -> None:
    bench = Bench()
    bench.send(HAS_INNER_0A[:3], 1.0)
    assert bench.ask(HAS_INNER_0A[3:-1] + b"\n", 2.0) == [Ack(Command.SET_CH_37, False)]
    half = HAS_INNER_0A[:3] + HAS_INNER_0A[3:].replace(b"\n", b"")
    bench.send(half + b"\xca\x00\n", 3.0)  # ETX is where 0xCA stands: no frame
    assert bench.ask(GetDeviceId(), 4.0) == [DEVICE]


@pytest.mark.parametrize(("raw", "crashes"), [(64, 0), (65, 1)])
def test_more_than_64_bytes_in_the_ring_crash_it(raw: int, crashes: int) -> None:
    bench = Bench()
    bench.configure(now=0.5)
    bench.session.take_events()
    bench.send(b"\x55" * (raw - 1) + b"\n", 1.0)
    assert bench.counters.crashes == crashes
    if crashes:
        assert bench.session.take_events() == [Booted(1.0, Cause.CRASH)]
        assert bench.received(1.1) == [GetAll()]
        assert bench.session.settings is None
    assert bench.ask(GetDeviceId(), 2.0) == [DEVICE]


def test_five_undecodable_set_all_in_a_row_crash_it() -> None:
    bench = Bench(firmware="1.0.0")  # which does not know the long form
    frame = GATEWAY.to_frame()
    assert len(frame) == 13
    for second in range(4):
        assert bench.ask(frame, 1.0 + second) == []
    assert bench.counters.crashes == 0
    assert bench.ask(frame, 5.0) == [GetAll()]


def test_without_0a_a_chunk_ends_after_212_bytes() -> None:
    bench = Bench()
    bench.send(b"\x00" * 211, 1.0)
    assert bench.counters.crashes == 0
    bench.send(b"\x00", 1.0)
    assert bench.counters.crashes == 1
    assert bench.ask(GetDeviceId(), 2.0) == [GetAll(), DEVICE]


# -- the reply slot -------------------------------------------------------------------------------


def test_a_second_command_before_the_first_reply_replaces_it() -> None:
    bench = Bench()
    bench.send(GetDeviceId(), 1.0)
    bench.send(LedCtrl(0), 1.0)
    assert bench.received(2.0) == [Ack(Command.LED_CTRL, False)]
    assert bench.counters.replies_replaced == 1


def test_firmware_1_answers_both() -> None:
    bench = Bench(firmware="1.0.0")
    assert bench.ask(GetDeviceId().to_frame() + LedCtrl(0).to_frame(), 1.0) == [DEVICE, LedCtrl(0)]


def test_the_ack_of_set_all_comes_after_the_start_of_the_scan() -> None:
    bench = Bench()
    bench.send(GATEWAY, 1.0)
    assert bench.received(1.004) == []
    assert bench.received(1.006) == [Ack(Command.SET_ALL, False)]


def test_a_reply_waits_for_the_end_of_the_frame_on_the_line() -> None:
    bench = Bench(Ideal(115200))
    bench.configure()
    bench.session.advertised(TAG, 2.0)
    bench.send(GetDeviceId(), 2.001)
    byte = 10 / 115200
    end = 2.0 + 51 * byte
    assert bench.received(end - byte / 2) == []
    assert bench.scanner.pending == 50
    assert len(bench.received(end)) == 1
    assert bench.received(end + 22 * byte) == []  # it begins a moment later
    assert bench.received(end + 24 * byte) == [DEVICE]


def test_a_reply_is_not_starved_by_reports() -> None:
    bench = Bench(Ideal(115200))
    bench.configure()
    for step in range(20_000):  # a hundred times what the line carries
        bench.session.advertised(TAG, 1.0 + step / 20_000)
        if step == 10_000:
            bench.send(GetDeviceId(), 1.5)
    assert DEVICE not in bench.received(1.5)
    assert DEVICE in bench.received(1.52)


def test_a_reply_waits_for_a_start_of_the_scan_before_it() -> None:
    bench = Bench()
    bench.send(GATEWAY, 1.0)
    bench.send(GetDeviceId(), 1.001)
    assert bench.received(1.004) == []
    assert bench.received(1.006) == [DEVICE]


@pytest.mark.parametrize(("mode", "lost"), [(Ideal, 0), (DropIfBusy, 0), (Faithful, 1)])
def test_a_collision_while_a_reply_waits(mode: type[Transmitter], lost: int) -> None:
    bench = Bench(mode(115200))
    bench.configure()
    bench.session.advertised(TAG, 2.0)
    bench.send(GetDeviceId(), 2.001)
    bench.session.advertised(TAG, 2.002)
    bench.session.tick(2.0022)
    # The faithful driver says "sent" of the lost report, so the reply comes while its count is
    # wrong, and is lost as well. The others let it wait until the line is free.
    assert bench.counters.replies_lost == lost
    assert (DEVICE in bench.received(2.1)) is not bool(lost)
