"""What is scanned for which settings, and what becomes of a SET_ALL."""

from dataclasses import replace

import pytest

from firmware_protocol.messages import SetAll
from ruuvi_host.hci.facts import ControllerFacts
from ruuvi_host.hci.plan import ScanChoice, ScanKind, ScanPlan, kind_of, plan, rule, warnings

LEGACY, EXTENDED = ScanKind.LEGACY, ScanKind.EXTENDED
PI = ControllerFacts()
LAPTOP = ControllerFacts(extended=True)
DONGLE = ControllerFacts(extended=True, coded=True)


@pytest.mark.parametrize(
    ("choice", "facts", "kind"),
    [
        (ScanChoice.AUTO, PI, LEGACY),
        (ScanChoice.AUTO, LAPTOP, EXTENDED),
        (ScanChoice.LEGACY, LAPTOP, LEGACY),
        (ScanChoice.EXTENDED, PI, EXTENDED),  # as told: features may be wrong
    ],
)
def test_kind(choice: ScanChoice, facts: ControllerFacts, kind: ScanKind) -> None:
    assert kind_of(choice, facts) is kind


@pytest.mark.parametrize(
    ("one", "two", "coded", "facts", "kind", "expected"),
    [
        (1, 1, 0, PI, LEGACY, (True, False)),
        (0, 1, 0, PI, LEGACY, (True, False)),
        (1, 1, 1, PI, LEGACY, (True, False)),
        (0, 0, 1, PI, LEGACY, None),
        (0, 0, 0, DONGLE, EXTENDED, None),
        (1, 0, 0, DONGLE, EXTENDED, (True, False)),
        (0, 1, 0, DONGLE, EXTENDED, (True, False)),
        (0, 0, 1, DONGLE, EXTENDED, (False, True)),
        (1, 0, 1, DONGLE, EXTENDED, (True, True)),
        (0, 1, 1, DONGLE, EXTENDED, (True, True)),
        (1, 1, 1, LAPTOP, EXTENDED, (True, False)),
        (1, 1, 1, DONGLE, LEGACY, (True, False)),
    ],
)
def test_phys(
    one: int,
    two: int,
    coded: int,
    facts: ControllerFacts,
    kind: ScanKind,
    expected: tuple[bool, bool] | None,
) -> None:
    settings = SetAll(use_1m_phy=bool(one), use_2m_phy=bool(two), use_coded_phy=bool(coded))
    wanted = ScanPlan(kind, *expected) if expected else None
    assert plan(settings, facts, kind) == wanted


def test_channels_cannot_be_chosen_but_are_kept() -> None:
    settings = SetAll(ch_38=False)
    ruling = rule(settings, SetAll(), PI, LEGACY)
    assert (ruling.applied, ruling.refused) == (settings, False)
    [warning] = warnings(SetAll(ch_38=False, use_2m_phy=False), PI, LEGACY)
    assert "all three are scanned" in warning


def test_without_any_channel_nothing_is_scanned() -> None:
    none = SetAll(ch_37=False, ch_38=False, ch_39=False)
    assert plan(none, PI, LEGACY) is None, "the firmware hears nothing then, and the host says so"
    assert plan(replace(none, ch_38=True), PI, LEGACY) == ScanPlan(LEGACY, True, False)


def test_no_channel_at_all_is_refused_and_those_of_before_stay() -> None:
    none = SetAll(fltr_tags=False, ch_37=False, ch_38=False, ch_39=False)
    ruling = rule(none, SetAll(ch_37=False), PI, LEGACY)
    assert ruling.refused
    assert ruling.applied == SetAll(fltr_tags=False, ch_37=False)


@pytest.mark.parametrize(
    ("facts", "kind", "refused"),
    [(DONGLE, EXTENDED, False), (DONGLE, LEGACY, True), (LAPTOP, EXTENDED, True)],
)
def test_coded_is_refused_where_there_is_none(
    facts: ControllerFacts, kind: ScanKind, refused: bool
) -> None:
    ruling = rule(SetAll(use_coded_phy=True), SetAll(), facts, kind)
    assert (ruling.applied, ruling.refused) == (SetAll(use_coded_phy=True), refused)
    assert not rule(SetAll(), SetAll(), facts, kind).refused
    told = warnings(SetAll(use_coded_phy=True, use_2m_phy=False), facts, kind)
    assert any("Coded" in warning for warning in told) is refused


def test_what_a_legacy_radio_cannot_hear_is_said() -> None:
    [warning] = warnings(SetAll(), PI, LEGACY)
    assert "E1" in warning
    assert warnings(SetAll(use_2m_phy=False), PI, LEGACY) == []
    assert warnings(SetAll(), LAPTOP, EXTENDED) == []
