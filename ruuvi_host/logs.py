"""Logging for the commands: text or JSON lines on stderr, and a limit for repeated messages."""

import json
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from queue import Full, Queue
from time import monotonic

_LONGEST = 120


def printable(text: str, longest: int = _LONGEST) -> str:
    """Text from outside, safe to print: control characters escaped, and cut."""
    start = text[: longest + 1]
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in start)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def configure() -> None:
    """Log lines for people on stderr: time, level from WARNING on, text. For the CLI only."""
    root = logging.getLogger()
    if not any(isinstance(handler, StderrHandler) for handler in root.handlers):
        root.addHandler(StderrHandler())
    root.setLevel(logging.WARNING)
    adjust("info", as_json=False)


def adjust(level: str, *, as_json: bool) -> None:
    """After `configure`: the lowest level to show (debug, info, warning, error); text or JSON."""
    journal = is_journal()
    formatter: logging.Formatter = _JsonFormatter() if as_json else _Formatter()
    if journal and not as_json:
        formatter = logging.Formatter("%(message)s")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, StderrHandler):
            handler.setFormatter(_JournalFormatter(formatter) if journal else formatter)
    for ours in ("ruuvi_host", "firmware_protocol"):
        logging.getLogger(ours).setLevel(level.upper())


def is_journal(fd: int = 2, environment: Mapping[str, str] = os.environ) -> bool:
    """Does what is written there go to systemd's journal? It has a time of its own, and takes the
    priority of a line from its beginning: <3> is an error (sd-daemon(3))."""
    with suppress(OSError):
        found = os.fstat(fd)
        return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return False


def tell_last(sentence: str) -> None:
    """The last words of a command, behind all that was logged. Raises OSError."""
    logging.shutdown()
    print(f"{_PRIORITIES[logging.ERROR] if is_journal() else ''}{sentence}", file=sys.stderr)


class StderrHandler(logging.Handler):
    """Writes to stderr in a thread: its reader (a pager, a stopped terminal) may block, and the
    host must not wait for it. Lines for which the queue has no room are counted.
    """

    LONGEST_QUEUE = 1000
    FLUSH_TIMEOUT = 1.0
    """Seconds that the end of the process waits for lines in the queue."""

    def __init__(self, fd: int = 2) -> None:
        super().__init__()
        self._fd = fd
        self._lines: Queue[str] = Queue(self.LONGEST_QUEUE)
        self._dropped = 0
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        if self._dropped:
            line += f" ({self._dropped} lines before this one were lost: they were not read)"
        try:
            self._lines.put_nowait(line)
        except Full:
            self._dropped += 1
        else:
            self._dropped = 0

    def flush(self) -> None:
        """Wait until all is written, for FLUSH_TIMEOUT at most. `logging` calls it at the end."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(
                lambda: not self._lines.unfinished_tasks, self.FLUSH_TIMEOUT
            )

    def _write(self) -> None:
        while True:
            data = (self._lines.get() + "\n").encode("utf-8", "replace")
            with suppress(OSError):  # there is nowhere left to report it
                while data:
                    data = data[os.write(self._fd, data) :]
            self._lines.task_done()


class RecentLines(logging.Handler):
    """Keeps the last lines, for people who do not see stderr. In memory only: MOST lines of LONGEST
    characters, without tracebacks."""

    MOST = 300
    LONGEST = 400

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_Formatter("%Y-%m-%d %H:%M:%S"))
        self._lines: deque[str] = deque(maxlen=self.MOST)

    def emit(self, record: logging.LogRecord) -> None:
        bare = logging.makeLogRecord(vars(record) | {"exc_info": None, "exc_text": None})
        self._lines.append(printable(self.format(bare), self.LONGEST))

    def lines(self) -> list[str]:
        """The oldest first."""
        return list(self._lines)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Of all that is logged meanwhile."""
        root = logging.getLogger()
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)


class _Formatter(logging.Formatter):
    def __init__(self, time: str = "%H:%M:%S") -> None:
        super().__init__("%(asctime)s %(message)s", time)
        self._words = time.count(" ") + 1
        """Of the time, in front of the level."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        if record.levelno < logging.WARNING:
            return line
        *time, rest = line.split(" ", self._words)
        return f"{' '.join(time)} {record.levelname}: {rest}"


_PRIORITIES = {
    logging.DEBUG: "<7>",
    logging.INFO: "<6>",
    logging.WARNING: "<4>",
    logging.ERROR: "<3>",
    logging.CRITICAL: "<2>",
}


class _JournalFormatter(logging.Formatter):
    """Of another formatter, each line with the priority of its level: the journal's own unit is a
    line."""

    def __init__(self, inside: logging.Formatter) -> None:
        super().__init__()
        self._inside = inside

    def format(self, record: logging.LogRecord) -> str:
        priority = _PRIORITIES.get(record.levelno, "<5>")
        return "\n".join(priority + line for line in self._inside.format(record).split("\n"))


class _JsonFormatter(logging.Formatter):
    """One object a line: time (UTC), level, logger, message, and the facts given as `extra`."""

    _USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in self._USUAL}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class Repeated:
    """Limits the log lines of an event that repeats: the first one, then one a minute.

    Call `due()` for each event. None: do not log it; n: log it, there were n events since the last
    line (this one included). Call `reset()` when the events have ended.
    """

    def __init__(self, interval: float = 60.0, clock: Callable[[], float] = monotonic) -> None:
        self._interval = interval
        self._clock = clock
        self._count = 0
        self._next = 0.0
        self.total = 0
        """Events since the last `reset`."""

    def due(self) -> int | None:
        now = self._clock()
        self.total += 1
        self._count += 1
        if self.total > 1 and now < self._next:
            return None
        self._next = now + self._interval
        count, self._count = self._count, 0
        return count

    def reset(self) -> None:
        self._count = self.total = 0
