"""Bodies that a server refused, for a person to look at: a small folder, the oldest leave."""

import os
from contextlib import suppress
from pathlib import Path

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
    body = body[:max_bytes]
    files = sorted(
        ((stat.st_mtime_ns, stat.st_size, path) for path, stat in _files(folder)), reverse=True
    )
    total = len(body)
    for number, (_, size, path) in enumerate(files, 1):
        total += size
        if total > max_bytes or number >= MAX_FILES:
            path.unlink(missing_ok=True)
    opener = lambda path, flags: os.open(path, flags, 0o600)  # noqa: E731
    with open(folder / name, "wb", opener=opener) as file:
        file.write(body)


def _files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    found = []
    for path in folder.iterdir():
        with suppress(OSError):
            found.append((path, path.stat()))
    return found
