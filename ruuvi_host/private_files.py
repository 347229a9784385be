"""Files of our own in a folder that others might write to: read and replaced without being led
elsewhere by a symbolic link, and safe against a power cut.

A name that is a link, a pipe or a device is an error, and is told as such; it is never followed.
So is one of two names of a file that is to be written: the other may be anywhere.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

_WITHOUT_WAITING = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""A pipe in the place of a file would be waited for."""


def opener(path: str, flags: int) -> int:
    """For `open`: the file is this user's alone if it is made, and no link. Raises OSError."""
    fd = os.open(path, (flags | _WITHOUT_WAITING) & ~os.O_TRUNC, 0o600)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a file")
        if flags & os.O_ACCMODE != os.O_RDONLY and found.st_nlink > 1:
            raise OSError(errno.EMLINK, f"{os.path.basename(path)} has a second name (a hard link)")
        if flags & os.O_TRUNC:  # not before it is known what it is
            os.ftruncate(fd, 0)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read(path: Path, longest: int = 1 << 20) -> bytes:
    """At most `longest` bytes of it. Raises OSError."""
    with open(path, "rb", opener=opener) as file:
        return file.read(longest)


def read_whole(path: Path, longest: int) -> bytes:
    """All of it. Raises OSError, and ValueError if it is longer."""
    content = read(path, longest + 1)
    if len(content) > longest:
        raise ValueError(f"longer than {longest} bytes")
    return content


def replace(path: Path, content: bytes) -> None:
    """Write all of it, or nothing: after a power cut it is the old file or the new one.

    Raises OSError; the file is then as it was.
    """
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)  # of a run that was killed, or a trap
    try:
        with open(temporary, "wb", opener=_new) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """What it names is there after a power cut. Raises OSError when there is no such folder."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some file systems cannot, and need not
            os.fsync(folder)
    finally:
        os.close(folder)


def _new(path: str, flags: int) -> int:
    return opener(path, flags | os.O_EXCL)
