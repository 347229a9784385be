"""Room set aside on the disk: without any, nothing can even be deleted from a database."""

import os
from contextlib import closing, suppress
from pathlib import Path

_LEAST = 4096


class Ballast:
    """A file of no content. `size`: bytes."""

    def __init__(self, path: Path, size: int) -> None:
        self.size = size
        self._path = path

    def give_up(self) -> None:
        with suppress(OSError):
            self._path.unlink()

    def take(self) -> None:
        """As much of it as there is room for."""
        size = self.size
        if self._taken() >= size:
            return
        with suppress(OSError):
            ballast = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600)
            with closing(os.fdopen(ballast, "wb")):
                while size >= _LEAST:
                    try:
                        os.posix_fallocate(ballast, 0, size)
                        break
                    except OSError:
                        os.ftruncate(ballast, 0)
                        size //= 2

    def _taken(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0
