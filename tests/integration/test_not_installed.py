"""Started from a clone in which nothing is installed, or by an old Python: a sentence each time."""

import subprocess
import sys
from pathlib import Path

import pytest

from ruuvi_host.cli.lacking import sentence

ROOT = Path(__file__).parents[2]


def started(*options: str, path: str = "", folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A Python that sees what it brings itself, and `path`."""
    return subprocess.run(
        [sys.executable, "-S", *options],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": path},
        timeout=60,
    )


@pytest.mark.parametrize("arguments", [["run", "--simulate"], ["--help"], ["bridge"], []], ids=str)
def test_what_is_missing_is_named(arguments: list[str]) -> None:
    done = started("-m", "ruuvi_host", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(
        f"Error: {sys.executable} has no package click, which ruuvi-host needs: "
    )


def test_the_version_needs_nothing() -> None:
    done = started("-m", "ruuvi_host", "--version")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_part_of_it_is_missing(tmp_path: Path) -> None:
    import click

    (tmp_path / "click").symlink_to(Path(click.__file__).parent)
    done = started("-m", "ruuvi_host", "run", "--simulate", path=str(tmp_path))
    assert done.returncode == 2
    assert "no package crcmod, which ruuvi-host needs" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_older_python() -> None:
    pretend = "import runpy, sys; sys.version_info = (3, 10); sys.version = '3.10.9 (main)'; "
    done = started("-c", pretend + "runpy.run_module('ruuvi_host', run_name='__main__')")
    assert done.returncode == 2
    assert done.stderr == "Error: ruuvi-host needs Python 3.11 or newer, and this is 3.10.9\n"


def test_started_as_a_file() -> None:
    done = started("ruuvi_host")
    assert done.returncode == 2
    assert done.stderr.endswith("-m ruuvi_host\n")
    assert "Traceback" not in done.stderr


def test_what_to_do_depends_on_what_is_there(tmp_path: Path) -> None:
    def told(module: str) -> str:
        return str(sentence(module, str(tmp_path)))

    assert "install ruuvi-host again" in told("httpx")
    (tmp_path / "Makefile").touch()
    assert "`make run` in" in told("serial.tools")
    assert "no package serial," in told("serial.tools")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "ruuvi-host").touch()
    assert told("httpx").endswith(f"use {tmp_path}/.venv/bin/ruuvi-host")


@pytest.mark.parametrize("module", ["ruuvi_host.relay.gone", "sqlite3", "_ssl", "", None])
def test_a_fault_of_ours_is_no_missing_package(module: str | None) -> None:
    assert sentence(module) is None
