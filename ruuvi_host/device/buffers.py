"""What waits in a port, both ways: bounded, and counted."""

import asyncio

MOST_UNREAD = 1 << 16
"""Bytes that came in and that nobody has taken yet: five seconds at 115200 baud. With more, reading
is paused: a network holds the others back, a UART counts what it loses."""
MOST_UNSENT = 1 << 14
"""Bytes that the port has not taken. A session sends some hundred, then it gives up."""


class Buffers:
    """Of one open port."""

    def __init__(self) -> None:
        self.pauses = 0
        """Times that reading was paused."""
        self.unsent = 0
        """Bytes to send that were dropped."""
        self._unread: list[bytes] = []
        self._size = 0
        self._paused: asyncio.Transport | None = None

    def __bool__(self) -> bool:
        """Has anything come in?"""
        return bool(self._unread)

    def add(self, data: bytes, transport: asyncio.Transport | None) -> None:
        """Something came in."""
        self._unread.append(data)
        self._size += len(data)
        if self._size >= MOST_UNREAD and transport and not self._paused:
            self.pauses += 1
            self._paused = transport
            transport.pause_reading()

    def take(self) -> bytes:
        """All that came in. Reading goes on."""
        data = b"".join(self._unread)
        self._unread.clear()
        self._size = 0
        if self._paused:
            self._paused.resume_reading()
            self._paused = None
        return data

    def may_send(self, data: bytes, transport: asyncio.Transport) -> bool:
        """Is there room for more? If not, `data` counts as dropped."""
        if transport.get_write_buffer_size() < MOST_UNSENT:
            return True
        self.unsent += len(data)
        return False
