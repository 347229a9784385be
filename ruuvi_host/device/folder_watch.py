"""Wakes who waits for a port when something changes among the device nodes (inotify).

A few lines of ctypes: the libraries for it are larger than the task, and it is an extra. Where it
cannot be had the port is looked for every second all the same.
"""

import asyncio
import ctypes
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Self

# linux/inotify.h. ATTRIB: udev gives a new node its group and mode a moment after it was made.
_CREATE, _MOVED_TO, _ATTRIB, _DELETE = 0x100, 0x80, 0x4, 0x200
_BUFFER = 4096


class FolderWatch:
    """A context manager, in a running loop. Folders that do not exist are no error.

    folders: what to watch; of one that is missing the nearest one above it (udev removes the
    folders of /dev/serial with the last link in them).
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = folders
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._fd = -1
        self._watched: set[str] = set()
        self._add = ctypes.CDLL(None, use_errno=True).inotify_add_watch

    def __enter__(self) -> Self:
        with suppress(AttributeError):
            flags = os.O_NONBLOCK | os.O_CLOEXEC
            self._fd = ctypes.CDLL(None, use_errno=True).inotify_init1(flags)
        if self._fd >= 0:
            self._watch()
            self._loop.add_reader(self._fd, self._read)
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    async def wait(self, timeout: float) -> bool:
        """Until something has changed, or for `timeout` seconds. Has it?"""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        changed = self._changed.is_set()
        self._changed.clear()
        return changed

    def _watch(self) -> None:
        for folder in self._folders:
            while not os.path.isdir(folder) and len(folder) > 1:
                folder = os.path.dirname(folder)
            if folder and folder not in self._watched:
                mask = _CREATE | _MOVED_TO | _ATTRIB | _DELETE
                if self._add(self._fd, os.fsencode(folder), mask) >= 0:
                    self._watched.add(folder)

    def _read(self) -> None:
        with suppress(OSError):
            os.read(self._fd, _BUFFER)
        self._watched.clear()  # adding one twice is harmless, and a removed one forgets itself
        self._watch()
        self._changed.set()
