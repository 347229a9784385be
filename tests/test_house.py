"""The rules of the house that a machine can check: who imports whom, and what an import costs.

The source is read, not run, so an import inside a function counts like any other. So does one
under TYPE_CHECKING: a room that names the types of another depends on it. Such an import costs
nothing when the program runs, so the tests of import cost do not see it.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest

from ruuvi_host import __version__
from ruuvi_host.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent
INSTALLED = ("firmware_protocol", "ruuvi_host")
TREES = (*INSTALLED, "hil", "tools")

# Bottom first. A room may import itself and what stands on a lower line. What stands on the same
# line stands side by side: never each other.
LAYERS = (
    ("firmware_protocol",),
    ("ruuvi_host.clock", "ruuvi_host.errors"),
    ("ruuvi_host.lifetime", "ruuvi_host.logs", "ruuvi_host.private_files"),
    ("ruuvi_host.programs",),
    ("ruuvi_host.monitoring",),
    ("ruuvi_host.config", "ruuvi_host.web"),
    ("ruuvi_host.formats", "ruuvi_host.hci"),
    ("ruuvi_host.intake",),
    (
        *("ruuvi_host.device", "ruuvi_host.relay", "ruuvi_host.capture"),
        *("ruuvi_host.simulator", "ruuvi_host.receiver"),
    ),
    ("ruuvi_host.bundle", "ruuvi_host.bridge", "ruuvi_host.fleet", "ruuvi_host.remote"),
    ("ruuvi_host.api",),
    ("ruuvi_host.jobs",),
    ("ruuvi_host.doctor",),
    ("ruuvi_host.cli",),
    ("ruuvi_host.__main__", "hil", "tools"),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
PACKAGE = "ruuvi_host"  # has no room and no imports: it holds the version, which all may ask for

PURE = (
    *("firmware_protocol", "ruuvi_host.formats", "ruuvi_host.hci", "ruuvi_host.intake"),
    *("ruuvi_host.bridge.coprocessor", "ruuvi_host.bridge.names", "ruuvi_host.bridge.radio"),
    *("ruuvi_host.monitoring.accounting", "ruuvi_host.monitoring.counters"),
    "ruuvi_host.monitoring.dropped",
    *(
        "ruuvi_host.monitoring.health",
        "ruuvi_host.monitoring.host_status",
        "ruuvi_host.monitoring.overview",
        "ruuvi_host.monitoring.backlog",
        "ruuvi_host.monitoring.sensor_log",
        "ruuvi_host.monitoring.sensor_status",
    ),
    *("ruuvi_host.fleet.fleet", "ruuvi_host.fleet.lines"),
    *("ruuvi_host.remote.answer", "ruuvi_host.remote.memory", "ruuvi_host.remote.schedule"),
    "ruuvi_host.remote.signature",
    *(
        "ruuvi_host.relay.mqtt.announcements",
        "ruuvi_host.relay.mqtt.discovery",
        "ruuvi_host.relay.mqtt.entities",
    ),
)
IMPURE = (
    *("asyncio", "socket", "socketserver", "ssl", "select", "selectors", "http", "urllib"),
    *("threading", "multiprocessing", "subprocess", "time", "datetime", "ruuvi_host.clock"),
    *(
        "serial",
        "serial_asyncio",
        "aiomqtt",
        "anyio",
        "httpcore",
        "httpx",
        "h11",
        "uvicorn",
        "click",
        "rich",
        "sqlite3",
    ),
)
# One module knows each of these, and the rest of the house does not notice an exchange.
BEHIND_ONE_MODULE = (
    *(
        "aiomqtt",
        "paho",
        "crcmod",
        "serial",
        "serial_asyncio",
        "anyio",
        "httpcore",
        "httpx",
        "h11",
        "uvicorn",
        "fastjsonschema",
        "yaml",
        "pyarrow",
    ),
)
# Names that do not say what is inside.
NAMELESS = {"util", "utils", "helper", "helpers", "common", "misc"}


@dataclass(frozen=True)
class Module:
    """A module as its source tells it."""

    name: str
    docstring: str | None
    imports: frozenset[str]
    """Dotted names; `from a import b` is a.b."""


def read(root: Path) -> list[Module]:
    """Every module of the house that stands under `root`."""
    return [
        parse(path.relative_to(root), path.read_text("utf-8"))
        for tree in TREES
        for path in sorted((root / tree).rglob("*.py"))
    ]


@cache
def parse(path: Path, text: str) -> Module:
    """The module at `path`, below the root. Many tests here read the whole house."""
    source = ast.parse(text, str(path))
    return Module(
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"),
        ast.get_docstring(source),
        frozenset(imports(source, path.parts[:-1])),
    )


def imports(source: ast.Module, package: tuple[str, ...]) -> Iterator[str]:
    """The names that a module of `package` imports, wherever in it."""
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # Each dot of a relative import beyond the first is one package further up.
            parents = package[: len(package) + 1 - node.level] if node.level else ()
            origin = ".".join([*parents, *filter(None, [node.module])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def within(name: str, *rooms: str) -> str | None:
    """The one of `rooms` that `name` is, or is inside of."""
    return next((room for room in rooms if f"{name}.".startswith(f"{room}.")), None)


def violations(root: Path) -> Iterator[str]:
    """Every broken rule, as a sentence that names the module."""
    house = read(root)
    for module in house:
        here = within(module.name, *LEVEL)
        if here is None and module.name != PACKAGE:
            yield f"{module.name} stands in no room"
            continue
        if not module.docstring:
            yield f"{module.name} has no docstring"
        if NAMELESS.intersection(module.name.split(".")):
            yield f"{module.name} does not say what it is for"
        for name in sorted(module.imports):
            there = within(name, *LEVEL)
            if there and there != here and (here is None or LEVEL[there] >= LEVEL[here]):
                yield f"{module.name} imports {name}, which does not stand below it"
            if within(module.name, *PURE) and within(name, *IMPURE):
                yield f"{module.name} is pure and imports {name}"
            foreign = name.split(".")[0] not in {*sys.stdlib_module_names, "crcmod", here}
            if here == "firmware_protocol" and foreign:
                yield f"{module.name} imports {name}, and needs nothing but Python and crcmod"
    if circle := circle_of(house):
        yield f"{' imports '.join(circle)}: a circle"


def circle_of(house: list[Module]) -> list[str]:
    """Modules that import each other in a circle, wherever in it the imports stand."""
    names = {module.name for module in house}

    def module_of(name: str) -> str:
        while name and name not in names:
            name = name.rpartition(".")[0]
        return name

    graph = {m.name: {module_of(n) for n in m.imports} - {m.name, ""} for m in house}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def importers_of(library: str, house: list[Module]) -> list[str]:
    """The installed modules that import `library`."""
    return [
        module.name
        for module in house
        if within(module.name, *INSTALLED) and any(within(n, library) for n in module.imports)
    ]


def test_the_house_is_in_order() -> None:
    assert list(violations(ROOT)) == []


def test_the_house_was_looked_at() -> None:
    names = {module.name for module in read(ROOT)}
    assert {"firmware_protocol.crc", "ruuvi_host", "ruuvi_host.cli.main"} <= names


@pytest.mark.parametrize("library", BEHIND_ONE_MODULE)
def test_one_module_knows_the_library(library: str) -> None:
    assert len(importers := importers_of(library, read(ROOT))) == 1, importers


# -- the checker itself, on small houses ----------------------------------------------------------


def build(root: Path, files: dict[str, str]) -> None:
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"""A module."""\n{source}\n')


def test_arrows_that_point_down_are_allowed(tmp_path: Path) -> None:
    build(
        tmp_path,
        {
            "ruuvi_host/__init__.py": "__version__ = '1'",
            "ruuvi_host/__main__.py": "from ruuvi_host.cli.main import main",
            "ruuvi_host/relay/relay.py": "import asyncio\nfrom ruuvi_host import __version__\n"
            "from ruuvi_host.relay.http import x\nfrom . import http\nfrom ..intake import table",
            "ruuvi_host/relay/http.py": "import httpx\nimport ruuvi_host.errors",
            "ruuvi_host/intake/table.py": "from ruuvi_host.intake.batch import Batch",
            "ruuvi_host/jobs/run.py": "from ruuvi_host import device, relay, config",
            "firmware_protocol/crc.py": "import crcmod, struct\nfrom firmware_protocol import x",
            "hil/test_x.py": "import time\nimport ruuvi_host.device.port",
            "tests/utils.py": "import httpx\nimport serial",
        },
    )
    assert list(violations(tmp_path)) == []


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("relay/relay.py", "import ruuvi_host.device.link as l", "does not stand below it"),
        ("relay/relay.py", "from ruuvi_host.device import link", "does not stand below it"),
        ("relay/relay.py", "from ruuvi_host import device", "does not stand below it"),
        ("relay/relay.py", "from ..device.link import Link", "does not stand below it"),
        ("relay/relay.py", "from .. import jobs", "does not stand below it"),
        ("relay/relay.py", "def f():\n    import ruuvi_host.jobs", "does not stand below it"),
        (
            "intake/table.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ruuvi_host.jobs",
            "does not stand below it",
        ),
        ("formats/df5.py", "import ruuvi_host.intake", "does not stand below it"),
        ("errors.py", "import ruuvi_host.clock", "does not stand below it"),
        ("jobs/run.py", "import hil.rig", "does not stand below it"),
        ("__init__.py", "import ruuvi_host.errors", "does not stand below it"),
        ("../tools/bench.py", "import hil.rig", "does not stand below it"),
        ("../firmware_protocol/crc.py", "import ruuvi_host", "needs nothing but"),
        ("../firmware_protocol/crc.py", "import construct", "needs nothing but"),
        ("../firmware_protocol/crc.py", "from asyncio import Queue", "is pure and imports"),
        ("formats/df5.py", "def f():\n    import time", "is pure and imports"),
        ("intake/table.py", "from ruuvi_host.clock import Clock", "is pure and imports"),
        ("intake/table.py", "import serial.tools.list_ports", "is pure and imports"),
        ("nowhere.py", "", "ruuvi_host.nowhere stands in no room"),
        ("relay/utils.py", "", "does not say what it is for"),
        ("../tools/helpers/x.py", "", "does not say what it is for"),
    ],
)
def test_a_planted_violation_is_caught(
    tmp_path: Path, path: str, source: str, expected: str
) -> None:
    build(tmp_path / "ruuvi_host", {path: source})
    [sentence] = violations(tmp_path)
    assert expected in sentence


def test_a_circle_is_caught(tmp_path: Path) -> None:
    build(
        tmp_path / "ruuvi_host" / "relay",
        {
            "one.py": "from ruuvi_host.relay import two",
            "two.py": "def f():\n    from ruuvi_host.relay.three import x",
            "three.py": "from .one import y",
        },
    )
    [sentence] = violations(tmp_path)
    assert sentence.endswith(": a circle")
    assert {f"ruuvi_host.relay.{n}" for n in ("one", "two", "three")} <= set(sentence.split(" "))


def test_a_second_importer_is_caught(tmp_path: Path) -> None:
    one, other = "ruuvi_host/relay/http.py", "firmware_protocol/crc.py"
    build(tmp_path, {one: "def f():\n    import httpx", "hil/rig.py": "import httpx"})
    assert importers_of("httpx", read(tmp_path)) == ["ruuvi_host.relay.http"]
    build(tmp_path, {other: "from httpx import Client", "ruuvi_host/logs.py": "import httpx2"})
    assert len(importers_of("httpx", read(tmp_path))) == 2


def test_a_missing_docstring_is_caught(tmp_path: Path) -> None:
    build(tmp_path, {"tools/bench.py": ""})
    (tmp_path / "tools" / "bench.py").write_text("import time\n")
    assert list(violations(tmp_path)) == ["tools.bench has no docstring"]


# -- what is loaded when it runs ------------------------------------------------------------------


def loaded_by(*arguments: str) -> tuple[str, set[str]]:
    """Run Python with `arguments`: what it printed, and the modules that it imported."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout, set(re.findall(r"^import time:.*\| *(\S+)$", ran.stderr, re.MULTILINE))


HEAVY = {"asyncio", "ssl", "sqlite3", "cryptography", "rich", *BEHIND_ONE_MODULE}


def test_what_is_loaded_is_noticed() -> None:
    printed, modules = loaded_by("-c", "import asyncio, ruuvi_host.errors; print('done')")
    assert printed == "done\n"
    assert {"asyncio", "asyncio.events", "ruuvi_host.errors"} <= modules
    assert "click" not in modules


def test_version_costs_no_more_than_python() -> None:
    printed, modules = loaded_by("-m", "ruuvi_host", "--version")
    assert __version__ in printed
    assert not modules & {"click", "typing", *HEAVY}


def test_help_loads_click_and_nothing_heavy() -> None:
    printed, modules = loaded_by("-m", "ruuvi_host", "--help")
    assert set(COMMANDS) <= set(printed.split())
    assert "click" in modules
    assert not modules & HEAVY


@pytest.mark.parametrize("command", [c for c, (module, _) in COMMANDS.items() if find_spec(module)])
def test_help_of_a_command_loads_nothing_heavy(command: str) -> None:
    _, modules = loaded_by("-m", "ruuvi_host", command, "--help")
    assert not modules & HEAVY


def test_pure_rooms_load_nothing_impure() -> None:
    """Not even by way of what they import."""
    pure = [module.name for module in read(ROOT) if within(module.name, *PURE)]
    _, modules = loaded_by("-c", f"import {', '.join(pure)}")
    assert set(pure) <= modules
    outside = {"socket", "click", "ruuvi_host.clock", *HEAVY} - {"crcmod"}
    assert not modules & outside


UNUSED = {
    *("aiomqtt", "cryptography", "fastjsonschema", "gpiod", "html", "http.server", "paho", "rich"),
    *(
        "sqlite3",
        "tomlkit",
        "tomllib",
        "uvicorn",
        "yaml",
        "serial.tools",
        "firmware_protocol.coprocessor",
    ),
    *(f"ruuvi_host.{room}" for room in ("api", "bridge", "capture", "doctor", "fleet", "hci")),
    *(f"ruuvi_host.{room}" for room in ("receiver", "simulator")),
    *(f"ruuvi_host.relay.{kind}" for kind in ("file", "influxdb", "mqtt")),
    *("ruuvi_host.device.network", "ruuvi_host.jobs.host_teller", "ruuvi_host.relay.http.check"),
}


def test_a_host_with_http_only_loads_nothing_else() -> None:
    """What takes memory for months is what this host was told to use."""
    modules = ("ruuvi_host.cli.run", "ruuvi_host.jobs.run", "ruuvi_host.relay.http.kind")
    _, loaded = loaded_by("-c", f"import {', '.join(modules)}, ruuvi_host.config.load")
    assert {*modules, "httpx"} <= loaded
    assert [name for name in sorted(loaded) if within(name, *UNUSED)] == []
