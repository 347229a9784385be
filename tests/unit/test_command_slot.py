"""CommandSlot: one command at a time, its tries, and when a link is down."""

from firmware_protocol.command_slot import CommandSlot
from firmware_protocol.messages import GetDeviceId, LedCtrl, SetAll
from firmware_protocol.timers import Timing

TIMING = Timing(ack_timeout=0.25, tries=3, timeouts_to_fail=4, reporting_factor=2)


def test_an_answer_is_awaited_from_the_moment_of_writing() -> None:
    slot = CommandSlot(TIMING)
    assert (slot.awaited, slot.take_output()) == (None, b"")
    slot.send(GetDeviceId(), 100.0)
    assert (slot.awaited, slot.in_flight and slot.in_flight.deadline) == (None, 100.25)
    assert slot.take_output() == GetDeviceId().to_frame()
    assert slot.take_output() == b""
    assert repr(slot.awaited) == "GetDeviceId()"
    taken = slot.take()
    assert taken
    assert (taken.command, taken.tries, taken.by_caller) == (GetDeviceId(), 1, False)
    assert slot.take() is None


def test_each_try_is_counted_and_may_be_another_command() -> None:
    slot = CommandSlot(TIMING)
    slot.send(LedCtrl(0), 100.0, by_caller=True)
    for tries in (2, 3):
        lost = slot.in_flight
        assert lost
        assert slot.has_tries_left(lost)
        slot.send_again(lost, SetAll(), 100.0 + tries)
        assert slot.in_flight
        assert slot.in_flight.tries == tries
        assert slot.in_flight.deadline == 100.25 + tries
    assert slot.in_flight
    assert not slot.has_tries_left(slot.in_flight)
    assert slot.in_flight.by_caller
    assert slot.take_output() == SetAll().to_frame()


def test_the_link_is_down_after_so_many_time_outs_in_a_row() -> None:
    slot = CommandSlot(TIMING)
    assert [slot.timed_out(is_reporting=False) for _ in range(4)] == [False, False, False, True]
    slot.timeouts = 0
    assert not slot.timed_out(is_reporting=False)
    assert slot.silence == 1.0


def test_more_of_them_while_reports_come_in() -> None:
    slot = CommandSlot(TIMING)
    assert [slot.timed_out(is_reporting=True) for _ in range(8)] == [*[False] * 7, True]
