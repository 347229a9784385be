"""Certificates, keys and extra parts, as the local API reads, writes and removes them."""

import errno
import os
from pathlib import Path

from ruuvi_host.config.files import remove, write_private
from ruuvi_host.config.sources import Sources
from ruuvi_host.config.store import LONGEST, NOT_OURS_TO_WRITE


def read_file(sources: Sources, name: str) -> bytes | None:
    """What is in it; None: it is not there. Raises OSError."""
    path = sources.places.find(name)
    if path is None:
        return None
    with open(path, "rb", opener=_without_waiting) as file:
        return file.read(LONGEST)


def write_file(sources: Sources, name: str, content: bytes) -> None:
    """Where it is, else in the first folder that can be written. Atomically, for its owner alone.

    Raises OSError; nothing has changed then.
    """
    present = sources.places.find(name)
    others = (folder / name for folder in sources.places.writing)
    paths = list(dict.fromkeys(path for path in (present, *others) if path))
    for path in paths:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(path, content)
            return
        except OSError as error:
            if error.errno not in NOT_OURS_TO_WRITE or path == paths[-1]:
                raise OSError(error.errno, error.strerror, str(path)) from error
    raise OSError(errno.ENOENT, "there is no folder for it", name)


def delete_file(sources: Sources, name: str) -> bool:
    """False: it was not there. Raises OSError when one of that name stays."""
    found = sources.places.all_of(name)
    for path in reversed(found):  # the user's first, which may not be ours to remove
        try:
            remove(path)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
    return bool(found)


def _without_waiting(path: str | Path, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
