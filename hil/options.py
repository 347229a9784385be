"""The options of the suite for pytest, and what is wrong with those that are given."""

import os
from pathlib import Path

import pytest

GENERATIONS = ("2.0.0", "1.0.0")
MADE_TO_ORDER = ("sim", "qemu", "native")
"""Rigs that make a new board for each test."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hil", "hardware in the loop")
    group.addoption(
        "--rig",
        choices=[*MADE_TO_ORDER, "hci", "serial", "replay"],
        default="sim",
        help="What the suite runs on: sim, the simulator (default); qemu, the reference firmware "
        "on an emulated chip; native, the same as a program under sanitizers; hci, the bridge to a "
        "Bluetooth controller; serial, a board on --port; replay, a recording.",
    )
    group.addoption(
        "--port",
        metavar="PORT",
        help="For --rig serial: a device, a pseudo-terminal or socket://host:port.",
    )
    group.addoption("--baud", type=int, default=115200, help="For --rig serial.")
    group.addoption(
        "--reset-command",
        metavar="COMMAND",
        help="For --rig serial: what resets the board, for instance 'nrfjprog --reset'.",
    )
    group.addoption(
        "--official",
        action="store_true",
        help="For --rig serial: the board runs the official firmware, so its receiver must have "
        "the official weaknesses, too, and its watchdog is waited for (42 s).",
    )
    group.addoption(
        "--hci",
        metavar="TRANSPORT",
        help="For --rig hci: a controller, as `ruuvi-host bridge --hci` takes it. Default: a "
        "scripted one, which has no radio.",
    )
    group.addoption("--capture-file", metavar="FILE", help="For --rig replay.")
    group.addoption(
        "--firmware",
        choices=["both", *GENERATIONS],
        default="both",
        help="Which generation sim, qemu and native behave like.",
    )
    group.addoption(
        "--duration",
        type=float,
        default=5.0,
        metavar="S",
        help="Seconds of the endurance test (default 5).",
    )
    group.addoption(
        "--examples",
        type=int,
        metavar="N",
        help="Sequences of the differential test, drawn at random (default: 15, always the same).",
    )
    group.addoption(
        "--report",
        metavar="DIR",
        default="hil-report",
        help="Where report.html, report.json and junit.xml go (default hil-report).",
    )


def problem_with(config: pytest.Config) -> str | None:
    """What is wrong with them, as one line; None: nothing."""
    option = config.option
    if option.rig == "serial" and not option.port:
        return "--rig serial: name the board's port with --port"
    if option.rig == "replay" and not option.capture_file:
        return "--rig replay: name the capture with --capture (for pytest: --capture-file)"
    if option.rig == "replay":
        from .replayed import why_not

        if problem := why_not(option.capture_file):
            return f"--rig replay: {problem}"
    if option.rig != "serial" and (option.port or option.reset_command):
        return f"--port and --reset-command are for --rig serial, not for --rig {option.rig}"
    if option.rig not in MADE_TO_ORDER and option.firmware != "both":
        made_to_order = ", ".join(MADE_TO_ORDER)
        return f"--firmware is for {made_to_order}. What is behind --rig {option.rig} is asked"
    if option.rig != "serial" and option.official:
        return f"--official is for --rig serial, not for --rig {option.rig}"
    if option.rig != "hci" and option.hci:
        return f"--hci is for --rig hci, not for --rig {option.rig}"
    if option.rig != "replay" and option.capture_file:
        return f"a capture is for --rig replay, not for --rig {option.rig}"
    if option.baud <= 0:
        return "--baud: more than 0"
    if not option.collectonly and (problem := _cannot_write(Path(option.report))):
        return f"--report {option.report}: {problem}"
    if option.duration <= 0:
        return "--duration: more than 0 seconds"
    return None


def _cannot_write(directory: Path) -> str | None:
    """Better now than after an hour."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    return None if os.access(directory, os.W_OK) else "cannot be written to"
