"""The session against the scripted controller, which knows HCI apart from it: habits, lies and
faults, under a clock that jumps ahead. What each needs is what the ladder promises, and no more."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from firmware_protocol.messages import AdvRprt2, SetAll
from hil.controller.__main__ import ODD
from hil.controller.adverts import ANONYMOUS, NO_RSSI, Advert, Cycle, with_scan_responses
from hil.controller.core import EXTENDED, Controller
from hil.controller.habits import (
    EVERYTHING,
    EXTENDED_ONLY,
    NO_ADDRESS,
    RASPBERRY_PI,
    Fault,
    Habits,
)
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.happenings import Asserted, Climbed, Happening, Heard, OtherKind, Started
from ruuvi_host.hci.ladder import Ladder, Rung
from ruuvi_host.hci.plan import ScanChoice
from ruuvi_host.hci.session import ControllerSession

TAG = Advert(bytes.fromhex("CBB8334C884F"), bytes.fromhex("0201061BFF990405") + bytes(23), -40)
REOPEN_AFTER = 0.5
ALL = SetAll(fltr_tags=False, use_coded_phy=True, max_adv_len=0)


class World:
    """A session, opened again whenever it is spent, and a host that configures it each time."""

    def __init__(self, habits: Habits | None = None, *adverts: Advert, rate: float = 1.0) -> None:
        self.now = 1000.0
        self.controller = Controller(habits, Cycle(adverts or (TAG,), rate))
        self.ladder = Ladder()
        self.counters = ControllerCounters()
        self.happened: list[tuple[float, Happening]] = []
        self.heard: list[AdvRprt2] = []
        self._open()

    def _open(self) -> None:
        self.session = ControllerSession(
            ScanChoice.AUTO,
            bytes(range(6)),
            ladder=self.ladder,
            counters=self.counters,
            flush=True,
        )
        self.session.host_present = True
        self.session.start(self.now)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            if self.session.is_spent:
                self.session.end(self.now)
                self.now += REOPEN_AFTER
                self._open()
            self._exchange()
            if self.session.deadline <= self.now:
                self._tell(self.session.tick(self.now))
                self._exchange()
            if self.session.is_spent:
                continue
            following = min(self.session.deadline, self.controller.deadline)
            if following > until:
                self.now = max(self.now, until)
                return
            self.now = max(self.now, following)

    def _exchange(self) -> None:
        """Until neither has anything to say, now."""
        while True:
            output = self.session.take_output()
            if output:
                self.controller.receive(output, self.now)
            packets = self.controller.advance(self.now)
            for packet in packets:
                self._tell(self.session.receive(packet, self.now))
            if not output and not packets:
                return

    def _tell(self, happenings: list[Happening]) -> None:
        for happening in happenings:
            self.happened.append((self.now, happening))
            if isinstance(happening, Heard):
                self.heard += happening.reports
            if isinstance(happening, Started):
                self._tell(self.session.set_scan(ALL, self.now))

    def rungs(self) -> list[tuple[float, Rung]]:
        return [(at, each.rung) for at, each in self.happened if isinstance(each, Climbed)]

    def count(self, kind: type[Happening]) -> int:
        return sum(isinstance(each, kind) for _, each in self.happened)


HABITS = {
    "plain": Habits(),
    "odd": ODD,
    "legacy only": Habits(features=RASPBERRY_PI),
    "no coded PHY": Habits(features=EXTENDED_ONLY),
    "no address": Habits(address=NO_ADDRESS, static_addresses=(TAG.address,)),
    "two modes": Habits(has_two_modes=True, company=2, features=RASPBERRY_PI),
    "refuses by status": Habits(refuses_by_status=True, company=2, features=RASPBERRY_PI),
    "chatter": Habits(chatter=True),
    "left in a command": Habits(begins_with=bytes.fromhex("01 6D 0C FF 01")),
    "left in ACL data": Habits(begins_with=bytes.fromhex("02 00 00 FB 00 01")),
    "off is refused when off": Habits(off_when_off=0x0C),
    "no event masks of its own": Habits(refusals={0x0C6D: 0x01}),
    "legacy commands hang it": Habits(is_deaf_to_legacy=True),
}


@pytest.mark.parametrize("habits", HABITS.values(), ids=HABITS)
def test_odd_but_valid_is_heard_without_a_rung(habits: Habits) -> None:
    world = World(habits)
    world.run(30)
    assert len(world.heard) >= 28
    assert world.rungs() == []
    assert world.counters.unaccounted == 0
    seen = world.controller.seen
    assert seen.counts["masked"] == 0, "asked for before it scans"
    assert world.counters.reports == seen.counts["reports"]
    # Off when it is off is the only thing that may be refused.
    offs = (0x200C, 0x2042, 0x0C6D, 0xFC09)
    assert {opcode for opcode, status in seen.statuses if status} <= set(offs)


LIES = {
    "no extended scanning": Habits(lacks=EVERYTHING & ~RASPBERRY_PI),
    "0x01": Habits(refusals={0x2041: 0x01}),
    "0x0C": Habits(refusals={0x2042: 0x0C}),
    "0x12": Habits(refusals={0x2042: 0x12}),
}


@pytest.mark.parametrize("habits", LIES.values(), ids=LIES)
def test_a_lie_costs_one_reset_and_the_other_kind_of_scan(habits: Habits) -> None:
    world = World(habits)
    world.run(30)
    assert world.count(OtherKind) == 1
    assert len(world.heard) >= 25
    resets = world.controller.seen.opcodes().count(0x0C03)
    assert resets == 2
    world.run(600)
    assert world.controller.seen.opcodes().count(0x0C03) == resets, "it is remembered"


def test_a_coded_phy_that_is_a_lie_is_left_out() -> None:
    world = World(Habits(lacks=EVERYTHING & ~EXTENDED_ONLY))
    world.run(30)
    assert len(world.heard) >= 25
    assert world.controller.registers.phys == 0b001


def test_extended_scanning_that_hears_nothing() -> None:
    world = World(Habits(hears_legacy_only=True))
    world.run(80)
    assert world.heard == []
    world.run(20)
    assert world.count(OtherKind) == 1
    assert world.heard
    assert [rung for _, rung in world.rungs()] == [Rung.SCAN_ANEW, Rung.RESET]


def broken(fault: Fault, habits: Habits | None = None) -> World:
    world = World(habits)
    world.run(30)
    assert world.heard
    world.controller.fail(fault, world.now)
    world.heard.clear()
    return world


@pytest.mark.parametrize(
    ("fault", "seconds", "rungs", "starts"),
    [
        (Fault.QUIET, 45, [1], 1),
        (Fault.QUIET_UNTIL_RESET, 90, [1, 2], 2),
        (Fault.EMPTY, 90, [1, 2], 2),
        (Fault.ERROR, 2, [2], 2),
        (Fault.NOISE, 2, [3], 2),
    ],
)
def test_what_mends_it(fault: Fault, seconds: float, rungs: list[int], starts: int) -> None:
    world = broken(fault)
    world.run(seconds)
    assert [rung.value for _, rung in world.rungs()] == rungs
    assert world.heard
    assert world.count(Started) == starts
    assert world.counters.unaccounted == 0
    world.run(600)
    assert len(world.rungs()) == len(rungs)


def test_quiet_for_good_is_not_reset_all_the_time() -> None:
    world = broken(Fault.QUIET_FOR_GOOD)
    begin = world.now
    world.run(3600)
    rungs = [(at - begin, rung.value) for at, rung in world.rungs()]
    assert [rung for _, rung in rungs[:3]] == [1, 2, 3]
    resets = [at for at, rung in rungs if rung == 2]
    assert len(resets) == 1
    reopened = [at for at, rung in rungs if rung == 3]
    assert 5 <= len(reopened) <= 7
    assert all(590 <= b - a <= 660 for a, b in pairwise(reopened))
    assert not [at for at, rung in rungs if rung == 4], "it answers"
    world.controller.heal()
    world.run(1300)
    assert world.heard


@pytest.mark.parametrize("seconds", [3.0, 15.0, 60.0, 300.0])
def test_deaf_is_found_out_and_forgiven(seconds: float) -> None:
    world = broken(Fault.DEAF)
    world.run(seconds)
    climbed = [rung.value for _, rung in world.rungs()]
    assert climbed == sorted(climbed)
    if seconds > 30:
        assert climbed[:3] == [2, 3, 4]
    world.controller.heal()
    # If it was only away for a moment, nothing was unanswered: it is rung 1 that finds it out.
    world.run(30 if seconds > 12 else 60)
    assert world.heard


def test_last_words_lead_to_power_at_once() -> None:
    world = broken(Fault.ASSERT)
    world.run(1)
    assert [rung.value for _, rung in world.rungs()] == [4]
    [said] = [each for _, each in world.happened if isinstance(each, Asserted)]
    assert (said.file, said.line) == ("subsys/bluetooth/controller/ll_sw/ull.c", 2049)


def test_what_is_dropped_and_why() -> None:
    odd = [replace(TAG, rssi=NO_RSSI), replace(TAG, address_type=ANONYMOUS)]
    world = World(None, *with_scan_responses([TAG]), *odd, rate=4)
    world.run(30)
    counters = world.counters
    assert counters.reports == counters.sent + counters.dropped
    for dropped in (counters.scan_responses, counters.anonymous, counters.no_rssi):
        assert dropped == pytest.approx(counters.sent, abs=1)


def test_fragments_are_joined_however_they_come() -> None:
    data = bytes.fromhex("0201062BFF9904E1") + bytes(range(40))
    air = replace(TAG, data=data, is_extended=True, secondary=1, sid=3)
    for make in ROUGH:
        world = World(make(), replace(air, fragment=10))
        world.run(20)
        assert world.controller.registers.kind == EXTENDED
        assert {report.data for report in world.heard} == {data}
        assert world.counters.reports == 5 * world.counters.sent
        assert world.counters.unaccounted == 0


ROUGH: tuple[Callable[[], Habits], ...] = (
    Habits,
    lambda: Habits(reports_per_event=3),
    lambda: Habits(chatter=True),
)
