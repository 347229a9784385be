"""Where blocking work is done: a thread of its own, one job after the other, asked by a loop."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Protocol, TypeVar

T = TypeVar("T")


class Disk(Protocol):
    """Where blocking work is done, one after the other."""

    def submit(self, job: Callable[[], None]) -> None: ...

    def stop(self) -> None:
        """When all that was submitted is done."""
        ...


class DiskThread:
    """A daemon thread: a disk that hangs must not hold up the end of the process."""

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


class DiskExecutor:
    """A disk as a loop uses it. There is no thread until something is to be done."""

    def __init__(self, name: str, make: Callable[[str], Disk]) -> None:
        self._name = name
        self._make = make
        self._disk: Disk | None = None

    @property
    def is_idle(self) -> bool:
        """There is no thread."""
        return self._disk is None

    async def run(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Call `work` there, and then `then` here with its result, even if the caller was cancelled
        meanwhile: what was begun must be accounted for."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def finished(outcome: Callable[[], T]) -> None:
            try:
                then(outcome())
            except Exception as error:  # handed to whoever waits, as every executor does
                if done.done():
                    raise
                done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(None)

        def job() -> None:
            outcome = _outcome(work)
            with suppress(RuntimeError):  # the loop has ended, and the process does
                loop.call_soon_threadsafe(finished, outcome)

        if self._disk is None:
            self._disk = self._make(self._name)
        self._disk.submit(job)
        await done

    def stop(self) -> None:
        """When all that was asked for is done."""
        if self._disk:
            self._disk.stop()
            self._disk = None


def _outcome(work: Callable[[], T]) -> Callable[[], T]:
    """Call it. The result is a function that returns or raises the same, in another thread."""
    try:
        result = work()
    except Exception as error:
        failure = error

        def fail() -> T:
            raise failure

        return fail
    return lambda: result
