"""How a coprocessor finds commands that is a program, and has no faults to play: as a host does.

Noise before a command costs nothing, and an incomplete one is given up after a silence; compare
command_reader.py.
"""

from math import inf

from firmware_protocol.framing import Frame, FrameScanner, frames

IDLE = 0.05
"""Seconds of silence after which an incomplete frame is given up. As a host does on its side."""


class CommandStream:
    """Bytes and time in, frames out, from one boot to the next."""

    def __init__(self) -> None:
        self.deadline = inf
        """When `flush` is due; inf: nothing is incomplete."""
        self._scanner = FrameScanner(frames)

    def feed(self, data: bytes, now: float) -> list[Frame]:
        """All frames that `data` completes."""
        found = self._scanner.feed(data)
        self.deadline = now + IDLE if self._scanner.pending else inf
        return found

    def flush(self) -> list[Frame]:
        """Give up what is incomplete, and find what stands behind its beginning."""
        self.deadline = inf
        return self._scanner.flush()
