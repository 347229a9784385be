"""The public names of firmware_protocol: complete, documented, on their page; its example runs."""

import ast
import inspect
import re
import subprocess
import sys
import typing
from pathlib import Path
from types import UnionType

import pytest
from programs import OnLine, Program

import firmware_protocol

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/pages/firmware-protocol.md").read_text("utf-8")
NAMES = firmware_protocol.__all__
PUBLIC = {name: getattr(firmware_protocol, name) for name in NAMES}


def test_the_page_lists_every_name_once() -> None:
    listed = re.findall(r"^\| `(\w+)` \| .", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(NAMES)


def test_type_checkers_and_python_see_the_same_names() -> None:
    tree = ast.parse(Path(firmware_protocol.__file__).read_text("utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    pairs = [(node.module, alias.name) for node in imports for alias in node.names]
    assert sorted(name for _, name in pairs) == sorted(NAMES) == sorted(set(NAMES))
    for module, name in pairs:
        home = inspect.getmodule(PUBLIC[name]) if inspect.isclass(PUBLIC[name]) else None
        assert home is None or home.__name__ == module


def named_by(hint: object) -> set[type]:
    """The classes of the library in a type hint."""
    if isinstance(hint, type) and hint.__module__.startswith("firmware_protocol"):
        return {hint}
    return {found for part in typing.get_args(hint) for found in named_by(part)}


def hints_of(value: object) -> list[object]:
    """The hints of what a caller gives and gets: fields, public methods and properties."""
    if isinstance(value, UnionType):
        return [value]
    if not isinstance(value, type):
        return list(typing.get_type_hints(value).values()) if callable(value) else []
    hints = [h for n, h in typing.get_type_hints(value).items() if not n.startswith("_")]
    for name, member in inspect.getmembers(value):
        function = member.fget if isinstance(member, property) else member
        if inspect.isfunction(function) and (name == "__init__" or not name.startswith("_")):
            hints += typing.get_type_hints(function).values()
    return hints


@pytest.mark.parametrize("name", NAMES)
def test_what_a_public_name_gives_and_takes_is_public(name: str) -> None:
    hidden = {
        found.__name__
        for hint in hints_of(PUBLIC[name])
        for found in named_by(hint)
        if found not in PUBLIC.values()
    }
    assert not hidden


@pytest.mark.parametrize("name", [n for n in NAMES if callable(PUBLIC[n]) and n != "crc16"])
def test_a_public_name_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(PUBLIC[name])


def test_other_names_are_no_attributes() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        firmware_protocol.nonsense  # noqa: B018
    assert set(NAMES) <= set(dir(firmware_protocol))


def test_a_name_costs_no_more_than_what_it_needs() -> None:
    program = "import sys, firmware_protocol as f; f.crc16; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = {name for name in ran.stdout.split() if name.startswith("firmware_protocol")}
    assert loaded == {"firmware_protocol", "firmware_protocol.crc"}


def test_the_example_is_a_host() -> None:
    [example] = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len([line for line in example.splitlines() if line]) == 10
    with OnLine("simulate", "--rate", "50") as board:
        assert example.count("/dev/ttyACM0") == 1
        with Program(sys.executable, "-c", example.replace("/dev/ttyACM0", board.port)) as host:
            host.wait_for(r"^Identified\(device=DeviceId\(")
            host.wait_for(r"^Ready\(refused=False, again=False\)$")
            host.wait_for(r"^Received\(reports=\[AdvRprt2\(", 3)
            assert host.err == []
