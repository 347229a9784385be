"""Starts are counted, and how the life before ended is told as a gateway would."""

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ruuvi_host.monitoring.starts import ResetReason, Start, Starts

BOOT, NEXT_BOOT = "c34877b8", "4d1c0a55"


def test_a_clean_restart(tmp_path: Path) -> None:
    first = Starts.begin(tmp_path, BOOT)
    assert first.this == Start(1, ResetReason.POWER_ON, "")
    first.ended(ResetReason.SW, "told to stop")
    second = Starts.begin(tmp_path, BOOT)
    assert second.this == Start(2, ResetReason.SW, "Reset by software: told to stop")
    second.ended(ResetReason.SW, "Network watchdog")
    assert Starts.begin(tmp_path, BOOT).this == (
        Start(3, ResetReason.SW, "Reset by software: Network watchdog")
    )
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "starts.json": 0o600
    }


def test_the_machine_was_restarted(tmp_path: Path) -> None:
    Starts.begin(tmp_path, BOOT).ended(ResetReason.SW, "told to stop")
    Starts.begin(tmp_path, BOOT)  # a power cut: no last word
    assert Starts.begin(tmp_path, NEXT_BOOT).this == Start(1, ResetReason.POWER_ON, "")


def test_an_error_of_ours(tmp_path: Path) -> None:
    Starts.begin(tmp_path, BOOT).ended(ResetReason.PANIC, "ValueError: impossible")
    assert Starts.begin(tmp_path, BOOT).this == (
        Start(2, ResetReason.PANIC, "Reset by panic: ValueError: impossible")
    )


def test_where_files_lie_is_not_told(tmp_path: Path) -> None:
    stack = (
        'stood still\n  File "/home/alice/.venv/lib/ruuvi_host/relay/http.py", line 7 in post\n'
        '  File "/usr/lib/python3.11/asyncio/events.py", line 80 in _run\n  File "<string>", line 1'
    )
    Starts.begin(tmp_path, BOOT).ended(ResetReason.TASK_WDT, stack)
    assert Starts.begin(tmp_path, BOOT).this.info == (
        'Reset by panic: stood still\n  File "relay/http.py", line 7 in post\n'
        '  File "asyncio/events.py", line 80 in _run\n  File "<string>", line 1'
    )


def test_our_own_watchdog(tmp_path: Path) -> None:
    Starts.begin(tmp_path, BOOT).ended(ResetReason.TASK_WDT, "stood still for 30 s")
    assert Starts.begin(tmp_path, BOOT).this == (
        Start(2, ResetReason.TASK_WDT, "Reset by panic: stood still for 30 s")
    )


LIFE = """
import sys, time
from pathlib import Path
from ruuvi_host.monitoring.starts import Starts
starts = Starts.begin(Path(sys.argv[1]), "c34877b8", watched=sys.argv[2] == "watched")
starts.enable_crash_report()
def standing_still():
    print("alive", flush=True)
    sys.stdin.read()
standing_still()
"""


def live_and_die(path: Path, of: int, *, watched: bool = False) -> Start:
    """A process that a signal ends, and how the next one sees it."""
    arguments = [sys.executable, "-c", LIFE, str(path), "watched" if watched else ""]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"alive\n"
        os.kill(process.pid, of)
        assert process.wait() == -of
    return Starts.begin(path, BOOT).this


def test_kill_9(tmp_path: Path) -> None:
    assert live_and_die(tmp_path, signal.SIGKILL) == (
        Start(2, ResetReason.PANIC, "Reset by panic: killed, without a crash report")
    )


def test_a_crash_tells_where_it_was(tmp_path: Path) -> None:
    this = live_and_die(tmp_path, signal.SIGSEGV)
    assert (this.count, this.reason) == (2, ResetReason.PANIC)
    assert this.info.startswith("Reset by panic: Fatal Python error: Segmentation fault")
    assert "in standing_still" in this.info
    # It is told once: the next crash without a word does not repeat it.
    assert live_and_die(tmp_path, signal.SIGKILL).info == (
        "Reset by panic: killed, without a crash report"
    )


def test_the_watchdog_of_systemd(tmp_path: Path) -> None:
    """It ends a process by SIGABRT; without a watchdog the same signal is a crash."""
    this = live_and_die(tmp_path, signal.SIGABRT, watched=True)
    assert (this.count, this.reason) == (2, ResetReason.TASK_WDT)
    assert "in standing_still" in this.info
    assert live_and_die(tmp_path, signal.SIGABRT).reason is ResetReason.PANIC
    assert live_and_die(tmp_path, signal.SIGKILL, watched=True).reason is ResetReason.PANIC


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b"{}",
        b'{"boot": "c34877b8", "count": "1", "running": true, "watched": false}',
        b'{"boot": "c34877b8", "count": 1, "running": true}',
        b'{"boot": "c34877b8", "count": 1, "running": false, "reason": "FATE", "why": ""}',
    ],
)
def test_a_damaged_file_is_unknown_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / "starts.json").write_bytes(content)
    assert Starts.begin(tmp_path, BOOT).this == Start(1, ResetReason.UNKNOWN, "")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "starts.json: cannot be used (" in record.getMessage()
    assert Starts.begin(tmp_path, BOOT).this.count == 2


def test_a_disk_that_is_full_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "starts.new").mkdir()
    starts = Starts.begin(tmp_path, BOOT)
    starts.ended(ResetReason.SW, "told to stop")
    assert [record.getMessage() for record in caplog.records] == (
        [f"{tmp_path}/starts.json: cannot be written: Is a directory"] * 2
    )


def test_a_crash_report_is_cut(tmp_path: Path) -> None:
    Starts.begin(tmp_path, BOOT).ended(ResetReason.PANIC, "x" * 10_000)
    assert len(json.loads((tmp_path / "starts.json").read_text())["why"]) == 2000
