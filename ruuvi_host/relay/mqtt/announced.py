"""The topics on which Home Assistant was told of something, so that it can be taken back: after a
restart, too, and with other settings. A file with a topic a line. Everything here blocks."""

import logging
import threading
from collections.abc import Iterable
from pathlib import Path

from ruuvi_host import private_files

log = logging.getLogger(__name__)

_one_at_a_time = threading.Lock()
"""A thread goes on when nobody waits for it any more, and the last one must have the last word."""
_LONGEST = 8 << 20
"""Bytes. Ten thousand sensors take less than one."""


def path_of(folder: Path, target: str) -> Path:
    """Where those of a target are kept. folder: of the state."""
    return folder / f"{target}.announced"


def load(path: Path | None) -> set[str]:
    """Empty: nothing is known. That it cannot be read is told, and no more than that."""
    if path is None:
        return set()
    try:
        return set(private_files.read_whole(path, _LONGEST).decode().splitlines())
    except FileNotFoundError:
        return set()
    except (OSError, ValueError) as error:
        log.warning("%s: cannot be used (%s); it is made anew", path, error)
        return set()


def save(path: Path | None, topics: Iterable[str]) -> None:
    """Without topics there is no file. Failing at it is only worth a warning."""
    if path is None:
        return
    text = "".join(f"{topic}\n" for topic in sorted(topics))
    with _one_at_a_time:
        try:
            if text:
                private_files.replace(path, text.encode())
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s: cannot be written: %s", path, error.strerror)
