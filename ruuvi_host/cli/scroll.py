"""Which rows of a long table are on the screen, moved by keys."""

import os
import re
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_KEY = re.compile(rb"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|[\x00-\xff]", re.DOTALL)
_LINES = {b"\x1b[A": -1, b"\x1bOA": -1, b"k": -1, b"\x1b[B": 1, b"\x1bOB": 1, b"j": 1}
_LINES |= {b"\n": 1, b"\r": 1}
_PAGES = {b"\x1b[5~": -1, b"b": -1, b"\x1b[6~": 1, b" ": 1}
_BEGIN = {b"g", b"\x1b[H", b"\x1b[1~", b"\x1bOH"}
_END = {b"G", b"\x1b[F", b"\x1b[4~", b"\x1bOF"}
QUIT = b"q"


class Scroll:
    """The first row that is shown. Pure."""

    def __init__(self) -> None:
        self.first = 0
        self._rows = 0
        self._page = 1

    def settle(self, rows: int, page: int) -> None:
        """There are so many rows, and the screen has room for about so many."""
        self._rows, self._page = rows, max(page, 1)
        # Line by line to the very last: rows may take more lines than the others did.
        self.first = max(0, min(self.first, rows - 1)) if rows > self._page else 0

    def press(self, typed: bytes) -> bool:
        """What was typed. Returns whether to quit."""
        for key in _KEY.findall(typed):
            if key == QUIT:
                return True
            last_page = max(self._rows - self._page, 0)
            if key in _BEGIN:
                self.first = 0
            elif key in _END:
                self.first = last_page
            elif pages := _PAGES.get(key, 0):
                self.first = min(self.first + pages * self._page, max(last_page, self.first))
            self.first += _LINES.get(key, 0)
            self.settle(self._rows, self._page)
        return False


@contextmanager
def single_keys(fd: int = 0) -> Iterator[bool]:
    """Keys are had one by one, and not shown, while the block runs; Ctrl-C stays what it is.

    False: this is not a terminal that we are in front of, and there are no keys.
    """
    try:
        before = termios.tcgetattr(fd)
        if os.tcgetpgrp(fd) != os.getpgrp():  # in the background it would stop us
            raise OSError
    except (OSError, termios.error):
        yield False
        return
    keys = termios.tcgetattr(fd)
    keys[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(fd, termios.TCSADRAIN, keys)
    try:
        yield sys.stdin is not None
    finally:
        with suppress(OSError, termios.error):  # it was closed
            termios.tcsetattr(fd, termios.TCSADRAIN, before)
