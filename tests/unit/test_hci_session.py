"""A session against a model of a controller: start, scan, refusals."""

from math import inf

import pytest
from hci_events import (
    complete,
    event,
    extended_event,
    extended_report,
    h4,
    status,
)
from hci_model import ControllerModel
from hci_sessions import EXTENDED, EXTENDED_REPORT, LEGACY, pi, rungs
from hci_world import REPORT, World

from firmware_protocol.messages import SetAll
from ruuvi_host.hci.happenings import (
    Climbed,
    Heard,
    OtherKind,
    Refused,
    Scanning,
    Started,
)
from ruuvi_host.hci.ladder import Rung
from ruuvi_host.hci.plan import ScanChoice, ScanPlan
from ruuvi_host.hci.session import State

START = [0x0C03, 0x1001, 0x1002, 0x2003, 0x1009, 0xFC09, 0x0C01, 0x2001, 0x0C6D, 0x2005]


# -- start ----------------------------------------------------------------------------------------


def test_the_start_in_its_order() -> None:
    world = World()
    assert world.model.names() == START
    assert (world.counters.commands, world.counters.unanswered) == (len(START), 0)
    [started] = world.log
    assert isinstance(started, Started)
    assert started.kind is EXTENDED
    facts = started.facts
    assert (facts.version, facts.company) == ("5.3", 0x05F1)
    assert (facts.legacy, facts.extended, facts.coded) == (True, True, True)
    assert facts.public_address == bytes(6)
    assert facts.static_addresses == (bytes.fromhex("C60504030201"),)


def test_a_pi_hears_legacy_only_whatever_its_version_says() -> None:
    world = World(pi())
    [started] = world.log
    assert isinstance(started, Started)
    assert started.kind is LEGACY
    assert not started.facts.extended
    assert not started.facts.coded
    assert started.facts.public_address == bytes.fromhex("DCA632010203")
    assert 0xFC09 not in world.model.names(), "it has an address"
    assert dict(world.model.commands)[0x2001] == bytes.fromhex("0200000000000000")


def test_the_feature_alone_is_not_enough() -> None:
    world = World(ControllerModel(has_extended_commands=False))
    assert world.kind is LEGACY


def test_the_next_command_waits_for_the_answer() -> None:
    world = World(ControllerModel(deaf=True))
    session = world.session
    session.receive(h4(complete(0x0C03)), 1.0)
    assert session.take_output() == bytes.fromhex("01011000")
    session.receive(h4(complete(0x1002), event(0x0E, b"\x01\x00\x00"), status(0, 0)), 1.1)
    assert session.take_output() == b"", "neither another's answer nor a credit is one"
    assert world.counters.unmatched == 1
    session.receive(h4(complete(0x1001, 0, bytes(8))), 1.2)
    assert session.take_output() == bytes.fromhex("01021000")


@pytest.mark.parametrize("by_status", [True, False])
@pytest.mark.parametrize("opcode", START[1:])
def test_a_controller_may_refuse_any_question(opcode: int, by_status: bool) -> None:
    address = bytes.fromhex("DCA632010203") if opcode == 0x2005 else bytes(6)
    world = World(ControllerModel(refusals={opcode: 0x01}, address=address), host=SetAll())
    if by_status:
        world.model.by_status = {opcode}
        world.open()
    assert any(isinstance(each, Scanning) and each.plan for each in world.log)
    told = {each.opcode for each in world.log if isinstance(each, Refused)}
    assert told == {opcode} & {0x0C01, 0x2001, 0x2005}
    assert world.counters.refused > 0
    if opcode == 0x2005:
        parameters = dict(world.model.commands)[0x2041]
        assert parameters[0] == 0, "there is no random address to scan with"


def test_zeros_go_before_a_reset_on_a_serial_line_only() -> None:
    world = World(flush=True)
    assert world.model.zeros == 258
    assert World().model.zeros == 0


def test_the_second_reset_goes_without_zeros() -> None:
    """A controller that does not skip them alone would never hear one."""
    world = World(ControllerModel(deaf=True), flush=True)
    zeros = [world.model.zeros]
    for until in (6.0, 11.0):
        world.run(until)
        zeros.append(world.model.zeros)
    assert zeros == [258, 258, 516]


def test_a_controller_says_how_many_commands_it_takes() -> None:
    session = World(ControllerModel(deaf=True)).session
    none, one = h4(event(0x0E, b"\x00\x03\x0c\x00")), h4(event(0x0E, b"\x01\x00\x00"))
    session.receive(none, 1.0)
    assert session.take_output() == b"", "it does not take the next one yet"
    session.receive(h4(status(0, 0)), 1.1)
    assert session.take_output() == bytes.fromhex("01011000")
    session.receive(one, 1.2)
    assert session.take_output() == b"", "nor one twice"


def test_a_controller_that_takes_no_command_is_given_one_all_the_same() -> None:
    session = World(ControllerModel(deaf=True)).session
    session.receive(h4(event(0x0E, b"\x00\x03\x0c\x00")), 1.0)
    assert session.deadline == 2.0
    assert session.tick(2.0) == []
    assert session.take_output() == bytes.fromhex("01011000"), "there may be one that never does"
    assert session.deadline == 4.0
    [climbed] = session.tick(4.0)
    assert isinstance(climbed, Climbed)
    assert climbed.rung is Rung.RESET
    assert session.take_output() == bytes.fromhex("01030c00")


def test_a_command_left_in_the_middle_is_completed_by_the_zeros() -> None:
    model = ControllerModel()
    model.receive(bytes.fromhex("01 41 20 FF"))
    world = World(model, flush=True)
    assert isinstance(world.log[-1], Started)
    assert world.model.names()[0] == 0x2041


def test_a_reset_is_tried_three_times() -> None:
    world = World(ControllerModel(deaf_to={0x0C03}))
    world.run(9.0)
    assert world.model.names() == [0x0C03] * 2
    world.model.deaf_to = set()
    world.run(11.0)
    assert isinstance(world.log[-1], Started)
    assert world.counters.unanswered == 2


def test_what_never_answered_may_be_something_else() -> None:
    world = World(ControllerModel(deaf=True))
    world.run(16.0)
    world.open()
    world.says(bytes(300))
    world.model.deaf = False
    world.open()
    world.says(bytes(300))
    reasons = [each.reason for each in world.log if isinstance(each, Climbed)]
    assert ["HCI controller, and at this speed?" in reason for reason in reasons] == [1, 1, 0]


def test_a_reset_that_is_refused_is_tried_three_times_too() -> None:
    world = World(ControllerModel(refusals={0x0C03: 0x0C}))
    assert world.model.names() == [0x0C03] * 3
    assert world.climbed() == [(0.0, 3)]
    assert world.session.is_spent


def test_an_answer_that_is_too_short_is_none() -> None:
    world = World(ControllerModel(deaf_to={0x1001}))
    world.says(h4(complete(0x1001, 0, b"\x0c")))
    assert world.counters.malformed_events == 1
    world.run(2.1)
    assert [each.rung for each in world.log if isinstance(each, Climbed)] == [Rung.RESET]


# -- scan -----------------------------------------------------------------------------------------


def scan_commands(world: World) -> list[tuple[int, str]]:
    return [(opcode, parameters.hex()) for opcode, parameters in world.model.commands[10:]]


def test_extended_scanning() -> None:
    world = World(host=SetAll())
    assert scan_commands(world) == [
        (0x2042, "000000000000"),
        (0x2041, "010001" + "00a000a000"),
        (0x2042, "010000000000"),
    ]
    assert world.log[-1] == Scanning(ScanPlan(EXTENDED, True, False))
    assert world.model.scanning
    assert world.session.state is State.SCANNING


def test_coded_and_1m_share_the_time() -> None:
    world = World(host=SetAll(use_coded_phy=True))
    assert scan_commands(world)[1] == (0x2041, "010005" + "004001a000" * 2)


def test_legacy_scanning() -> None:
    world = World(choice=ScanChoice.LEGACY, host=SetAll(use_coded_phy=True))
    assert scan_commands(world) == [
        (0x200C, "0000"),
        (0x200B, "00a000a0000100"),
        (0x200C, "0100"),
    ]


def test_nothing_to_scan_is_scan_off() -> None:
    world = World(host=SetAll())
    world.took(world.session.set_scan(SetAll(use_1m_phy=False, use_2m_phy=False), world.now))
    world.settle()
    assert world.log[-1] == Scanning(None)
    assert not world.model.scanning
    assert world.session.state is State.IDLE
    world.run(600.0)
    assert rungs(world) == [], "nothing is expected, so silence means nothing"
    world.took(world.session.set_scan(SetAll(), world.now))
    world.settle()
    world.took(world.session.set_scan(None, world.now))
    world.settle()
    assert not world.model.scanning


def test_a_filter_does_not_touch_the_scan() -> None:
    world = World(host=SetAll())
    before = len(world.model.commands)
    world.took(world.session.set_scan(SetAll(fltr_id=1), world.now, anew=False))
    world.settle()
    assert len(world.model.commands) == before
    world.hears(EXTENDED_REPORT)
    assert world.counters.other_company == 1
    world.took(world.session.set_scan(SetAll(use_coded_phy=True), world.now, anew=False))
    world.settle()
    assert len(world.model.commands) == before + 3


def test_the_last_word_counts_when_a_host_changes_its_mind() -> None:
    world = World(ControllerModel(deaf_to={0x2041}), host=SetAll())
    world.session.set_scan(SetAll(use_coded_phy=True), world.now)
    world.session.set_scan(None, world.now)
    world.session.set_scan(SetAll(use_2m_phy=False), world.now)
    world.model.deaf_to = set()
    world.says(h4(complete(0x2041)))
    assert world.model.scanning
    assert world.log[-1] == Scanning(ScanPlan(EXTENDED, True, False))
    assert not world.told(Refused)


def test_before_it_has_started_there_is_no_scan() -> None:
    world = World(ControllerModel(deaf=True))
    assert world.session.set_scan(SetAll(), world.now) == []
    world.session.end(world.now)
    assert world.session.set_scan(SetAll(), world.now) == []
    assert world.session.deadline == inf
    assert world.session.receive(h4(REPORT), world.now) == []


def test_reports_of_one_read_come_together_in_order() -> None:
    world = World(host=SetAll())
    report = extended_event(extended_report(bits=0x10, rssi=-1), extended_report(rssi=-2))
    world.says(h4(report, event(0x13, b"\x00"), EXTENDED_REPORT))
    first, second = world.told(Heard)
    assert isinstance(first, Heard)
    assert isinstance(second, Heard)
    assert [each.rssi for each in first.reports] == [-1, -2]
    assert [each.rssi for each in second.reports] == [-67]
    assert (world.counters.sent, world.counters.unaccounted) == (3, 0)


def test_without_a_host_reports_are_counted_and_dropped() -> None:
    world = World(host=SetAll())
    world.session.host_present = False
    world.hears(EXTENDED_REPORT)
    assert not world.told(Heard)
    assert world.counters.no_host == 1


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0x01, 0x0C, 0x12])
@pytest.mark.parametrize("opcode", [0x2041, 0x2042])
@pytest.mark.parametrize("by_status", [True, False])
def test_a_controller_that_lies_about_extended_scanning(
    opcode: int, code: int, by_status: bool
) -> None:
    model = ControllerModel(refusals={opcode: code})
    model.by_status = {opcode} if by_status else set()
    world = World(model, host=SetAll())
    assert world.kind is LEGACY
    assert world.log[-1] == Scanning(ScanPlan(LEGACY, True, False))
    assert len(world.told(Started)) == 2, "there is a reset in between, so it boots"
    [refused] = world.told(Refused)
    assert isinstance(refused, Refused)
    assert (refused.opcode, refused.status) == (opcode, code)
    assert [type(each) for each in world.log].index(OtherKind) == 2
    assert (world.counters.other_kind, world.counters.rungs) == (1, [0, 0, 0, 0])
    world.hears()
    assert world.counters.sent == 1


def test_switching_off_what_is_off_may_be_refused() -> None:
    world = World(ControllerModel(), host=SetAll())
    world.model.refusals = {}
    world.says(b"")
    model = ControllerModel(refusals={0x200C: 0x0C})
    world = World(model, ScanChoice.LEGACY)
    world.took(world.session.set_scan(None, world.now))
    world.settle()
    assert world.log[-1] == Scanning(None)
    assert world.counters.refused == 0


@pytest.mark.parametrize("choice", [ScanChoice.EXTENDED, ScanChoice.LEGACY])
def test_a_scan_that_is_refused_leads_to_a_reset_and_then_to_an_error(choice: ScanChoice) -> None:
    opcode = 0x2042 if choice is ScanChoice.EXTENDED else 0x200B
    world = World(ControllerModel(refusals={opcode: 0x12}), choice, host=SetAll())
    assert world.climbed() == [(0.0, 2)]
    refusals = world.told(Refused)
    assert [each.remedy != "" for each in refusals if isinstance(each, Refused)] == [True, False]
    assert world.told(OtherKind) == []
    world.run(50.0)
    assert world.climbed() == [(0.0, 2), (0.0, 1)], "it is tried again, as after any silence"
    assert len(world.told(Refused)) == 3, "and never silently"
    world.model.refusals = {}
    world.run(90.0)
    assert isinstance(world.log[-1], Scanning)


def test_a_refusal_that_the_other_kind_cannot_help_leads_to_a_reset() -> None:
    class Busy(ControllerModel):
        def _do(self, opcode: int, parameters: bytes) -> tuple[int, bytes]:
            busy = opcode == 0x2041 and self.names().count(0x0C03) < resets
            return (0x3A, b"") if busy else super()._do(opcode, parameters)

    resets = 2
    world = World(Busy(), host=SetAll())
    assert world.kind is EXTENDED
    assert world.climbed() == [(0.0, 2)]
    resets = 3
    world = World(Busy(), host=SetAll())
    assert world.kind is LEGACY, "if that does not help, the other kind may"
    assert world.log[-1] == Scanning(ScanPlan(LEGACY, True, False))


def test_a_controller_that_restarted_by_itself_keeps_its_kind() -> None:
    """It has lost its random address, so a scan is refused: the reset mends that."""
    world = World(host=SetAll())
    world.model.receive(bytes.fromhex("01 03 0C 00"))
    world.run(43.0)
    assert rungs(world) == [1, 2]
    assert world.log[-1] == Scanning(ScanPlan(EXTENDED, True, False))
    world.model.receive(bytes.fromhex("01 03 0C 00"))
    world.took(world.session.set_scan(SetAll(), world.now))
    world.settle()
    assert rungs(world) == [1, 2, 2], "a scan has begun since, so a reset is the remedy again"
    assert world.session.state is State.SCANNING


def test_coded_is_left_out_where_it_is_refused() -> None:
    class NoCoded(ControllerModel):
        def _do(self, opcode: int, parameters: bytes) -> tuple[int, bytes]:
            if opcode == 0x2041 and parameters[2] & 4:
                return 0x11, b""
            return super()._do(opcode, parameters)

    world = World(NoCoded(), host=SetAll(use_coded_phy=True))
    assert world.log[-1] == Scanning(ScanPlan(EXTENDED, True, False))
    [refused] = world.told(Refused)
    assert isinstance(refused, Refused)
    assert "Coded" in refused.remedy
