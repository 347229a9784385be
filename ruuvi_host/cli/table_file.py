"""The file of a table: under its name when it is complete, and not before; CSV, or Parquet.

Parquet is made of the same CSV, by a process of its own that reads it from a pipe.
"""

from __future__ import annotations

import os
import signal
import stat
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from ruuvi_host.errors import ConfigError, RuuviHostError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextmanager
def table_file(path: str, as_parquet: bool) -> Iterator[int]:
    """A file descriptor that takes the table as CSV.

    The file is kept if the block ends well; otherwise what was there stays as it was. Raises
    ConfigError: no file can be there, or pyarrow is missing.
    """
    if as_parquet:
        from ruuvi_host.cli.parquet import parquet_writer, require

        require()
    final = os.path.realpath(path)  # a link stays a link
    temporary = f"{final}.{os.getpid()}.part"
    fd = -1
    for number in (signal.SIGTERM, signal.SIGHUP):  # what is unfinished would stay
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, partial(_end, os.getpid()))
    try:
        try:
            fd = _open(path, final, temporary)
            if as_parquet:
                with parquet_writer(temporary) as pipe:
                    yield pipe
            else:
                yield fd
            os.fsync(fd)
        finally:
            if fd >= 0:
                os.close(fd)
        os.replace(temporary, final)
    except BaseException as error:
        with suppress(OSError, ValueError):  # it may be interrupted before it is there
            os.unlink(temporary)
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise RuuviHostError(f"{path}: {error.strerror}") from error
        raise


def _end(first: int, number: int, frame: FrameType | None) -> None:
    if os.getpid() != first:  # of the processes that share the work, the first one cleans up
        os._exit(128 + number)
    raise SystemExit(128 + number)


def _open(path: str, final: str, temporary: str) -> int:
    try:
        if not path or (os.path.exists(final) and not stat.S_ISREG(os.stat(final).st_mode)):
            raise ConfigError(path or "OUT", "is not a file")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(temporary, flags, 0o666)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError(path, why) from error
