"""How many may do something that takes long: the others are told to come again."""

from collections.abc import Iterator
from contextlib import contextmanager


class BusyError(Exception):
    """Too many are at it."""


class Turns:
    """Lets `most` in at once. A waiting line would only move the limit to somewhere else: its
    clients give up meanwhile, and each of them holds a connection."""

    def __init__(self, most: int) -> None:
        self._left = most

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Raises BusyError."""
        if not self._left:
            raise BusyError
        self._left -= 1
        try:
            yield
        finally:
            self._left += 1
