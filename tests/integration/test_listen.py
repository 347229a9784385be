"""`ruuvi-host listen` as people run it: on a terminal, in a pipe, with keys, beside a simulator."""

import json
import re
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from programs import COMMAND, PATIENCE, Program, ruuvi_host, simulated
from terminal import terminal

from ruuvi_host.simulator.kinds import KEY

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
"""To the other screen of a terminal, and back."""
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
"""The cursor."""


@contextmanager
def listening(*options: str, board: tuple[str, ...] = ()) -> Iterator[Program]:
    with (
        simulated("--rate", "100", *board) as coprocessor,
        ruuvi_host("listen", "--port", coprocessor.port, *options) as host,
    ):
        yield host


def heard(host: Program, count: int, pattern: str = ".") -> list[dict[str, Any]]:
    """So many lines of JSON, and then it is stopped."""
    host.wait_for("^{.*" + pattern, count)
    assert host.stop() == 0
    return [json.loads(line) for line in host.out]


def test_every_kind_at_once() -> None:
    kinds = "2 3 4 5 6 7 8 c5 e0 e1 f0 fa air 2in1 3in1".split()
    options = [option for kind in kinds for option in ("--tag", kind)]
    with listening(
        *("--all", "--json", "--key", KEY.hex()), board=("--tags", "15", *options)
    ) as host:
        lines = heard(host, 150)
    found = {line.get("data_format") for line in lines} - {None}
    assert found == {2, 3, 4, 5, 6, 7, 8, 0xC5, 0xE0, 0xE1, 0xF0, 0xFA}
    assert {line["error"] for line in lines if "error" in line} <= {"superseded"}
    assert host.err[-1].startswith("15 sensors: ")
    assert KEY.hex() not in "".join(host.err + host.out).lower()


def test_urls_only_when_asked_for() -> None:
    with listening("--json", board=("--tags", "2", "--tag", "4", "--tag", "5")) as host:
        assert {line["data_format"] for line in heard(host, 20)} == {5}


def test_keys_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# of the simulator\n{KEY.hex()}\n")
    file.chmod(0o644)
    with listening("--json", "--key", f"@{file}", board=("--tag", "8")) as host:
        assert {line["data_format"] for line in heard(host, 5)} == {8}
    assert f"others can read the keys in {file}" in "".join(host.err)

    with listening("--json", board=("--tag", "8")) as host:
        assert {line["error"] for line in heard(host, 5)} == {"key_required"}
    with listening("--json", "--key", "00" * 16, board=("--tag", "fa")) as host:
        assert {line["error"] for line in heard(host, 5)} == {"decrypt_failed"}


def test_a_format_that_is_switched_off() -> None:
    with listening("--json", "--without", "F0", board=("--tag", "f0", "--tag", "5")) as host:
        lines = heard(host, 1, "unknown_format")
    assert {line.get("error") or line["data_format"] for line in lines} <= {5, "unknown_format"}


def test_in_a_pipe_for_people() -> None:
    with listening(board=("--tag", "air", "--tags", "1")) as host:
        host.wait_for(r"dBm  .*CO2 \d+ ppm  PM2.5 [\d.]+ µg/m³  VOC \d+  NOx \d+")
        host.wait_for(r"\(again\)")
        assert host.stop(signal.SIGINT) == 0
    assert re.fullmatch(r"1 sensors: \d+ reports, \d+ measurements, .*superseded", host.err[-1])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--port", "x", "--simulate"], "--port: name the port"),
        (["--simulate", "--key", "12"], "--key: a key has 32 hexadecimal digits"),
        (["--simulate", "--key", "@/nowhere"], "/nowhere: No such file"),
        (["--simulate", "--without", "FF"], "--without: 'FF' is none of 2, 3, 4"),
    ],
)
def test_wrong_options(options: list[str], sentence: str) -> None:
    ran = subprocess.run(
        [COMMAND, "listen", *options], capture_output=True, text=True, timeout=PATIENCE
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"Error: {sentence}")
    assert ran.stderr.count("\n") == 1


# -- on a terminal --------------------------------------------------------------------------------


def test_the_terminal_is_as_before() -> None:
    with terminal("listen", "--simulate") as screen:
        screen.wait_for("moved")
        screen.wait_for("coprocessor configured")
        assert screen.end() == 0
        assert screen.text.count(ENTER) == screen.text.count(LEAVE) == 1
        assert screen.text.rindex(SHOW) > screen.text.rindex(HIDE)
        left = screen.text.index(LEAVE)
        assert re.search(r"\d+ sensors: \d+ reports", screen.text[left:])
        assert "moved" in screen.text[left:], "the last table stays"
        assert "listening\r\n" not in screen.text, "the log is in the picture, which fills lines"
        assert termios.tcgetattr(screen.theirs) == screen.before


def test_a_terminal_that_is_made_smaller() -> None:
    with terminal("listen", "--simulate") as screen:
        screen.wait_for("Lost")
        screen.wait_for("moved")
        screen.resize(40, 8)
        since = len(screen.text)
        screen.wait_for(r"\n\d+ sensors: [^\r]+…\x1b\[H", since)
        assert screen.end() == 0


def test_a_terminal_that_can_do_nothing() -> None:
    with terminal("listen", "--simulate", env={"TERM": "dumb"}) as screen:
        screen.wait_for("dBm  ")
        assert screen.end() == 0
        assert "\x1b" not in screen.text


def test_what_does_not_fit_is_scrolled_and_stays_at_the_end() -> None:
    with terminal("listen", "--simulate", lines=6) as screen:
        screen.wait_for(r"from 1 of 10 on")
        screen.type(" ")
        screen.wait_for(r"from [2-9] of 10 on")
        screen.type("q")
        assert screen.wait() == 0
        left = screen.text[screen.text.index(LEAVE) :]
        assert len(re.findall(r"(?:[0-9A-F]{2}:){5}", left)) == 10
        assert termios.tcgetattr(screen.theirs) == screen.before


def test_keys_of_somebody_else_are_left_alone() -> None:
    with simulated() as board, terminal("listen", "--port", board.port, stdin=False) as screen:
        screen.wait_for("moved")
        assert screen.end() == 0
        assert termios.tcgetattr(screen.theirs) == screen.before
