"""A disk that takes nothing, for this process."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def nothing_can_be_written() -> Iterator[None]:
    """To any file, as far as it would become longer: that fails with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
