"""The rig that plays a capture: the very bytes that a board once sent, at the times at which it
did. Nobody answers, and nothing is made up: for that there is `ruuvi-host replay`."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ruuvi_host.capture.script import survey
from ruuvi_host.capture.source import open_source
from ruuvi_host.errors import ConfigError

from .local import LocalRig
from .rig import Ability, RigError, Setup

LONGEST_PAUSE = 1.0
"""Seconds; a longer silence in the capture is not waited for."""
FIRST_PAUSE = 0.3
"""Seconds that a host has to open the port before the first byte."""


def why_not(file: str) -> str | None:
    """Why it cannot be played; None: it can."""
    if file == "-" or Path(file).is_fifo():
        return f"{file}: a capture is read again and again, and so cannot come from a pipe"
    try:
        found = survey(open_source(file))
    except ConfigError as error:
        return str(error)
    return None if found.frames else f"{file}: holds no frame that a coprocessor sent"


class ReplayRig(LocalRig):
    """--rig replay --capture-file FILE."""

    name = "replay"
    abilities = frozenset({Ability.RADIO})

    def __init__(self, path: Path) -> None:
        self._file = str(path)
        if problem := why_not(self._file):
            raise RigError(f"rig replay: {problem}")
        super().__init__()
        raw = sum(len(data) for _, data in self._received())
        self.description = f"capture {path.name}, {raw} bytes, no hardware now"
        self._ends = threading.Event()

    def boot(self, setup: Setup) -> socket.socket:
        self._line, cable = socket.socketpair()
        self._ends.clear()
        self._thread = threading.Thread(target=self._play, name="replay", daemon=True)
        self._thread.start()
        return cable

    def shut_down(self) -> None:
        self._ends.set()
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._line.close()

    def _received(self) -> Iterator[tuple[float, bytes]]:
        """What the first coprocessor sent: seconds of silence before it, and the bytes."""
        last: tuple[int, int] | None = None
        for record in open_source(self._file):
            if record.sent or record.interface:
                continue
            at = record.wall if record.monotonic is None else record.monotonic
            pause = 0.0
            if last and last[0] == record.section:
                pause = min(max((at - last[1]) / 1e9, 0.0), LONGEST_PAUSE)
            last = record.section, at
            yield pause, record.data

    def _play(self) -> None:
        self._ends.wait(FIRST_PAUSE)
        for pause, data in self._received():
            if self._ends.wait(pause):
                return
            try:
                self._line.sendall(data)
            except OSError:
                return
