"""Where blocking work is done: a thread of its own, one job after the other."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol


class Disk(Protocol):
    """Where blocking work is done, one after the other."""

    def submit(self, job: Callable[[], None]) -> None: ...

    def stop(self) -> None:
        """When all that was submitted is done."""
        ...


class DiskThread:
    """A thread that works off what it is given. A disk that hangs must not hold up the end of the
    process, so nobody waits for it there."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)

    def stop(self) -> None:
        self._jobs.put(None)

    def _work(self) -> None:
        while job := self._jobs.get():
            job()
