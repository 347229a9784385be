"""HostSession: commands of its caller, and the question whether anybody is there."""

import pytest
from session_wire import DEVICE, REPORT, Wire
from session_wire import wire as wire

from firmware_protocol.commands import Command
from firmware_protocol.dialect import Generation
from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.events import (
    Event,
    Failed,
    Rebooted,
    Received,
    Replied,
)
from firmware_protocol.messages import (
    Ack,
    GetAll,
    GetDeviceId,
    LedCtrl,
    SetAll,
    SetFltrTags,
)
from firmware_protocol.session import HostSession
from firmware_protocol.transitions import State


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
