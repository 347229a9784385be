"""HostSession while it runs: other settings, a quiet radio, and what may wait."""

import pytest
from session_wire import ACKED, CODED, DEVICE, REPORT, Wire
from session_wire import wire as wire

from firmware_protocol.commands import Command
from firmware_protocol.errors import LocalProtocolError
from firmware_protocol.events import (
    Event,
    Failed,
    Quiet,
    Ready,
    Rebooted,
    Received,
)
from firmware_protocol.messages import (
    Ack,
    GetAll,
    GetDeviceId,
    LedCtrl,
    SetAll,
)
from firmware_protocol.transitions import State

# --- other settings while it runs


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
