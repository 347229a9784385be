"""A bridge between a board's pty and a host, which damages what the board sends."""

import os
import select
import threading
import tty
from typing import Self

from damages import Damaging
from lines import Pty


class DamagedLine:
    """`path` is what a host opens. A context manager.

    port: of the board. damaging: done to each read of what the board sends. greeting: sent first,
    as soon as the board is open.
    """

    def __init__(self, port: str, damaging: Damaging, greeting: bytes = b"") -> None:
        self._pty = Pty()
        self.path = self._pty.path
        self._board = os.open(port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._board)
        self._damaging = damaging
        self._greeting = greeting
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._carry)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._stopped, b"x")
        self._thread.join()
        for line in (self._board, self._stop, self._stopped):
            os.close(line)
        self._pty.__exit__()

    def _carry(self) -> None:
        board, host, is_new, is_there = self._board, self._pty.master, True, False
        pending = b""
        """For a host that does not read at the moment: else it would see other damage, too."""
        while True:
            # While nobody has opened it, a pty is always readable, with an error.
            readable = [self._stop, *([host] if is_there else []), *([] if pending else [board])]
            writable = [host] if pending else []
            ready, _, _ = select.select(readable, writable, [], None if is_there else 0.01)
            if self._stop in ready:
                return
            data = b""
            try:
                data, is_there = os.read(host, 4096), True
            except BlockingIOError:
                is_there = True
            except OSError:
                is_there, is_new, pending = False, True, b""
            if data and is_new:
                pending += self._greeting
            is_new = is_new and not data
            os.write(board, data)
            if board in ready:
                pending += self._damaging(os.read(board, 4096))
            try:
                pending = pending[os.write(host, pending) :]
            except BlockingIOError:
                continue
            except OSError:  # nobody is there
                pending = b""
