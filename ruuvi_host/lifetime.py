"""Running a command until a signal stops it: signals, tasks, helper threads."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from math import inf
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAME_SIGNAL = 0.5
"""Seconds in which further signals count as the same one."""


def run_until_stopped(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` until it ends. SIGINT or SIGTERM cancels it, and it may then clean up.

    A second signal ends the process at once; not one that comes together with the first, as when a
    shell and its child both get one. `main` need not catch the cancellation.
    """
    with asyncio.Runner() as runner, suppress(asyncio.CancelledError):
        runner.run(_stoppable(main))


def run_once(main: Coroutine[Any, Any, T]) -> T:
    """Run `main`, which ends by itself. A name look-up that hangs does not delay the end."""

    async def watched() -> T:
        asyncio.get_running_loop().set_default_executor(DaemonThreads())
        return await main

    return asyncio.run(watched())


async def _stoppable(main: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(DaemonThreads())
    task = asyncio.current_task()
    assert task is not None
    stopped_at = inf

    def stop(number: int, frame: object) -> None:
        nonlocal stopped_at
        if monotonic() > stopped_at + SAME_SIGNAL:
            os._exit(128 + number)
        if stopped_at == inf:
            stopped_at = monotonic()
            loop.call_soon_threadsafe(task.cancel)

    for number in STOP_SIGNALS:
        # Not by the loop: a second signal must work also while the loop is blocked, for instance
        # by a write to a pipe that is not read.
        signal.signal(number, stop)
    await main


@contextmanager
def on_signal(number: signal.Signals, then: Callable[[], None]) -> Iterator[None]:
    """Call `then` in the running loop whenever the signal comes."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(number, then)
    try:
        yield
    finally:
        loop.remove_signal_handler(number)


def has_terminal() -> bool:
    """Does this process have a terminal that still exists?"""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


async def together(**parts: Coroutine[Any, Any, None]) -> None:
    """Run all `parts`, each a task with its name, until one fails or we are cancelled.

    The error is raised as itself, not in an ExceptionGroup, so that callers can catch it.
    """
    failures: list[Exception] = []
    try:
        async with asyncio.TaskGroup() as tasks:
            for name, part in parts.items():
                tasks.create_task(part, name=name)
    except* Exception as group:
        failures.extend(
            group.exceptions
        )  # the other parts were cancelled: nearly always there is one error
    if failures:
        raise failures[0]


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel `tasks` and wait until they have ended, also when we are cancelled meanwhile."""
    for task in tasks:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while any(not task.done() for task in tasks):
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled


async def closed(server: asyncio.Server) -> None:
    """Listen no longer, also when we are cancelled meanwhile.

    `close` alone is too early for whoever was accepted in this turn of the loop: asyncio would take
    them up in the next one, fail, and leave an open socket behind; from Python 3.13 on with a
    traceback. Source: issue 109564 of CPython.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    try:
        await asyncio.sleep(0)
    finally:
        server.close()


async def shielded(task: "asyncio.Task[None]") -> None:
    """Wait for a task that somebody else ends: it goes on when we are cancelled."""
    await asyncio.shield(task)


async def beat(seconds: float) -> None:
    """Sleep for about so long, until a common beat: all who look around so often do it in one turn
    of the loop, which wakes the processor once. Never less than a tenth of `seconds`."""
    rest = seconds - asyncio.get_running_loop().time() % seconds
    await asyncio.sleep(rest if rest >= seconds / 10 else rest + seconds)


async def to_its_end(part: Coroutine[Any, Any, None]) -> None:
    """Run `part` to its end, also when we are cancelled meanwhile; `part` must not take long."""
    task = asyncio.ensure_future(part)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled:
        raise cancelled


class DaemonThreads(ThreadPoolExecutor):
    """An executor whose threads are not waited for at the end of the process.

    A name look-up, or opening a port, can hang for half a minute in the system. The host must not
    wait for it when it stops.
    """

    def submit(  # type: ignore[override]  # positional parameters as asyncio passes them
        self, fn: Callable[..., T], *args: Any, **kwargs: Any
    ) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # passed on to the waiter, as every executor does
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, name="helper", daemon=True).start()
        return future
