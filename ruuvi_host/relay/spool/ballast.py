"""Room set aside on the disk: without any, nothing can even be deleted from a database."""

import os
from contextlib import closing, suppress
from pathlib import Path

from ruuvi_host import private_files

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
        if self.taken >= size:
            return
        with suppress(OSError):
            ballast = private_files.opener(str(self._path), os.O_CREAT | os.O_WRONLY)
            with closing(os.fdopen(ballast, "wb")):
                while size >= _LEAST:
                    try:
                        os.posix_fallocate(ballast, 0, size)
                        break
                    except OSError:
                        os.ftruncate(ballast, 0)
                        size //= 2

    @property
    def taken(self) -> int:
        """Bytes of it that there are."""
        try:
            return self._path.lstat().st_size
        except OSError:
            return 0
