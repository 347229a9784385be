"""HostSession: identify, configure, retry, reboot, heartbeat; time is a number here."""

from math import inf

import pytest

from firmware_protocol.commands import Command
from firmware_protocol.dialect import Generation
from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.events import (
    Event,
    Failed,
    Identified,
    Quiet,
    Ready,
    Rebooted,
    Received,
    Replied,
)
from firmware_protocol.framing import decode_frame
from firmware_protocol.messages import (
    Ack,
    AdvRprt,
    AdvRprt2,
    DeviceId,
    GetAll,
    GetDeviceId,
    HostMessage,
    LedCtrl,
    Message,
    SetAll,
    SetFltrTags,
    parse,
)
from firmware_protocol.session import HostSession
from firmware_protocol.timers import Timing
from firmware_protocol.transitions import TRANSITIONS, State, Trigger

DEVICE = DeviceId(bytes.fromhex("4098a778581ae138"), bytes.fromhex("c8252d8e9c2c"))
REPORT = AdvRprt2(bytes(6), b"\x02\x01\x06", -60, 1, 15, 37, False, -64)
OLD_REPORT = AdvRprt(bytes(6), b"\x02\x01\x06", -60)
ACKED = Ack(Command.SET_ALL, False)


class Wire:
    """A session, the time, and what it has written."""

    def __init__(self, settings: SetAll | None = None, timing: Timing | None = None) -> None:
        self.now = 100.0
        self.session = HostSession(settings or SetAll(), timing)
        self._written: list[Message] = []
        self.session.start(self.now)
        self.write()

    def write(self) -> None:
        """What a link does after each call: hand the output to the port."""
        output = self.session.take_output()
        if output:
            self._written.append(parse(decode_frame(output)))
            assert self._written[-1].to_frame() == output, "one command in one write"

    def sent(self) -> list[Message]:
        """What has been written since the last time."""
        written, self._written = self._written, []
        return written

    def receive(self, *messages: Message) -> list[Event]:
        return self.receive_bytes(b"".join(m.to_frame() for m in messages))

    def receive_bytes(self, raw: bytes) -> list[Event]:
        events = self.session.receive(raw, self.now)
        self.write()
        return events

    def command(self, command: HostMessage) -> None:
        self.session.command(command, self.now)
        self.write()

    def wait(self) -> list[Event]:
        """Until the deadline."""
        assert self.session.deadline < inf
        assert self.session.deadline > self.now, "a deadline that is over makes a link spin"
        self.now = self.session.deadline
        events = self.session.tick(self.now)
        self.write()
        return events

    def make_ready(self) -> None:
        self.receive(DEVICE)
        self.receive(ACKED)
        self.sent()
        assert self.session.state is State.READY


@pytest.fixture
def wire() -> Wire:
    return Wire()


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


def test_commands_of_the_caller(wire: Wire) -> None:
    with pytest.raises(LocalProtocolError, match="identifying"):
        wire.session.command(LedCtrl(0), wire.now)
    wire.make_ready()
    command = SetFltrTags(False)
    wire.command(command)
    with pytest.raises(LocalProtocolError, match="in flight"):
        wire.session.command(command, wire.now)
    assert wire.sent() == [command]
    ack = Ack(Command.SET_FLTR_TAGS, True)
    assert wire.receive(ack) == [Replied(command, ack)]
    with pytest.raises(LocalProtocolError, match="SET_ALL"):
        wire.session.command(SetAll(), wire.now)


def test_a_command_without_an_answer_is_followed_by_a_probe(wire: Wire) -> None:
    wire.make_ready()
    wire.command(LedCtrl(1500))
    events = [event for _ in range(4) for event in wire.wait()]
    assert events == [Replied(LedCtrl(1500), None)]
    assert wire.sent() == [LedCtrl(1500)] * 4 + [GetDeviceId()]
    wire.receive(DEVICE)
    assert wire.session.can_command


def test_a_question_of_the_caller_without_an_answer(wire: Wire) -> None:
    wire.make_ready()
    wire.command(GetDeviceId())
    events = [event for _ in range(4) for event in wire.wait()]
    assert events == [Replied(GetDeviceId(), None)]
    assert wire.sent() == [GetDeviceId()] * 5, "the fifth is the session's own"


def test_a_deaf_coprocessor_is_noticed_by_a_command_too(wire: Wire) -> None:
    wire.make_ready()
    for _ in range(1 + 7):
        wire.wait()
    wire.receive(DEVICE)  # the row of time-outs ends here
    wire.command(LedCtrl(0))
    events: list[Event] = []
    while wire.session.state is State.READY:
        events += wire.wait()
    failed = Failed(State.READY, Command.GET_DEVICE_ID)
    assert events == [Replied(LedCtrl(0), None), failed]
    assert wire.session.counters.lost_acks == 7 + 10


def test_the_end_of_a_link_ends_a_command(wire: Wire) -> None:
    wire.make_ready()
    wire.command(LedCtrl(0))
    assert wire.session.end(wire.now) == [Replied(LedCtrl(0), None)]


def test_a_reboot_ends_a_command(wire: Wire) -> None:
    wire.make_ready()
    wire.command(LedCtrl(0))
    assert wire.receive(GetAll()) == [Replied(LedCtrl(0), None), Rebooted()]


def test_old_firmware_echoes_led_ctrl(wire: Wire) -> None:
    wire.make_ready()
    wire.command(LedCtrl(1500))
    assert wire.receive(LedCtrl(1500)) == [Replied(LedCtrl(1500), LedCtrl(1500))]
    assert wire.session.generation is Generation.V1


def test_new_firmware_acknowledges_led_ctrl() -> None:
    wire = Wire(SetAll(max_adv_len=0))  # the ACK to a short form tells nothing
    wire.make_ready()
    wire.command(LedCtrl(1500))
    ack = Ack(Command.LED_CTRL, False)
    assert wire.receive(ack) == [Replied(LedCtrl(1500), ack)]
    assert wire.session.generation is Generation.V2


def test_heartbeat_although_reports_flow(wire: Wire) -> None:
    """Reports alone do not prove that the coprocessor hears."""
    wire.make_ready()
    start = wire.now
    while wire.now < start + 9:
        wire.now += 1
        wire.receive(REPORT)
    assert wire.sent() == []
    assert wire.session.deadline == pytest.approx(start + 10)
    wire.wait()
    assert wire.sent() == [GetDeviceId()]
    wire.receive(DEVICE)
    assert wire.session.deadline == pytest.approx(wire.now + 10)


def test_a_deaf_coprocessor_is_given_up(wire: Wire) -> None:
    wire.make_ready()
    events: list[Event] = []
    while not any(isinstance(e, Failed) for e in events):
        events = wire.receive(REPORT)
        assert events == [Received([REPORT])]
        events = wire.wait()
    assert events == [Failed(State.READY, Command.GET_DEVICE_ID, deaf=True)]
    assert wire.session.counters.lost_acks == 30, "reports cost answers, so there is more patience"


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


# --- other settings while it runs

CODED = SetAll(use_coded_phy=True)


def test_other_settings_are_sent_at_once_and_reports_flow_on(wire: Wire) -> None:
    wire.make_ready()
    wire.session.reconfigure(CODED, wire.now)
    wire.write()
    assert wire.sent() == [CODED]
    assert wire.receive(REPORT) == [Received([REPORT])]
    assert wire.receive(Ack(Command.SET_ALL, True), REPORT) == [
        Ready(refused=True, again=True),
        Received([REPORT]),
    ]
    wire.receive(GetAll())
    assert wire.sent() == [CODED], "and after each reboot"
    assert wire.session.counters.reports_unconfigured == 0


def test_the_same_settings_are_sent_again_as_a_gateway_does(wire: Wire) -> None:
    wire.make_ready()
    wire.sent()
    wire.session.reconfigure(SetAll(), wire.now)
    wire.write()
    assert wire.sent() == [SetAll()]
    assert wire.receive(ACKED) == [Ready(refused=False, again=True)]


def test_the_same_settings_are_not_sent_twice_during_the_handshake(wire: Wire) -> None:
    wire.receive(DEVICE)
    wire.session.reconfigure(SetAll(), wire.now)
    wire.receive(ACKED)
    assert [m for m in wire.sent() if isinstance(m, SetAll)] == [SetAll()]


def test_other_settings_wait_for_the_command_in_flight(wire: Wire) -> None:
    wire.make_ready()
    wire.command(LedCtrl(0))
    wire.sent()
    wire.session.reconfigure(CODED, wire.now)
    assert wire.session.take_output() == b""
    wire.receive(Ack(Command.LED_CTRL, False))
    assert wire.sent() == [CODED]
    assert wire.receive(ACKED) == [Ready(refused=False, again=True)]


def test_other_settings_during_the_handshake_are_the_ones_that_stay(wire: Wire) -> None:
    wire.session.reconfigure(CODED, wire.now)
    wire.receive(DEVICE)
    assert wire.sent()[-1] == CODED
    wire.session.reconfigure(SetAll(), wire.now)
    wire.wait()
    assert wire.sent() == [SetAll()], "a retry is one of what is wanted now"
    wire.session.reconfigure(CODED, wire.now)
    assert wire.receive(ACKED) == [Ready(refused=False)]
    assert wire.sent() == [CODED]
    assert wire.receive(ACKED) == [Ready(refused=False, again=True)]


def test_other_settings_that_are_never_answered_end_it(wire: Wire) -> None:
    """GET_DEVICE_ID is answered all the time: that must not hide it."""
    wire.make_ready()
    wire.session.reconfigure(CODED, wire.now)
    wire.write()
    failed = Failed(State.READY, Command.SET_ALL)
    events: list[Event] = []
    sent = 0
    while failed not in events:
        for message in wire.sent():
            sent += isinstance(message, SetAll)
            if isinstance(message, GetDeviceId):
                wire.receive(DEVICE)
        events += wire.wait()
    assert sent == 10
    assert wire.session.counters.recoveries == 2


def test_a_reboot_overtakes_other_settings(wire: Wire) -> None:
    wire.make_ready()
    wire.session.reconfigure(CODED, wire.now)
    wire.write()
    assert wire.receive(GetAll()) == [Rebooted()]
    assert wire.sent() == [CODED, CODED]
    assert wire.receive(ACKED) == [Ready(refused=False)]


def test_impossible_settings_are_refused(wire: Wire) -> None:
    with pytest.raises(LocalProtocolError, match="max_adv_len"):
        wire.session.reconfigure(SetAll(max_adv_len=193), wire.now)


# --- a quiet radio is no dead link


def until_told(wire: Wire, wanted: Event, limit: float) -> None:
    """Answer each probe until `wanted` is told, before `limit` seconds have passed."""
    end = wire.now + limit
    while wanted not in wire.wait():
        assert wire.now < end
        if wire.sent():
            wire.receive(DEVICE)


def test_quiet_is_told_once_and_again_after_a_report(wire: Wire) -> None:
    wire.make_ready()
    start = wire.now
    until_told(wire, Quiet(), 51)
    assert wire.now == pytest.approx(start + 50)
    for _ in range(30):
        assert Quiet() not in wire.wait()
        if wire.sent():
            wire.receive(DEVICE)
    wire.receive(REPORT)
    until_told(wire, Quiet(), 51)


def test_the_reboots_of_a_quiet_coprocessor_do_not_hide_that_it_is_quiet(wire: Wire) -> None:
    wire.make_ready()
    wire.now += 42
    assert wire.receive(GetAll()) == [Rebooted(quiet=True)]
    wire.receive(ACKED)
    until_told(wire, Quiet(), 9)
    wire.now += 34
    assert wire.receive(GetAll()) == [Rebooted(quiet=True)]
    assert (wire.session.counters.reboots, wire.session.counters.reboots_quiet) == (2, 2)


def test_a_reboot_while_reports_flow_is_none_of_these(wire: Wire) -> None:
    wire.make_ready()
    wire.now += 42
    wire.receive(REPORT)
    wire.now += 5
    assert wire.receive(GetAll()) == [Rebooted(quiet=False)]
    wire.receive(ACKED)
    wire.now += 5
    assert wire.receive(GetAll()) == [Rebooted(quiet=False)]


# --- the probe


class LedWire(Wire):
    """A session that probes with LED_CTRL."""

    def __init__(self) -> None:
        super().__init__()
        self.session = HostSession(SetAll(), probe=LedCtrl(15000))
        self.session.start(self.now)
        self.write()
        self.make_ready()


def test_the_probe_may_be_a_light() -> None:
    wire = LedWire()
    for _ in range(3):
        wire.wait()
        assert wire.sent() == [LedCtrl(15000)]
        wire.receive(Ack(Command.LED_CTRL, False))
    assert wire.session.counters.probes == 3
    assert wire.session.counters.lost_acks == 0


def test_firmware_1_0_0_echoes_the_light() -> None:
    wire = LedWire()
    wire.wait()
    assert wire.receive(LedCtrl(15000)) == []
    assert wire.session.generation is Generation.V1
    assert wire.session.counters.lost_acks == 0


def test_firmware_that_has_no_light_is_asked_who_it_is() -> None:
    wire = LedWire()
    for _ in range(1 + 4):
        wire.wait()
    assert wire.sent() == [LedCtrl(15000)] * 4 + [GetDeviceId()]
    wire.receive(DEVICE)
    wire.wait()
    assert wire.sent() == [GetDeviceId()], "from now on"


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


# --- when what comes may wait


def test_only_a_session_that_awaits_nothing_expects_only_reports(wire: Wire) -> None:
    def calm() -> bool:
        return wire.session.expects_only_reports

    assert not calm()
    wire.make_ready()
    assert calm()
    wire.receive(REPORT)
    assert calm()
    wire.command(LedCtrl(10))
    assert not calm()
    wire.receive(Ack(Command.LED_CTRL, False))
    assert calm()
    wire.receive(GetAll())
    assert not calm()
    wire.receive(ACKED)
    assert calm()


def test_a_frame_that_has_begun_may_wait_and_one_that_does_not_end_may_not(wire: Wire) -> None:
    wire.make_ready()
    frame = REPORT.to_frame()
    calm = []
    for piece in (frame + frame[:-9], frame[-9:-5], frame[-5:]):  # the second should have ended it
        wire.receive_bytes(piece)
        calm.append(wire.session.expects_only_reports)
    assert calm == [True, False, True]


def test_damage_is_not_waited_with(wire: Wire) -> None:
    wire.make_ready()
    calm = []
    for piece in (b"\x00" + REPORT.to_frame(), REPORT.to_frame()):
        wire.receive_bytes(piece)
        calm.append(wire.session.expects_only_reports)
    assert calm == [False, True]
