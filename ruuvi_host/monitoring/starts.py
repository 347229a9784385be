"""How often this instance was started since the machine booted, and how the previous run ended.

The file `starts.json` in the state directory is written at each start, and again when the process
ends as it should. A start after which that second entry is missing was followed by a crash or a
`kill -9`. When a signal ends the process, Python writes its stack to `crash.txt`. A gateway reports
the same of its ESP32; the reasons have its names.
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
"""Characters of a crash report that are sent with the statistics."""

_STARTS, _CRASH = "starts.json", "crash.txt"

_FOLDERS = re.compile(r'(?<=File ")/(?:[^/"\n]*/)*(?=[^/"\n]+/[^/"\n]+")')

_ABORTED = "Fatal Python error: Aborted"


class ResetReason(StrEnum):
    """The reasons of the gateway that are possible here."""

    UNKNOWN = "UNKNOWN"
    """The file could not be read."""
    POWER_ON = "POWER_ON"
    """The first start since the boot of the machine."""
    SW = "SW"
    """The previous run ended as it should, or because the host decided to end."""
    PANIC = "PANIC"
    """It crashed, or was killed."""
    TASK_WDT = "TASK_WDT"
    """It was blocked, and a watchdog ended it: systemd's or our own."""


@dataclass(slots=True)
class Start:
    """This start. `info` is "" after it was sent once."""

    count: int
    """Starts since the boot of the machine, this one included."""
    reason: ResetReason
    info: str


class Starts:
    """Records starts in `directory`, which is locked by this process. A full disk is no error.

    Call `begin` at the start and `ended` at the end.
    """

    def __init__(self, directory: Path, boot: str, this: Start) -> None:
        self.this = this
        self._directory = directory
        self._boot = boot
        self._crash_report: TextIOWrapper | None = None

    @classmethod
    def begin(cls, directory: Path, boot: str, *, watched: bool = False) -> Self:
        """boot: the kernel's id of this boot. watched: systemd's watchdog watches this process."""
        before = _load(directory / _STARTS)
        starts = cls(directory, boot, _judge(before, boot, _read_crash_report(directory)))
        starts._write({"running": True, "watched": watched})
        return starts

    def enable_crash_report(self) -> None:
        """From now on Python writes its stack into a file when a signal such as SIGSEGV or SIGABRT
        ends it. This is done in C, so also while Python itself is blocked."""
        path = self._directory / _CRASH
        try:
            file = open(path, "w", encoding="utf-8", opener=_private)  # noqa: SIM115 - until the end
        except OSError as error:
            log.warning("%s: cannot be written: %s", path, error.strerror)
        else:
            self._crash_report = file
            faulthandler.enable(file)

    @contextmanager
    def life(self) -> Iterator[None]:
        """Records how the block ends."""
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
        """The process ends now. `why` is sent after the next start."""
        self._write({"running": False, "reason": reason, "why": why[:LONGEST_INFO]})
        if self._crash_report:
            faulthandler.disable()
            self._crash_report.close()
            self._crash_report = None

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


def _judge(before: dict[str, Any] | None, boot: str, crash: str) -> Start:
    """This start, judged by what the previous one wrote. None: that cannot be read."""
    if before is None:
        return Start(1, ResetReason.UNKNOWN, "")
    if not before or before["boot"] != boot:
        return Start(1, ResetReason.POWER_ON, "")
    count = before["count"] + 1
    if before["running"]:
        if before["watched"] and crash.startswith(_ABORTED):  # systemd's watchdog sends SIGABRT
            return Start(count, ResetReason.TASK_WDT, _panic(crash))
        return Start(count, ResetReason.PANIC, _panic(crash or "killed, without a crash report"))
    reason = ResetReason(before["reason"])
    said = f"Reset by software: {before['why']}"
    return Start(count, reason, said if reason is ResetReason.SW else _panic(before["why"]))


def _panic(text: str) -> str:
    # The paths of this machine stay private: package and module are enough.
    return f"Reset by panic: {_FOLDERS.sub('', text)}"


def _load(path: Path) -> dict[str, Any] | None:
    """What the previous start wrote; empty: there was none; None: it cannot be read."""
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
        log.warning("%s: cannot be used (%s); a new one is written", path, error)
        return None
    return dict(stored)


def _read_crash_report(directory: Path) -> str:
    try:
        with open(directory / _CRASH, encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST_INFO).strip()
    except OSError:
        return ""


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
