"""Output that is closed, full, not read on, or of a locale that lacks a sign: never a traceback."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from programs import COMMAND, PATIENCE

ADVERTISEMENT = "0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"
OLD = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
WRITERS = (
    ["--version"],
    ["--help"],
    ["run", "--help"],
    ["config", "example"],
    ["config", "schema"],
    ["config", "show"],
    ["decode", "adv", ADVERTISEMENT],
    ["decode", "adv", "--json", ADVERTISEMENT],
    ["config", "check", "--set", "max_sensors=0"],
)
"""Commands with something to say on standard output."""


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RUUVI_HOST_ROOT", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


@contextmanager
def full() -> Iterator[int]:
    number = os.open("/dev/full", os.O_WRONLY)
    try:
        yield number
    finally:
        os.close(number)


@pytest.mark.parametrize("arguments", WRITERS, ids=" ".join)
def test_a_full_output(arguments: list[str]) -> None:
    with full() as out:
        ran = subprocess.run(
            [COMMAND, *arguments], stdout=out, stderr=subprocess.PIPE, text=True, timeout=PATIENCE
        )
    assert ran.returncode == 1
    assert ran.stderr == "Error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("arguments", [*WRITERS, ["spool", "list"]], ids=" ".join)
@pytest.mark.parametrize("closing", [">&-", "2>&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_output(arguments: list[str], closing: str) -> None:
    words = " ".join(arguments)
    ran = subprocess.run(
        ["/bin/sh", "-c", f"exec {COMMAND} {words} {closing}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert "Traceback" not in ran.stderr + ran.stdout
    assert ran.returncode in ((2,) if words.endswith(("=0", "list")) else (0,)), ran


@pytest.mark.parametrize("arguments", WRITERS, ids=" ".join)
def test_who_reads_stops(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [COMMAND, *arguments], stdout=writing, stderr=subprocess.PIPE, text=True, timeout=PATIENCE
    )
    os.close(writing)
    assert ran.stderr == ""
    assert ran.returncode == (0 if "decode" in arguments else 1)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
@pytest.mark.parametrize("arguments", WRITERS, ids=" ".join)
def test_a_locale_that_lacks_a_sign(arguments: list[str], encoding: str) -> None:
    environment = os.environ | OLD | {"PYTHONIOENCODING": encoding}
    ran = subprocess.run(
        [COMMAND, *arguments], capture_output=True, env=environment, timeout=PATIENCE
    )
    assert ran.returncode == (2 if "check" in arguments else 0), ran
    assert b"Traceback" not in ran.stderr
    # Where Python says ASCII click writes UTF-8.
    text = ran.stdout.decode(encoding if encoding != "ascii" else "utf-8")
    if arguments == ["decode", "adv", ADVERTISEMENT]:
        assert f"24.3 {'deg ' if encoding == 'ascii' else '°'}C" in text
    if arguments == ["config", "example"] and encoding == "latin-1":
        assert "# Serial port: a device such as /dev/serial/by-id/..., usb:VID" in text


def test_an_error_names_what_the_locale_lacks(tmp_path: Path) -> None:
    missing = tmp_path / "Käse→🧀.toml"
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    ran = subprocess.run(
        [COMMAND, "config", "check", missing], capture_output=True, env=environment
    )
    assert ran.returncode == 2
    assert "Käse->\\ud83e\\uddc0.toml: cannot be read".encode("latin-1") in ran.stdout
    bad = os.fsencode(tmp_path) + b"/\xff.toml"
    ran = subprocess.run([COMMAND, "config", "check", bad], capture_output=True)
    assert ran.returncode == 2
    assert b"Traceback" not in ran.stderr


def test_the_number_of_a_closed_output_is_not_given_to_a_file(tmp_path: Path) -> None:
    """Or a log line would be written into whatever is opened next: a spool, for instance."""
    words = "config set --config ruuvi-host.toml max_sensors=5"
    subprocess.run(
        ["/bin/sh", "-c", f"exec {COMMAND} {words} <&- >&- 2>&-"], cwd=tmp_path, check=True
    )
    assert (tmp_path / "ruuvi-host.toml").read_text() == "max_sensors = 5\n"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["stauts"], "status"),
        (["config", "shwo"], "show"),
        (["spool", "lst"], "list"),
        (["help"], "--help"),
        (["logs"], "journalctl -u ruuvi-host"),
        (["set", "a=b"], "config set"),
        (["decode", ADVERTISEMENT], f"adv {ADVERTISEMENT[:20]}"),
        (["decode", "boot.pcapng"], "uart boot.pcapng"),
    ],
)
def test_a_mistyped_command(typed: list[str], meant: str) -> None:
    ran = subprocess.run([COMMAND, *typed], capture_output=True, text=True)
    assert ran.returncode == 2
    assert f"Did you mean '{meant}'?" in ran.stderr
