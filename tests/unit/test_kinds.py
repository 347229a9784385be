"""The registry of kinds of targets: complete, and without a cost for kinds that nobody uses."""

import inspect
import subprocess
import sys
from typing import Any, get_args

import pytest

from ruuvi_host.config.targets import Target
from ruuvi_host.relay.kinds import MODULES, Kind, Remembered, kind_of

TARGETS: dict[str, type[Any]] = {target.KIND: target for target in get_args(Target)}


def test_each_kind_of_target_has_its_module() -> None:
    assert MODULES.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", MODULES)
def test_a_kind_offers_everything_that_the_house_asks_for(name: str) -> None:
    """Types are checked by mypy, where the module says that it is a Kind; names here."""
    kind = kind_of(object.__new__(TARGETS[name]))
    assert isinstance(kind.is_network, bool)
    for member, declared in inspect.getmembers(Kind, inspect.isfunction):
        if not member.startswith("_"):
            offered = getattr(type(kind), member)
            names = [*inspect.signature(declared).parameters]
            assert [*inspect.signature(offered).parameters] == names, member


def test_a_kind_that_nobody_uses_is_not_imported() -> None:
    program = (
        "import sys; import ruuvi_host.jobs.run, ruuvi_host.relay.kinds as kinds; "
        "print(*(set(kinds.MODULES.values()) | {'httpx'}) & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "\n"


def test_what_is_remembered_of_a_target_is_its_own() -> None:
    remembered = Remembered()
    assert remembered.of("one", list) is remembered.of("one", list)
    assert remembered.of("one", list) is not remembered.of("other", list)
    assert remembered.of("one", dict) == {}
