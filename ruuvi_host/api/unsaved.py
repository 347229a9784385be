"""Files beside the configuration that are only tried: in memory, for as long as a check takes.

OpenSSL reads certificates from files. These have a path, and no disk gets to see them.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ruuvi_host.config.file_places import FilePlaces

_OPEN = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class TrialPlaces(FilePlaces):
    """unsaved: name → where the file is that counts in place of the stored one."""

    unsaved: Mapping[str, Path] = field(default_factory=dict)

    def find(self, name: str) -> Path | None:
        path = self.unsaved.get(name)
        return FilePlaces.find(self, name) if path is None else path


@contextmanager
def in_memory(files: Mapping[str, str | None]) -> Iterator[dict[str, Path]]:
    """name → path, until the end of the block. None in place of a text: a path where nothing is."""
    with ExitStack() as stack:
        paths = {}
        for name, text in files.items():
            paths[name] = _OPEN / name
            if text is not None:
                fd = os.memfd_create(name, os.MFD_CLOEXEC)
                stack.callback(os.close, fd)
                with open(fd, "wb", closefd=False) as file:
                    file.write(text.encode("utf-8", "replace"))
                paths[name] = _OPEN / str(fd)
        yield paths
