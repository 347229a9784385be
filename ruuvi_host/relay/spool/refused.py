"""Bodies that a server refused, for a person to look at: a small folder, the oldest leave."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from ruuvi_host import private_files

MAX_FILES = 100


def keep(folder: Path, name: str, body: bytes, max_bytes: int) -> str | None:
    """Write `body` into `folder` (0700) as `name` (0600). What went wrong, if anything.

    max_bytes: bound on the folder; a body that is larger alone is cut.
    """
    try:
        _keep(folder, name, body, max_bytes)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _keep(folder: Path, name: str, body: bytes, max_bytes: int) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if not stat.S_ISDIR(folder.lstat().st_mode):  # files would be deleted elsewhere
        raise OSError(errno.ENOTDIR, "it is not a folder")
    body = body[:max_bytes]
    files = sorted(
        ((stat.st_mtime_ns, stat.st_size, path) for path, stat in _files(folder)), reverse=True
    )
    total = len(body)
    for number, (_, size, path) in enumerate(files, 1):
        total += size
        if total > max_bytes or number >= MAX_FILES:
            path.unlink(missing_ok=True)
    with open(folder / name, "wb", opener=private_files.opener) as file:
        file.write(body)


def _files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    found = []
    for path in folder.iterdir():
        with suppress(OSError):
            found.append((path, path.lstat()))
    return found
