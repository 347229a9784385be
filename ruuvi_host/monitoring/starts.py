"""How often this instance was started since the machine booted, and how the previous run ended.

The file `starts.json` in the state directory is written at each start, and again when the process
ends as it should. A start after which that second entry is missing was followed by a crash or a
`kill -9`. When a signal ends the process, Python writes its stack to `crash.txt`. A gateway reports
the same of its ESP32; the reasons have its names.

The file has the whole cause, for the people of this machine. What statistics tell a server of it
names no path, port, serial number or address of this machine.
"""

import faulthandler
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from traceback import extract_tb
from typing import Any, Self

from ruuvi_host import private_files
from ruuvi_host.errors import RuuviHostError

log = logging.getLogger(__name__)

LONGEST_INFO = 2000
"""Characters of a crash report that are sent with the statistics."""

_STARTS, _CRASH = "starts.json", "crash.txt"
_LONGEST = 64 * 1024
"""Bytes of starts.json: of two texts of LONGEST_INFO, each character may take twelve."""
_MOST = 1 << 32
"""Starts; nobody counts that far, but a damaged file might."""

_FOLDERS = re.compile(r'(?<=File ")/(?:[^/"\n]*/)*(?=[^/"\n]+/[^/"\n]+")')

_QUOTED = re.compile(r"""(['"])(?:[.~]{0,2}/|\w+://)[^'"\n]*\1""")
_ADDRESSES = re.compile(r"(?<![\w+.-])[\w+.-]++://[^\s'\"<>]+")
_PATHS = re.compile(r"""(?<![\w.)"/])[.~]{0,2}/[^:;,'"\n]*""")
"""To the next mark: a name may have spaces in it, and too little told does no harm."""
_SERIALS = re.compile(r"""\b([0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}):(?=[^\s:])[^:,;'"\n]*""")
"""Of USB devices, behind vendor and product."""

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
            file = open(path, "w", encoding="utf-8", opener=private_files.opener)  # noqa: SIM115
        except OSError as error:
            log.warning("%s: cannot be written: %s", path, error.strerror)
        else:
            self._crash_report = file
            faulthandler.enable(file)

    @contextmanager
    def life(self) -> Iterator[None]:
        """Records how the block ends."""
        reason, why, told = ResetReason.SW, "told to stop", None
        try:
            yield
        except Exception as error:
            cause = _cause(error)
            if isinstance(cause, RuuviHostError):
                why = str(cause)
            else:
                reason = ResetReason.PANIC
                told = f"{type(cause).__name__} in {_place(cause)}"
                why = f"{told}: {cause}"
            raise
        finally:
            self.ended(reason, why, told)

    def ended(self, reason: ResetReason, why: str, told: str | None = None) -> None:
        """The process ends now. After the next start `told` is sent; None: `why`, without what is
        private in it."""
        told = public(why) if told is None else told
        self._write(
            {
                "running": False,
                "reason": reason,
                "why": why[:LONGEST_INFO],
                "told": told[:LONGEST_INFO],
            }
        )
        if self._crash_report:
            faulthandler.disable()
            self._crash_report.close()
            self._crash_report = None

    def _write(self, how: dict[str, Any]) -> None:
        path = self._directory / _STARTS
        stored = {"boot": self._boot, "count": self.this.count, **how}
        try:
            private_files.replace(path, (json.dumps(stored) + "\n").encode())
        except OSError as error:
            log.warning("%s: cannot be written: %s", path, error.strerror)


def story(directory: Path) -> dict[str, Any]:
    """What is kept there, for the report of a fault; of a crash, without paths of this machine."""
    told: dict[str, Any] = {}
    try:
        stored = json.loads(private_files.read_whole(directory / _STARTS, _LONGEST))
        if any(isinstance(value, dict | list) for value in stored.values()):
            raise ValueError("not what is written there")
        told["starts"] = stored
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        told["problem"] = str(error)
    if crash := _read_crash_report(directory):
        told["crash"] = public(crash)
    return told


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
    told = public(before.get("told", before["why"]))
    return Start(
        count, reason, f"Reset by software: {told}" if reason is ResetReason.SW else _panic(told)
    )


def _panic(text: str) -> str:
    return f"Reset by panic: {public(text)}"


def public(text: str) -> str:
    """Without the paths, ports and addresses of this machine. Of code, package and module are
    left."""
    text = _SERIALS.sub(r"\1:…", _FOLDERS.sub("", text))
    text = _QUOTED.sub(r"\1…\1", text)
    return _PATHS.sub("…", _ADDRESSES.sub("…", text))


def _cause(error: Exception) -> Exception:
    """What is inside of a group of errors, as task groups raise them."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _place(error: Exception) -> str:
    """The last line of ours that it came from, as a crash report names it."""
    frames = extract_tb(error.__traceback__)
    ours = [f for f in frames if "ruuvi_host" in f.filename or "firmware_protocol" in f.filename]
    frame = (ours or list(frames))[-1]
    return f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} ({frame.name})"


def _load(path: Path) -> dict[str, Any] | None:
    """What the previous start wrote; empty: there was none; None: it cannot be read."""
    try:
        stored = json.loads(private_files.read_whole(path, _LONGEST))
        running = stored["running"]
        needed = {"boot": str, "count": int, "running": bool}
        needed |= {"watched": bool} if running else {"reason": str, "why": str}
        if any(type(stored[name]) is not kind for name, kind in needed.items()):
            raise ValueError("a value of a wrong type")
        if not 0 < stored["count"] < _MOST:
            raise ValueError("no number of starts")
        if not running:
            ResetReason(stored["reason"])
            if type(stored.get("told", "")) is not str:
                raise ValueError("a value of a wrong type")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        log.warning("%s: cannot be used (%s); a new one is written", path, error)
        return None
    return dict(stored)


def _read_crash_report(directory: Path) -> str:
    try:
        report = private_files.read(directory / _CRASH, LONGEST_INFO)
        return report.decode("utf-8", "replace").strip()
    except OSError:
        return ""
