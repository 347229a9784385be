"""Logging for the commands: text on stderr; and how to log what would otherwise flood."""

import logging
import sys
from collections.abc import Callable
from time import monotonic

_LONGEST = 120


def printable(text: str, longest: int = _LONGEST) -> str:
    """Text from outside as it may be printed: control characters escaped, cut."""
    start = text[: longest + 1]
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in start)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def configure(level: int = logging.INFO) -> None:
    """Log lines for people on stderr: time, level where it matters, text. Only the CLI calls it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for ours in ("ruuvi_host", "firmware_protocol"):
        logging.getLogger(ours).setLevel(level)


class _Formatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        if record.levelno < logging.WARNING:
            return line
        time, _, rest = line.partition(" ")
        return f"{time} {record.levelname}: {rest}"


class Repeated:
    """Lets the first of a row of like events through, then one a minute with their count.

    `due()` for each event: None: keep quiet; n: log it, n events since the last time (this one
    included). `reset()` when the row has ended.
    """

    def __init__(self, interval: float = 60.0, clock: Callable[[], float] = monotonic) -> None:
        self._interval = interval
        self._clock = clock
        self._count = 0
        self._next = 0.0
        self.total = 0
        """Events since the row began."""

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
