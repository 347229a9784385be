"""tools/debian agrees with the project: its version, what it needs, its man pages, its
configuration. That the package works is seen by tools/deb_test.py, on a running systemd."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import deb
import debian_tests
import man_pages
import pytest
from sources import SOURCE

from ruuvi_host import __version__
from ruuvi_host.cli.main import COMMANDS
from ruuvi_host.config.load import load
from ruuvi_host.config.sources import Inputs

DEBIAN = SOURCE / "tools" / "debian"
CONTROL = (DEBIAN / "control").read_text("utf-8")
PAGE = (SOURCE / "docs" / "pages" / "install.md").read_text("utf-8")
DAY = "2026-11-28"


def field(name: str) -> list[str]:
    """The lines of a field of the package."""
    [found] = re.findall(rf"^{name}:((?:\n .*)+)", CONTROL, re.MULTILINE)
    return [line.strip(" ,") for line in found.splitlines() if line.strip()]


def test_it_is_this_version() -> None:
    changelog = (DEBIAN / "changelog").read_text("utf-8")
    assert re.match(r"ruuvi-host \((.*?)-\d+\) trixie;", changelog)
    assert changelog.startswith(f"ruuvi-host ({__version__}-")


def test_it_needs_what_the_project_needs() -> None:
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text("utf-8"))["project"]
    needed = {"procps"}  # kill, which the unit's ExecReload runs; a small Debian is without
    needed |= {f"python3 ({project['requires-python'].replace('>=', '>= ')})"}
    for line in project["dependencies"]:
        found = re.match(r"([\w-]+)>=([\d.]+)", line)
        assert found, line
        needed.add(f"{debian_tests.PACKAGES[found[1]]} (>= {found[2]})")
    assert {line for line in field("Depends") if "$" not in line} == needed


def test_extras_are_recommended_or_suggested() -> None:
    told = {line.split()[0] for line in [*field("Recommends"), *field("Suggests")]}
    packages = {**debian_tests.PACKAGES, "gpiod": "python3-libgpiod"}
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text("utf-8"))["project"]
    for extra in ("encrypted", "import", "gpio", "mqtt", "hil"):
        for line in project["optional-dependencies"][extra]:
            assert packages[re.split(r"[<>=]", line)[0]] in told, line


def test_what_it_is_built_with_are_packages() -> None:
    built = deb.build_packages(CONTROL)
    assert {"debhelper", "dh-python", "python3-hatchling"} <= set(built)
    assert not [name for name in built if name.startswith(("debhelper-compat", "dh-sequence"))]


def test_its_configuration_can_be_used_and_sends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ruuvi-host.toml"
    shutil.copy(DEBIAN / path.name, path)
    assert f"```toml\n{path.read_text('utf-8').rstrip()}\n```" in PAGE
    loaded = load(Inputs(config=path))
    assert [p for p in loaded.problems if p.key] == []
    assert loaded.config.targets == ()
    assert [one.port for one in loaded.config.coprocessors] == ["/dev/ruuvi-coprocessor"]
    # One line is changed, as it says.
    path.write_text(path.read_text("utf-8").replace("use_http = false", "use_http = true"))
    [target] = load(Inputs(config=path)).config.targets
    assert target.address == "http://127.0.0.1:8080/record"


def test_the_port_is_the_name_that_udev_gives() -> None:
    rules = (SOURCE / "docs" / "ruuvi-host.rules").read_text("utf-8")
    assert 'SYMLINK+="ruuvi-coprocessor"' in rules
    assert f"```\n{rules.rstrip()}\n```" in PAGE


@pytest.mark.skipif(
    "verify" not in subprocess.run(["udevadm", "--help"], capture_output=True, text=True).stdout
    if shutil.which("udevadm")
    else True,
    reason="needs udevadm verify (Debian 13's udev)",
)
def test_udev_understands_the_rules(tmp_path: Path) -> None:
    rules = tmp_path / "86-ruuvi-host.rules"
    shutil.copy(SOURCE / "docs" / "ruuvi-host.rules", rules)
    ran = subprocess.run(
        ["udevadm", "verify", str(rules)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_command_has_a_man_page() -> None:
    pages = dict(man_pages.pages(DAY))
    assert {f"ruuvi-host-{name}.1" for name in COMMANDS} <= pages.keys()
    assert {"ruuvi-host.1", "ruuvi-host-config-import.1"} <= pages.keys()
    for name, text in pages.items():
        assert text.startswith(f'.TH "{name[:-2].upper()}" 1 "{DAY}"')
        for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"):
            assert f"\n.SH {section}\n" in text, name
    assert "\n.B \\-\\-interval S\n" in pages["ruuvi-host-run.1"]
    assert "\n.SH EXAMPLES\n" in pages["ruuvi-host-run.1"]


def test_no_character_of_a_help_text_is_a_command_of_troff() -> None:
    text = man_pages.escaped("a\\b\n.c\n'd' -e `f`")
    assert text == "a\\eb\n\\&.c\n\\(aqd\\(aq \\-e \\(gaf\\(ga"


@pytest.mark.skipif(not shutil.which("groff"), reason="needs groff (Debian package groff)")
def test_they_are_good_troff() -> None:
    for name, text in man_pages.pages(DAY):
        ran = subprocess.run(
            ["groff", "-man", "-ww", "-z", "-Kutf8", "-Tutf8"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, ""), name
