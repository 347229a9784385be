"""Counters that contain counters are added up and shown as one, and no counter is forgotten."""

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import pytest

from ruuvi_host.monitoring import counters as module
from ruuvi_host.monitoring.accounting import IN_NO_SUM, SUMS
from ruuvi_host.monitoring.counters import (
    Counters,
    LinkCounters,
    QueueCounters,
    RelayCounters,
    TargetCounters,
    add,
    flat,
)

KINDS = [
    kind
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Counters) and kind is not Counters
]


@dataclass(slots=True)
class Inner:
    frames: list[int] = field(default_factory=lambda: [0, 0])
    errors: int = 0
    overruns: int | None = None

    @property
    def good_frames(self) -> int:
        return self.frames[1]


@dataclass(slots=True)
class Outer:
    opened: int = 0
    inner: Inner = field(default_factory=Inner)
    closed: int = 0


def test_all_of_it_is_added_and_what_is_not_known_counts_as_nothing() -> None:
    total = Outer()
    add(total, Outer(1, Inner([1, 2], 3)))
    assert total == Outer(1, Inner([1, 2], 3, None))
    part = Outer(1, Inner([0, 5], 1, 0), 2)
    add(total, part)
    assert total == Outer(2, Inner([1, 7], 4, 0), 2)
    add(total, Outer())
    assert total.inner.overruns == 0
    assert part == Outer(1, Inner([0, 5], 1, 0), 2)


def test_all_of_it_is_shown_side_by_side() -> None:
    counters = Outer(1, Inner([8, 9], 3))
    assert list(flat(counters).items()) == [
        *[("opened", 1), ("errors", 3), ("overruns", None), ("good_frames", 9), ("closed", 0)]
    ]


def leaves(counters: Any) -> list[str]:
    """The names of all counters that are contained, at any depth."""
    found = []
    for name in (f.name for f in fields(counters)):
        value = getattr(counters, name)
        found += leaves(value) if is_dataclass(value) else [name]
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_counter_is_shown_under_a_name_of_its_own(kind: type[Counters]) -> None:
    names = leaves(kind())
    assert len(set(names)) == len(names), "two counters with the same name hide each other"
    # Intact frames are counted per command, for tools; `report_frames` shows those that matter.
    assert set(names) - set(flat(kind())) <= {"frames"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_counter_is_part_of_a_sum_or_declared_as_part_of_none(kind: type[Counters]) -> None:
    if kind in (QueueCounters, RelayCounters):
        return  # contained in TargetCounters
    sums = SUMS.get(kind, ())
    summed = [name for each in sums for name in (*each.total, *each.parts)]
    declared = [*summed, *IN_NO_SUM[kind].split()]
    counted = list(flat(kind()))
    missing = [name for name in counted if name not in declared]
    assert not missing, f"{missing} of {kind.__name__}: neither in SUMS nor in IN_NO_SUM"
    assert set(declared) == set(counted)
    assert not set(summed) & set(IN_NO_SUM[kind].split())


def test_the_two_that_contain_others() -> None:
    assert {"opened", "lost_acks", "crc_errors", "report_frames"} <= flat(LinkCounters()).keys()
    assert {"changed", "replaced", "accepted_reports"} <= flat(TargetCounters()).keys()
