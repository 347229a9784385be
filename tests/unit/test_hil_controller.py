"""The scripted controller keeps the rules it is there for: order, lengths, masks, addresses."""

from dataclasses import replace

import pytest

from hil.controller.adverts import ANONYMOUS, Advert, Cycle
from hil.controller.core import Controller
from hil.controller.habits import NO_ADDRESS, RASPBERRY_PI, Fault, Habits

RESET, MASK, LE_MASK = "01030C00", "01010C08FFFFFFFFFFFFFF3F", "01012008FF1F000000000000"
RANDOM, ON, OFF = "01052006112233445566", "010C20020100", "010C20020000"
PARAMETERS, PUBLIC = "010B2007000100010001 00".replace(" ", ""), "010B200700A000A0000000"
E_PARAMETERS = "0141 20 08 01 00 01 00 A000 A000".replace(" ", "")
E_ON = "01422006010000000000"
TAG = Advert(bytes.fromhex("CBB8334C884F"), b"\x03\xff\x99\x04", -40)


def answers(controller: Controller, *commands: str) -> list[int]:
    """The statuses of the answers."""
    told = []
    for command in commands:
        controller.receive(bytes.fromhex(command), 1.0)
        told += [p[3] if p[1] == 0x0F else p[6] for p in controller.advance(1.0)]
    return told


def started(habits: Habits | None = None) -> Controller:
    controller = Controller(habits)
    assert answers(controller, RESET, MASK, LE_MASK, RANDOM) == [0, 0, 0, 0]
    return controller


def scanning(habits: Habits | None = None, *, is_extended: bool = False) -> Controller:
    controller = started(habits)
    scan = (E_PARAMETERS, E_ON) if is_extended else ("010B200700A000A0000100", ON)
    assert answers(controller, *scan) == [0, 0]
    return controller


def test_what_is_heard_is_reported() -> None:
    controller = scanning()
    controller.hear(TAG)
    assert controller.advance(1.0) == [
        bytes.fromhex("04 3E 10 02 01 00 01 4F884C33B8CB 04 03FF9904 D8")
    ]
    controller = scanning(is_extended=True)
    controller.hear(replace(TAG, fragment=3, is_truncated=True))
    head = "01 4F884C33B8CB 01 00 FF 7F D8 0000 00000000000000"
    assert controller.advance(1.0) == [
        bytes.fromhex(f"04 3E 1D 0D 01 3300 {head} 03 03FF99"),
        bytes.fromhex(f"04 3E 1B 0D 01 5300 {head} 01 04"),
    ]


@pytest.mark.parametrize(
    ("commands", "status"),
    [
        (["010B200700A000A0000000", ON], 0x00),
        (["010B200600A000A00001"], 0x12),
        (["010B200700A000A1000100"], 0x12),
        (["0141200D01000500A000A000 00A000A000"], 0x00),
        (["0141200801000500A000A000"], 0x12),
        (["0141200801000200A000A000"], 0x11),
        ([E_PARAMETERS, ON], 0x0C),
        (["010B200700A000A0000100", E_ON], 0x0C),
        (["010B200700A000A0000100", ON, "010B200700A000A0000100"], 0x0C),
        (["010B200700A000A0000100", ON, RANDOM], 0x0C),
        (["010B200700A000A0000100", ON, OFF, RANDOM], 0x00),
        ([OFF], 0x00),
        (["0101FC00"], 0x01),
        (["01052005112233445566"[:18]], 0x12),
    ],
)
def test_order_and_lengths(commands: list[str], status: int) -> None:
    assert answers(started(), *commands)[-1] == status


def test_its_own_address_must_be_set() -> None:
    assert answers(Controller(), "010B200700A000A0000100", ON) == [0, 0x12]
    assert answers(Controller(), E_PARAMETERS, E_ON) == [0, 0x12]
    without = Controller(Habits(address=NO_ADDRESS))
    assert answers(without, "010B200700A000A0000000", ON) == [0, 0x12]


@pytest.mark.parametrize("masks", [[], [MASK], [LE_MASK]])
def test_both_masks_are_needed(masks: list[str]) -> None:
    controller = Controller()
    answers(controller, *masks, RANDOM, E_PARAMETERS, E_ON)
    controller.hear(TAG)
    assert controller.advance(1.0) == []
    assert controller.seen.counts["masked"] == 1


def test_two_modes_need_le_host_support() -> None:
    controller = scanning(Habits(has_two_modes=True))
    controller.hear(TAG)
    assert controller.advance(1.0) == []
    assert answers(controller, "016D0C020100") == [0]
    controller.hear(TAG)
    assert len(controller.advance(1.0)) == 1


def test_lies_are_found_out_by_trying() -> None:
    habits = Habits(lacks=Habits().features & ~RASPBERRY_PI)
    assert answers(started(habits), E_PARAMETERS) == [0x01]
    silent = scanning(Habits(hears_legacy_only=True), is_extended=True)
    silent.hear(TAG)
    assert silent.advance(1.0) == []


@pytest.mark.parametrize(
    ("fault", "mended_by"),
    [
        (Fault.QUIET, [OFF, ON]),
        (Fault.QUIET_UNTIL_RESET, [RESET, MASK, LE_MASK, RANDOM, "010B200700A000A0000100", ON]),
    ],
)
def test_faults_and_what_mends_them(fault: Fault, mended_by: list[str]) -> None:
    controller = scanning()
    controller.fail(fault, 1.0)
    controller.hear(TAG)
    assert controller.advance(1.0) == []
    assert set(answers(controller, *mended_by)) == {0}
    controller.hear(TAG)
    assert len(controller.advance(1.0)) == 1


def test_deaf_and_last_words() -> None:
    for fault, said in ((Fault.DEAF, 0), (Fault.ASSERT, 1)):
        controller = scanning()
        controller.fail(fault, 1.0)
        assert len(controller.advance(1.0)) == said
        assert answers(controller, RESET) == []
        controller.heal()
        assert answers(controller, RESET) == [0]


def test_odd_but_valid() -> None:
    odd = Habits(
        refuses_by_status=True, credits_late=True, chatter=True, begins_with=b"\x01\x03\x0c\x03"
    )
    controller = Controller(odd)
    controller.receive(bytes(258) + bytes.fromhex(RESET), 1.0)
    packets = [p for p in controller.advance(2.0) if p[:2] == b"\x04\x0e"]
    assert [p[3:] for p in packets][-2:] == [bytes.fromhex("00030C00"), bytes.fromhex("010000")]
    controller.receive(bytes.fromhex("0101FC00"), 3.0)
    assert bytes.fromhex("04 0F 04 01 00 01FC") in controller.advance(3.0)


def test_several_reports_in_an_event_as_many_as_fit() -> None:
    controller = scanning(Habits(reports_per_event=3))
    controller.air = Cycle([replace(TAG, address_type=ANONYMOUS)], 10, count=7)
    controller.air.begin(1.0)
    events = controller.advance(10.0)
    assert [event[4] for event in events] == [3, 3, 1]
    assert controller.seen.counts["reports"] == 7
