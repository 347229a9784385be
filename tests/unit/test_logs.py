"""Log lines: what they look like, what cannot get into them, and how many there are."""

import json
import logging
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from ruuvi_host import logs


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Grüße, 世界", "Grüße, 世界"),
        ("a\nb\r\x1b[31m\x00", r"a\nb\r\x1b[31m\x00"),
        ("\u202etxt", r"\u202etxt"),
        ("\ud800", r"\ud800"),
    ],
)
def test_foreign_text_is_made_printable(text: str, shown: str) -> None:
    assert logs.printable(text) == shown
    assert logs.printable(text).isprintable()


def test_foreign_text_is_cut() -> None:
    assert logs.printable("x" * 120) == "x" * 120
    assert logs.printable("x" * 121) == "x" * 119 + "…"
    assert len(logs.printable("\x00" * 1_000_000)) == 120
    assert logs.printable("abcd", 3) == "ab…"


def test_the_first_of_a_row_then_one_a_minute() -> None:
    now = 0.0
    events = logs.Repeated(60.0, lambda: now)
    assert events.due() == 1
    assert [events.due(), events.due()] == [None, None]
    now = 59.9
    assert events.due() is None
    now = 60.0
    assert events.due() == 4
    assert events.total == 5
    now = 61.0
    assert events.due() is None
    events.reset()
    assert events.due() == 1
    assert events.total == 1


def test_a_single_event_after_a_long_time_is_let_through() -> None:
    now = 0.0
    events = logs.Repeated(60.0, lambda: now)
    events.due()
    now = 1000.0
    assert events.due() == 1


def test_lines_for_people(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    ours = [logging.getLogger(name) for name in ("ruuvi_host", "firmware_protocol")]
    levels = [logger.level for logger in (root, *ours)]
    before = list(root.handlers)
    try:
        logs.configure()
        ours[0].info("a %s changed", "state")
        ours[0].warning("something was lost")
        ours[1].error("a person is needed")
        ours[0].debug("not shown")
        logging.getLogger("httpcore").info("not shown")
    finally:
        for handler in [handler for handler in root.handlers if handler not in before]:
            handler.flush()
            root.removeHandler(handler)
        for logger, level in zip((root, *ours), levels, strict=True):
            logger.setLevel(level)
    lines = [line.partition(" ") for line in capfd.readouterr().err.splitlines()]
    assert all(len(time) == len("12:34:56") for time, _, _ in lines)
    assert [text for _, _, text in lines] == [
        "a state changed",
        "WARNING: something was lost",
        "ERROR: a person is needed",
    ]


def test_nobody_waits_for_who_reads_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs.StderrHandler, "LONGEST_QUEUE", 10)
    monkeypatch.setattr(logs.StderrHandler, "FLUSH_TIMEOUT", 0.01)
    reader, writer = os.pipe()
    handler = logs.StderrHandler(writer)
    for number in range(20):  # of 100 kB each: a pipe holds less
        handler.emit(logging.makeLogRecord({"msg": f"{number} " + "x" * 100_000}))
    handler.flush()
    received = b""
    while received.count(b"\n") < 10:
        received += os.read(reader, 1 << 20)
    handler.emit(logging.makeLogRecord({"msg": "read again"}))
    while b"read again" not in received:
        received += os.read(reader, 1 << 20)
    last = received.splitlines()[-1].decode()
    assert "lines before this one were lost" in last
    os.close(reader)
    os.close(writer)


def test_json_lines(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    ours = [logging.getLogger(name) for name in ("ruuvi_host", "firmware_protocol")]
    levels = [logger.level for logger in (root, *ours)]
    before = list(root.handlers)
    try:
        logs.configure()
        logs.adjust("debug", as_json=True)
        ours[0].debug("a %s\nline", "ü", extra={"attempt": 3})
    finally:
        for handler in [handler for handler in root.handlers if handler not in before]:
            handler.flush()
            root.removeHandler(handler)
        for logger, level in zip((root, *ours), levels, strict=True):
            logger.setLevel(level)
    line = json.loads(capfd.readouterr().err)
    assert line.pop("time").endswith("+00:00")
    expected = {"level": "debug", "logger": "ruuvi_host", "message": "a ü\nline", "attempt": 3}
    assert line == expected


def test_recent_lines_are_kept_without_tracebacks() -> None:
    recent = logs.RecentLines()
    logger = logging.getLogger("ruuvi_host")
    level = logger.level
    logger.setLevel("INFO")
    try:
        with recent.kept():
            logger.info("one\nline")
            try:
                raise ValueError("in the traceback")
            except ValueError:
                logger.exception("it failed")
        logger.info("too late")
    finally:
        logger.setLevel(level)
    first, second = recent.lines()
    assert first.endswith(" one\\nline")
    assert second.endswith(" ERROR: it failed")
    time = second.removesuffix(" ERROR: it failed")
    assert datetime.strptime(time, "%Y-%m-%d %H:%M:%S").year > 2000


def test_recent_lines_are_bounded() -> None:
    recent = logs.RecentLines()
    for number in range(logs.RecentLines.MOST + 7):
        line = {"msg": f"{number} {'x' * 9999}", "levelno": logging.INFO}
        recent.handle(logging.makeLogRecord(line))
    assert len(recent.lines()) == logs.RecentLines.MOST
    assert " 7 x" in recent.lines()[0]
    assert all(len(line) <= logs.RecentLines.LONGEST for line in recent.lines())


# -- under systemd --------------------------------------------------------------------------------


@pytest.mark.parametrize("as_json", [False, True])
def test_lines_for_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, as_json: bool
) -> None:
    with open(tmp_path / "journal", "wb") as journal:
        found = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        code = (
            "import logging, sys; from ruuvi_host import logs; logs.configure();"
            f"logs.adjust('debug', as_json={as_json});"
            "log = logging.getLogger('ruuvi_host.x');"
            "log.debug('a'); log.info('b'); log.warning('c'); log.error('d\\ne');"
            "log.critical('f'); logs.tell_last('Error: g')"
        )
        subprocess.run([sys.executable, "-c", code], stderr=journal, check=True)
    lines = (tmp_path / "journal").read_text().splitlines()
    if as_json:
        assert [line[:3] for line in lines] == ["<7>", "<6>", "<4>", "<3>", "<2>", "<3>"]
        assert json.loads(lines[3].removeprefix("<3>"))["message"] == "d\ne"
    else:
        assert lines == ["<7>a", "<6>b", "<4>c", "<3>d", "<3>e", "<2>f", "<3>Error: g"]


def test_a_terminal_of_a_service_is_no_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    assert not logs.is_journal()
    monkeypatch.delenv("JOURNAL_STREAM")
    assert not logs.is_journal()
