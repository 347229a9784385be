"""The suite where it is installed: a part of ruuvi_host, and in nobody's way."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOREIGN_PYTEST = "[pytest]\naddopts = --no-such-option\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder laid out as the wheel is, by what pyproject.toml says of it."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    wheel = wheel["targets"]["wheel"]
    site = tmp_path / "venv" / "site-packages"
    for package in sorted(wheel["packages"], reverse=True):
        place = wheel["sources"].get(package, package)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, site / place, ignore=ignored, dirs_exist_ok=True)
    return site


def test_it_runs_from_there_and_no_project_around_it_matters(tmp_path: Path, site: Path) -> None:
    """The installation stands in a project with a pytest.ini, as a virtual environment does, and
    the user in a folder with a `hil` of their own."""
    (tmp_path / "pytest.ini").write_text(FOREIGN_PYTEST)
    theirs = tmp_path / "theirs" / "hil"
    theirs.mkdir(parents=True)
    (theirs / "__init__.py").write_text("raise RuntimeError('another hil')\n")
    done = subprocess.run(
        [sys.executable, "-m", "ruuvi_host", "hil", "-k", "test_tells_who_it_is", "-v"],
        capture_output=True,
        text=True,
        cwd=theirs.parent,
        env=os.environ | {"PYTHONPATH": str(site)},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert f"rootdir: {site / 'ruuvi_host'}" in done.stdout
    assert {path.name for path in theirs.parent.iterdir()} == {"hil", "hil-report"}
    assert not (site / "ruuvi_host" / "hil" / "__pycache__").exists()


def test_nothing_is_left_at_the_top(site: Path) -> None:
    assert {path.name for path in site.iterdir()} == {"firmware_protocol", "ruuvi_host"}


def test_it_does_not_import_itself_by_the_name_of_its_folder() -> None:
    """It has another one where it is installed."""
    for path in (ROOT / "hil").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert "hil" not in [name.split(".")[0] for name in names], path
