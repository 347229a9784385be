"""A session against the scripted controller, in simulated time: any habits, any faults.

The controller shares nothing with the session: it has codecs of its own.
"""

from dataclasses import dataclass, field
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_protocol.messages import SetAll
from hil.controller.adverts import Advert, Cycle, with_scan_responses
from hil.controller.core import Controller
from hil.controller.habits import (
    CYPRESS,
    EVERYTHING,
    EXTENDED_ONLY,
    NO_ADDRESS,
    RASPBERRY_PI,
    ZEPHYR,
    Fault,
    Habits,
)
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.happenings import Climbed, Heard, Started
from ruuvi_host.hci.ladder import Ladder, Rung
from ruuvi_host.hci.plan import ScanChoice
from ruuvi_host.hci.session import ControllerSession, State

FORMAT_5 = bytes.fromhex("0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")
TAGS = [Advert(bytes((0xC0, 0, 0, 0, 0, tag)), FORMAT_5, -60) for tag in range(3)]
REOPENED_AFTER = 0.5


@dataclass
class Run:
    """What came of it."""

    controller: Controller
    counters: ControllerCounters = field(default_factory=ControllerCounters)
    heard: list[float] = field(default_factory=list)
    """When each report was."""
    rungs: list[Rung] = field(default_factory=list)
    state: State = State.CLOSED


def run(
    habits: Habits,
    until: float,
    *,
    choice: ScanChoice = ScanChoice.AUTO,
    faults: tuple[tuple[float, Fault], ...] = (),
    rate: float = 5.0,
) -> Run:
    """Let them talk. A host configures whatever boots; rung 4 gives the controller new power."""
    controller = Controller(habits, Cycle(with_scan_responses(TAGS), rate))
    result, ladder, due = Run(controller), Ladder(), list(faults)
    now, session = 0.0, None
    while now < until:
        if session is None:
            session = ControllerSession(
                choice, bytes(6), ladder=ladder, counters=result.counters, flush=True
            )
            session.start(now)
        if output := session.take_output():
            controller.receive(output, now)
        at = due[0][0] if due else inf
        now = max(now, min(session.deadline, controller.deadline, at, until))
        if now >= at:
            controller.fail(due.pop(0)[1], now)
        data = b"".join(controller.advance(now))
        size = habits.cuts or len(data) or 1
        told = [
            happening
            for start in range(0, len(data), size)
            for happening in session.receive(data[start : start + size], now)
        ]
        told += session.tick(now)
        for happening in told:
            if isinstance(happening, Heard):
                result.heard += [now] * len(happening.reports)
            elif isinstance(happening, Climbed):
                result.rungs.append(happening.rung)
            elif isinstance(happening, Started):
                session.set_scan(SetAll(), now)
        assert result.counters.unaccounted == 0
        result.state = session.state
        if session.is_spent:
            session.end(now)
            session = None
            if result.rungs[-1] is Rung.POWER:
                controller.heal()
            now += REOPENED_AFTER
    return result


HABITS = st.builds(
    Habits,
    features=st.sampled_from([EVERYTHING, EXTENDED_ONLY, RASPBERRY_PI]),
    lacks=st.sampled_from([0, EVERYTHING & ~RASPBERRY_PI, EVERYTHING & ~EXTENDED_ONLY]),
    address=st.sampled_from([NO_ADDRESS, bytes.fromhex("DCA632010203")]),
    company=st.sampled_from([ZEPHYR, CYPRESS]),
    version=st.integers(6, 16),
    has_two_modes=st.booleans(),
    refuses_by_status=st.booleans(),
    off_when_off=st.sampled_from([0x00, 0x0C]),
    credits_late=st.booleans(),
    answer_after=st.sampled_from([0.0, 0.02, 1.0]),
    chatter=st.booleans(),
    reports_per_event=st.integers(1, 4),
    cuts=st.sampled_from([0, 1, 7]),
    begins_with=st.sampled_from([b"", bytes.fromhex("01 03 0C FF"), b"\x01"]),
)


@settings(max_examples=50)
@given(HABITS)
def test_whatever_is_valid_is_understood(habits: Habits) -> None:
    result = run(habits, 40.0)
    assert result.state is State.SCANNING
    assert result.rungs == []
    told = result.controller.seen.counts
    # Reports of the last moment are on their way; half of them are scan responses.
    counters = result.counters
    assert counters.reports == told["reports"] > 0
    assert counters.sent == len(result.heard) == counters.reports - counters.scan_responses
    assert counters.bytes_skipped == counters.malformed_events == 0


@pytest.mark.parametrize(
    ("fault", "rungs", "within"),
    [
        (Fault.QUIET, [1], 43),
        (Fault.QUIET_UNTIL_RESET, [1, 2], 85),
        (Fault.QUIET_FOR_GOOD, [1, 2, 3, 1], None),
        (Fault.EMPTY, [1, 2], 85),
        (Fault.DEAF, [2, 3, 4], 45),
        (Fault.NOISE, [3], 2),
        (Fault.ERROR, [2], 1),
        (Fault.ASSERT, [4], 2),
    ],
)
@pytest.mark.parametrize("is_odd", [False, True])
def test_faults_are_mended_by_the_rung_that_is_for_them(
    fault: Fault, rungs: list[int], within: float | None, is_odd: bool
) -> None:
    habits = Habits(credits_late=True, chatter=True, cuts=7) if is_odd else Habits()
    result = run(habits, 300.0, faults=((10.0, fault),))
    assert result.rungs == rungs
    after = [at for at in result.heard if at > 10.5]
    if within is None:
        assert after == []
    else:
        assert after[0] <= 10.0 + within
        assert after[-1] > 299.0
        assert len(after) > 2 * (290 - within)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.floats(0, 300), st.sampled_from(Fault)), max_size=4).map(sorted),
    st.sampled_from(ScanChoice),
)
def test_no_sequence_of_faults_is_too_much(
    faults: list[tuple[float, Fault]], choice: ScanChoice
) -> None:
    """Unless it needs its power, which only rung 4 gives, it is heard in the end."""
    result = run(Habits(), 1200.0, choice=choice, faults=tuple(faults), rate=0.5)
    if all(fault is not Fault.QUIET_FOR_GOOD for _, fault in faults):
        assert result.heard[-1] > 1190.0
