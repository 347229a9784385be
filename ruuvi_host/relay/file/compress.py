"""Compresses a finished file, which takes a minute for a large one on a small machine."""

import gzip
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

PIECE = 1 << 20
"""Bytes that are read at a time; in between it can be told to stop."""
LEVEL = 6
"""As gzip does by itself."""


def compress(path: Path, stopped: Callable[[], bool]) -> None:
    """Replace NAME.jsonl by NAME.jsonl.gz, which has that name when it is complete. Blocks.

    stopped: asked now and then; if so, everything stays as it was. Raises OSError.
    """
    final = path.with_name(path.name + ".gz")
    part = path.with_name(f".{final.name}.part")  # of no interest to those who look for *.gz
    try:
        with open(path, "rb") as plain, open(part, "wb") as file:
            shutil.copymode(path, part)
            with gzip.GzipFile(
                path.name, "wb", LEVEL, file, mtime=os.fstat(plain.fileno()).st_mtime
            ) as packed:
                while piece := plain.read(PIECE):
                    if stopped():
                        return
                    packed.write(piece)
            file.flush()
            os.fsync(file.fileno())
        shutil.copystat(path, part)
        part.rename(final)
    finally:
        part.unlink(missing_ok=True)
    path.unlink()
    log.info("compressed %s", final)
