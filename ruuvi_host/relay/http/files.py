"""Files that belong to a target: they may change, appear and vanish while the host runs."""

import os
import stat
from pathlib import Path

from ruuvi_host.relay.http.outcome import NotDelivered, Step
from ruuvi_host.relay.sink import Verdict

LARGEST = 1 << 20
"""Bytes. More than any bundle of authorities of a user's own."""

Fingerprint = tuple[object, ...]


def fault(reason: str) -> NotDelivered:
    """Nothing can be sent before a person has fixed a file."""
    return NotDelivered(Verdict.FIX, Step.FILES, reason)


def read_file(path: Path, what: str) -> bytes:
    """The content of a regular file. May block. Raises NotDelivered naming the file."""
    try:
        with open(path, "rb", buffering=0, opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise fault(f"the {what} {path} is no file")
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise fault(f"the {what} {path} does not exist") from None
    except IsADirectoryError:
        raise fault(f"the {what} {path} is a folder, not a file") from None
    except PermissionError:
        raise fault(f"the {what} {path} may not be read by this user") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise fault(f"the {what} {path} cannot be read: {reason}") from None
    if len(data) > LARGEST:
        raise fault(f"the {what} {path} is larger than {LARGEST} bytes")
    return data


def fingerprint(path: Path | str | None) -> Fingerprint:
    """Changes when the file does. A file that is not there has one, too."""
    if path is None:
        return ()
    try:
        s = os.stat(path)
    except (OSError, ValueError):
        return (None,)
    return s.st_mtime_ns, s.st_ctime_ns, s.st_size, s.st_ino, s.st_dev


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a named pipe would wait for its writer
