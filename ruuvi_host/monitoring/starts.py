"""How often this instance has been started since the machine was, and how the life before ended.

A file in the state directory remembers it: `starts.json` is written at each start, and once more
when the process ends as it should. A start that finds no such last word knows that there was a
crash, or a `kill -9`. What Python itself says when it dies of a signal stands in `crash.txt`.
A gateway tells the same of its ESP32, and its words are used here.
"""

import faulthandler
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Self

from ruuvi_host.errors import RuuviHostError

log = logging.getLogger(__name__)

LONGEST_INFO = 2000
"""Characters of the last words of a crash that are passed on."""

_STARTS, _LAST_WORDS = "starts.json", "crash.txt"

_FOLDERS = re.compile(r'(?<=File ")/(?:[^/"\n]*/)*(?=[^/"\n]+/[^/"\n]+")')

_ABORTED = "Fatal Python error: Aborted"


class ResetReason(StrEnum):
    """Those of the gateway's reasons that can be true here."""

    UNKNOWN = "UNKNOWN"
    """The file could not be read."""
    POWER_ON = "POWER_ON"
    """The first start since the machine's."""
    SW = "SW"
    """The process before ended as it should, or was ended by its own decision."""
    PANIC = "PANIC"
    """It crashed, or was killed."""
    TASK_WDT = "TASK_WDT"
    """It stood still, and a watchdog ended it: systemd's or our own."""


@dataclass(slots=True)
class Start:
    """This start. `info` is "" after it has been told once."""

    count: int
    """Starts since the machine's, this one included."""
    reason: ResetReason
    info: str


class Starts:
    """Remembers starts in `directory`, which its owner has locked. Never fails for a full disk.

    `begin` at the start; `ended` as the last thing.
    """

    def __init__(self, directory: Path, boot: str, this: Start) -> None:
        self.this = this
        self._directory = directory
        self._boot = boot
        self._last_words: TextIOWrapper | None = None

    @classmethod
    def begin(cls, directory: Path, boot: str, *, watched: bool = False) -> Self:
        """boot: the kernel's name for this boot of the machine. watched: systemd's watchdog looks
        after this process."""
        before = _load(directory / _STARTS)
        starts = cls(directory, boot, _judge(before, boot, _read_last_words(directory)))
        starts._write({"running": True, "watched": watched})
        return starts

    def keep_last_words(self) -> None:
        """From now on Python writes into a file what it was doing when a signal such as SIGSEGV
        or SIGABRT ends it: in C, so also while Python itself stands still."""
        path = self._directory / _LAST_WORDS
        try:
            file = open(path, "w", encoding="utf-8", opener=_private)  # noqa: SIM115 - until the end
        except OSError as error:
            log.warning("%s: cannot be written: %s", path, error.strerror)
        else:
            self._last_words = file
            faulthandler.enable(file)

    @contextmanager
    def life(self) -> Iterator[None]:
        """Remembers how what is inside ends."""
        reason, why = ResetReason.SW, "told to stop"
        try:
            yield
        except RuuviHostError as error:
            why = str(error)
            raise
        except Exception as error:
            reason, why = ResetReason.PANIC, f"{type(error).__name__}: {error}"
            raise
        finally:
            self.ended(reason, why)

    def ended(self, reason: ResetReason, why: str) -> None:
        """The last word of this process: `why` is told after the next start."""
        self._write({"running": False, "reason": reason, "why": why[:LONGEST_INFO]})
        if self._last_words:
            faulthandler.disable()
            self._last_words.close()
            self._last_words = None

    def _write(self, how: dict[str, Any]) -> None:
        path = self._directory / _STARTS
        temporary = path.with_suffix(".new")
        stored = {"boot": self._boot, "count": self.this.count, **how}
        try:
            with open(temporary, "w", opener=_private) as file:
                file.write(json.dumps(stored) + "\n")
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            log.warning("%s: cannot be written: %s", path, error.strerror)


def _judge(before: dict[str, Any] | None, boot: str, last_words: str) -> Start:
    """What this start is, from what the last one wrote. None: what it wrote cannot be read."""
    if before is None:
        return Start(1, ResetReason.UNKNOWN, "")
    if not before or before["boot"] != boot:
        return Start(1, ResetReason.POWER_ON, "")
    count = before["count"] + 1
    if before["running"]:
        if before["watched"] and last_words.startswith(_ABORTED):  # so systemd's watchdog ends us
            return Start(count, ResetReason.TASK_WDT, _panic(last_words))
        return Start(count, ResetReason.PANIC, _panic(last_words or "killed, without a last word"))
    reason = ResetReason(before["reason"])
    said = f"Reset by software: {before['why']}"
    return Start(count, reason, said if reason is ResetReason.SW else _panic(before["why"]))


def _panic(text: str) -> str:
    # Where files lie on this machine is nobody's business: package and module are enough.
    return f"Reset by panic: {_FOLDERS.sub('', text)}"


def _load(path: Path) -> dict[str, Any] | None:
    """What the last start wrote; empty: there was none; None: it cannot be read."""
    try:
        stored = json.loads(path.read_bytes())
        running = stored["running"]
        needed = {"boot": str, "count": int, "running": bool}
        needed |= {"watched": bool} if running else {"reason": str, "why": str}
        if any(type(stored[name]) is not kind for name, kind in needed.items()):
            raise ValueError("a value of a wrong type")
        if not running:
            ResetReason(stored["reason"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        log.warning("%s: cannot be used (%s); it is made anew", path, error)
        return None
    return dict(stored)


def _read_last_words(directory: Path) -> str:
    try:
        with open(directory / _LAST_WORDS, encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST_INFO).strip()
    except OSError:
        return ""


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
