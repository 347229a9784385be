"""Starts are counted, and how the life before ended is told as a gateway would."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ruuvi_host.errors import HealthError
from ruuvi_host.monitoring.starts import ResetReason, Start, Starts, story

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
from ruuvi_host.errors import HealthError
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
        b'{"boot": "c34877b8", "count": 1, "running": true, "watched": false}' + b" " * 66_000,
        b'{"boot": "c34877b8", "count": 0, "running": true, "watched": false}',
        b'{"boot": "c34877b8", "count": 1' + b"0" * 300 + b', "running": true, "watched": false}',
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


@pytest.mark.parametrize(
    ("local", "told"),
    [
        (
            "/dev/serial/by-id/usb-SEGGER_J-Link_000683123456-if00: no answer for 15 min",
            "…: no answer for 15 min",
        ),
        (
            "state folder: cannot keep state in /home/a lice/x: Permission denied",
            "state folder: cannot keep state in …: Permission denied",
        ),
        (
            "[Errno 2] No such file or directory: '/home/alice/key.pem'",
            "[Errno 2] No such file or directory: '…'",
        ),
        ('"~/key (1).pem" cannot be read', '"…" cannot be read'),
        (
            "./data/custom.spool: undelivered data could not be written",
            "…: undelivered data could not be written",
        ),
        (
            "socket://10.0.0.5:4001: refused, and http://user:secret@nas.local:8080/x?k=v too",
            "… refused, and … too",
        ),
        (
            "usb:1366:0105:000683123456: the device 1366:0105:000683123456 is not plugged in",
            "usb:1366:0105:…: the device 1366:0105:…",
        ),
        (
            "usb:1915:520f: there is no such USB device. There is usb:1366:0105:A 1, usb:10c4:ea6",
            "usb:1915:520f: there is no such USB device. There is usb:1366:0105:…, usb:10c4:ea6",
        ),
        (
            "Network watchdog: custom: no answer to a batch for 60 min",
            "Network watchdog: custom: no answer to a batch for 60 min",
        ),
    ],
)
def test_what_is_sent_names_nothing_of_this_machine(tmp_path: Path, local: str, told: str) -> None:
    Starts.begin(tmp_path, BOOT).ended(ResetReason.SW, local)
    assert json.loads((tmp_path / "starts.json").read_text())["why"] == local
    assert Starts.begin(tmp_path, BOOT).this.info == f"Reset by software: {told}"
    # What an older version wrote has no part for servers.
    old = {"boot": BOOT, "count": 1, "running": False, "reason": "SW", "why": local}
    (tmp_path / "starts.json").write_text(json.dumps(old))
    assert Starts.begin(tmp_path, BOOT).this.info == f"Reset by software: {told}"


def test_the_cause_is_told_from_inside_of_the_groups_that_tasks_make(tmp_path: Path) -> None:
    starts = Starts.begin(tmp_path, BOOT)
    with pytest.raises(ValueError, match="Expecting") as caught:
        json.loads("not JSON of /home/alice")
    with pytest.raises(ExceptionGroup), starts.life():
        raise ExceptionGroup("tasks", [ExceptionGroup("tasks", [caught.value])])
    stored = json.loads((tmp_path / "starts.json").read_text())
    assert "Expecting value: line 1" in stored["why"]
    this = Starts.begin(tmp_path, BOOT).this
    assert this.reason is ResetReason.PANIC
    assert re.fullmatch(
        r"Reset by panic: JSONDecodeError in json/decoder\.py:\d+ \(raw_decode\)", this.info
    )


def test_an_error_of_ours_in_a_group_is_no_crash(tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup), Starts.begin(tmp_path, BOOT).life():
        raise ExceptionGroup("tasks", [HealthError("/dev/ttyACM0: no answer")])
    assert Starts.begin(tmp_path, BOOT).this == (
        Start(2, ResetReason.SW, "Reset by software: …: no answer")
    )


def test_a_link_in_the_place_of_a_file_is_not_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = tmp_path / "other"
    other.write_text("of somebody else")
    state = tmp_path / "state"
    state.mkdir()
    for name in ("starts.json", "starts.new", "crash.txt"):
        (state / name).symlink_to(other)
    starts = Starts.begin(state, BOOT)
    starts.enable_crash_report()
    starts.ended(ResetReason.SW, "told to stop")
    assert other.read_text() == "of somebody else"
    assert "crash.txt: cannot be written: Too many levels of symbolic links" in caplog.text
    assert Starts.begin(state, BOOT).this.count == 2, "a link is replaced by a file"


@pytest.mark.parametrize("content", [b"[" * 60_000, b"[]", b'{"a": [1]}', b" " * 70_000, b"{"])
def test_a_damaged_file_is_a_problem_in_a_report(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "starts.json").write_bytes(content)
    assert story(tmp_path).keys() == {"problem"}


def test_a_report_has_what_was_written(tmp_path: Path) -> None:
    assert story(tmp_path) == {}
    Starts.begin(tmp_path, BOOT)
    assert story(tmp_path)["starts"]["boot"] == BOOT
