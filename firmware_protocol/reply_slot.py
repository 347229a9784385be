"""How the firmware sends its replies: one place, and a line that may be busy.

Firmware 2.0.0 keeps one pending reply; the next command replaces it. It waits once for the frame
that is being sent. Firmware 1.0.0 sends each reply at once, whatever the line is doing.
"""

from math import inf

from firmware_protocol.transmitter import Transmitter

TURN_TIME = 0.0001
"""Seconds from an event to what it scheduled; about one byte on the line."""


class ReplySlot:
    """The replies that are due. has_room: all of them are kept, as firmware 1.0.0 does."""

    def __init__(self, transmitter: Transmitter, *, has_room: bool) -> None:
        self.deadline = inf
        """When `send` is to be called; inf: nothing is due."""
        self._transmitter = transmitter
        self._has_room = has_room
        self._frames: list[bytes] = []
        self._waits_for_line = False

    def put(self, frame: bytes, at: float) -> bool:
        """A reply that is due at this time. Has it replaced another one?"""
        replaces = bool(self._frames) and not self._has_room
        if self._frames:
            at = max(at, self.deadline)
        if replaces:
            self._frames.clear()
        self._frames.append(frame)
        self.deadline = at
        return replaces

    def report_was_lost(self, now: float) -> None:
        """The firmware's driver says "sent" of a frame that it has just thrown away."""
        if self._waits_for_line and self._transmitter.sent_at <= now:
            self.deadline = now + TURN_TIME

    def send(self, now: float) -> tuple[int, int]:
        """Send what is due, or wait for the line. Returns how many were sent, and how many lost."""
        sent_at = self._transmitter.sent_at
        if sent_at > now and not self._waits_for_line and not self._has_room:
            self._waits_for_line = True
            self.deadline = sent_at + TURN_TIME
            return 0, 0
        self._waits_for_line = False
        taken = [self._transmitter.send(frame, now, is_reply=True) for frame in self._frames]
        self._frames.clear()
        self.deadline = inf
        return taken.count(True), taken.count(False)
