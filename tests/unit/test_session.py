"""HostSession: identify, configure, retry, reboot; time is a number here."""

from math import inf

import pytest
from session_wire import ACKED, CODED, DEVICE, REPORT, Wire
from session_wire import wire as wire

from firmware_protocol.commands import Command
from firmware_protocol.dialect import Generation
from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.events import (
    Event,
    Failed,
    Identified,
    Ready,
    Rebooted,
    Received,
)
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    DeviceId,
    GetAll,
    GetDeviceId,
    LedCtrl,
    SetAll,
)
from firmware_protocol.session import HostSession
from firmware_protocol.transitions import TRANSITIONS, State, Trigger

OLD_REPORT = AdvRprt(bytes(6), b"\x02\x01\x06", -60)


def test_it_speaks_first_and_becomes_ready(wire: Wire) -> None:
    assert wire.sent() == [GetDeviceId()]
    assert wire.receive(DEVICE) == [Identified(DEVICE)]
    assert wire.sent() == [SetAll()]
    assert wire.receive(ACKED) == [Ready(refused=False)]
    assert wire.sent() == []
    assert wire.receive(REPORT, REPORT) == [Received([REPORT, REPORT])]


def test_ack_1_to_set_all_still_means_configured(wire: Wire) -> None:
    wire.receive(DEVICE)
    assert wire.receive(Ack(Command.SET_ALL, True)) == [Ready(refused=True)]
    assert wire.receive(REPORT) == [Received([REPORT])]


def test_reports_before_the_ack_are_dropped_and_counted(wire: Wire) -> None:
    assert wire.receive(REPORT) == []
    assert wire.receive(DEVICE, REPORT) == [Identified(DEVICE)]
    assert wire.receive(REPORT, ACKED, REPORT) == [Ready(refused=False), Received([REPORT])]
    assert wire.session.counters.reports_unconfigured == 3
    assert wire.session.counters.reports == 1


def test_an_unanswered_command_is_sent_again_at_its_deadline(wire: Wire) -> None:
    wire.sent()
    assert wire.session.deadline == pytest.approx(wire.now + 0.25)
    assert wire.session.tick(wire.now + 0.2) == []
    assert wire.sent() == []
    wire.wait()
    assert wire.sent() == [GetDeviceId()]
    assert wire.session.counters.lost_acks == 1


def test_four_tries_then_get_device_id_then_the_short_form(wire: Wire) -> None:
    """Firmware 1.0.0: hears SET_ALL in its long form, but does not understand it."""
    wire.receive(DEVICE)
    sent = wire.sent()[1:]
    for _ in range(4):
        wire.wait()
        sent += wire.sent()
    assert sent == [SetAll(), SetAll(), SetAll(), SetAll(), GetDeviceId()]
    wire.receive(DEVICE)
    assert wire.sent() == [SetAll(max_adv_len=0)]
    assert wire.receive(ACKED) == [Ready(refused=False)]
    wire.receive(GetAll())
    assert wire.sent() == [SetAll(max_adv_len=0)], "and it is remembered"
    wire.receive(ACKED, OLD_REPORT)
    assert wire.session.generation is Generation.V1


def test_new_firmware_that_lost_its_acks_keeps_the_long_form(wire: Wire) -> None:
    wire.receive(DEVICE, REPORT)  # only firmware 2 sends such a report
    for _ in range(4):
        wire.wait()
    wire.sent()
    wire.receive(DEVICE)
    assert wire.sent() == [SetAll()]


def test_the_short_form_is_given_up_when_the_firmware_proves_to_be_new(wire: Wire) -> None:
    """It had lost four ACKs and was taken for old; the long form has the limit on data."""
    wire.receive(DEVICE)
    for _ in range(4):
        wire.wait()
    wire.receive(DEVICE)
    wire.receive(ACKED, REPORT)
    assert wire.sent()[-1] == SetAll(max_adv_len=0)
    wire.receive(GetAll())
    assert wire.sent() == [SetAll()]


def test_ten_timeouts_in_a_row_fail(wire: Wire) -> None:
    wire.receive(DEVICE)
    events: list[Event] = []
    waits = 0
    while not events:
        events = wire.wait()
        waits += 1
    assert waits == 10
    assert events == [Failed(State.CONFIGURING, Command.SET_ALL)]
    assert wire.session.state is State.FAILED
    assert wire.session.deadline == inf
    wire.sent()
    assert wire.receive(GetAll(), ACKED, DEVICE, REPORT) == []
    assert wire.sent() == []
    assert wire.session.counters.reports_unconfigured == 1
    assert wire.session.end(wire.now) == []


def test_never_five_undecodable_set_all_in_a_row(wire: Wire) -> None:
    """Five of them overflow the stack of the old firmware."""
    wire.receive(DEVICE)
    wire.sent()
    in_a_row = longest = 1
    while wire.session.state is State.CONFIGURING:
        wire.wait()
        for message in wire.sent():
            in_a_row = in_a_row + 1 if isinstance(message, SetAll) else 0
            longest = max(longest, in_a_row)
            if isinstance(message, GetDeviceId):
                wire.receive(DEVICE)
    assert longest == 4


def test_without_identity_it_configures_all_the_same(wire: Wire) -> None:
    for _ in range(4):
        wire.wait()
    assert wire.sent()[-1] == SetAll()
    assert wire.receive(ACKED) == [Ready(refused=False)]
    assert wire.receive(REPORT) == [Received([REPORT])]
    for _ in range(30):  # heartbeats without an answer do not end this link
        assert wire.wait() == []
    assert wire.session.state is State.READY
    wire.receive(DEVICE)
    assert wire.session.device == DEVICE


def test_get_all_means_reboot_and_is_answered(wire: Wire) -> None:
    wire.make_ready()
    assert wire.receive(REPORT, GetAll(), REPORT) == [Received([REPORT]), Rebooted()]
    assert wire.sent() == [SetAll()]
    assert wire.receive(ACKED) == [Ready(refused=False)]
    assert wire.session.counters.reboots == 1


def test_get_all_before_ready_changes_nothing(wire: Wire) -> None:
    """What it asks for is on its way already; if it was not heard, its time-out sends it again."""
    assert wire.receive(GetAll(), GetAll()) == [Rebooted(), Rebooted()]
    assert wire.sent() == [GetDeviceId()]
    wire.receive(DEVICE)
    assert wire.receive(GetAll()) == [Rebooted()]
    assert wire.sent() == [SetAll()]
    wire.wait()
    assert wire.sent() == [SetAll()]
    assert wire.receive(ACKED) == [Ready(refused=False)]
    assert wire.session.counters.reboots == 3


def test_answers_to_get_all_are_rate_limited(wire: Wire) -> None:
    """Forged ones: the coprocessor is configured all the time, and answers each SET_ALL."""
    wire.make_ready()
    for _ in range(20):
        wire.receive(GetAll())
        wire.receive(ACKED)
    assert wire.sent() == [SetAll()] * 3
    assert wire.session.deadline == pytest.approx(wire.now + 3.0)
    wire.wait()
    assert wire.sent() == [SetAll()]
    assert wire.receive(ACKED) == [Ready(refused=False)]
    wire.now += 3.0
    for _ in range(20):
        wire.receive(GetAll())
        wire.receive(ACKED)
    assert wire.sent() == [SetAll()] * 3


def test_a_flood_of_get_all_cannot_keep_it_from_failing(wire: Wire) -> None:
    wire.receive(DEVICE)
    start = wire.now
    while wire.session.state is State.CONFIGURING:
        wire.now += 0.01
        wire.receive(GetAll())
        wire.session.tick(wire.now)
        wire.write()
    assert wire.session.state is State.FAILED
    assert wire.now - start == pytest.approx(10 * 0.25, abs=0.2)


def test_an_ack_counts_only_for_the_command_in_flight(wire: Wire) -> None:
    assert wire.receive(ACKED) == []
    wire.receive(DEVICE)
    assert wire.receive(Ack(Command.LED_CTRL, False), DEVICE) == []
    assert wire.session.state is State.CONFIGURING
    assert wire.session.counters.unmatched_replies == 3


def test_an_ack_is_no_answer_to_get_device_id(wire: Wire) -> None:
    assert wire.sent() == [GetDeviceId()]
    assert wire.receive(Ack(Command.GET_DEVICE_ID, False)) == []
    assert wire.sent() == [], "asked again without a pause: nobody would ever see that it is deaf"
    assert wire.session.counters.unmatched_replies == 1
    wire.receive(DEVICE)
    assert wire.sent() == [SetAll()]


def test_nothing_answers_a_command_that_is_not_yet_written(wire: Wire) -> None:
    assert wire.receive(DEVICE, ACKED) == [Identified(DEVICE)]
    assert wire.session.state is State.CONFIGURING
    assert wire.session.counters.unmatched_replies == 1
    assert wire.receive(ACKED) == [Ready(refused=False)]


def test_a_command_that_a_reboot_overtakes_is_not_written(wire: Wire) -> None:
    wire.make_ready()
    wire.session.command(LedCtrl(0), wire.now)
    wire.receive(GetAll())
    assert wire.sent() == [SetAll()]


def test_no_command_is_written_while_a_reboot_waits_for_its_answer(
    wire: Wire,
) -> None:
    """Settings were due after an answer; in the same read came one GET_ALL too many."""
    wire.make_ready()
    for _ in range(3):
        wire.receive(GetAll())
        wire.receive(ACKED)
    wire.command(GetDeviceId())
    wire.session.reconfigure(CODED, wire.now)
    wire.sent()
    wire.receive(DEVICE, GetAll())
    assert wire.sent() == [], "nobody would wait for its answer, and it is one SET_ALL too many"
    wire.wait()
    assert wire.sent() == [CODED]
    assert wire.receive(ACKED) == [Ready(refused=False)]


def test_what_only_a_host_sends_is_dropped(wire: Wire) -> None:
    wire.make_ready()
    assert wire.receive(SetAll(), LedCtrl(0), GetDeviceId()) == []
    assert wire.session.counters.unexpected_messages == 3


def test_a_stray_stx_does_not_hold_back_an_answer_for_ever(wire: Wire) -> None:
    wire.sent()
    assert wire.receive_bytes(b"\xca\xf9\x12" + DEVICE.to_frame()) == []
    assert wire.session.deadline == pytest.approx(wire.now + 0.05)
    assert wire.wait() == [Identified(DEVICE)]
    assert wire.session.counters.scanner.idle_rescans > 0


def test_the_end_of_a_link_loses_no_frame(wire: Wire) -> None:
    wire.make_ready()
    assert wire.receive_bytes(b"\xca\xf9\x12" + REPORT.to_frame()) == []
    assert wire.session.end(wire.now) == [Received([REPORT])]
    assert wire.session.deadline == inf
    assert wire.session.take_output() == b""


def test_a_changed_identity_is_told(wire: Wire) -> None:
    wire.make_ready()
    wire.wait()
    other = DeviceId(bytes(8), DEVICE.addr)
    assert wire.receive(other) == [Identified(other)]


@pytest.mark.parametrize("length", [193, 255])
def test_settings_that_would_corrupt_the_memory_of_the_coprocessor(length: int) -> None:
    with pytest.raises(LocalProtocolError, match="192"):
        HostSession(SetAll(max_adv_len=length))


def test_every_state_can_be_left_and_only_as_the_table_says(wire: Wire) -> None:
    assert set(TRANSITIONS) == set(State)
    assert all(Trigger.CLOSED in row for row in TRANSITIONS.values())
    with pytest.raises(LocalProtocolError, match="impossible while identifying"):
        wire.session.start(wire.now)


# --- old firmware


def test_who_was_old_before_is_spared_the_long_form() -> None:
    wire = Wire()
    wire.session = HostSession(SetAll(), old=DEVICE)
    wire.session.start(wire.now)
    wire.write()
    wire.receive(DEVICE)
    assert wire.sent()[-1] == SetAll(max_adv_len=0)


def test_an_old_report_before_the_settings_spares_it_too(wire: Wire) -> None:
    wire.receive(OLD_REPORT)
    wire.receive(DEVICE)
    assert wire.sent()[-1] == SetAll(max_adv_len=0)
