"""An event loop whose time stands still until a test lets some pass: a time-out comes after all
that is to come before it, however slow the machine is. Sockets and threads are real.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")

TURNS = 20
"""Of the loop, in which both ends of a connection in this process do all that they can do."""


PATIENCE = 40.0
"""Seconds of this machine after which time goes by itself: what hangs, as nobody moves it, ends."""


class StandingLoop(asyncio.SelectorEventLoop):
    """Its time is moved, and does not go by itself."""

    def __init__(self) -> None:
        self._moved = 0.0
        self._until = monotonic() + PATIENCE
        super().__init__()

    def time(self) -> float:
        return self._moved + max(monotonic() - self._until, 0.0)

    def move(self, seconds: float) -> None:
        self._moved += seconds


def standing(main: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run, in such a loop."""
    with asyncio.Runner(loop_factory=StandingLoop) as runner:
        return runner.run(main)


async def pass_time(seconds: float) -> None:
    """What is under way goes on, and then it is so much later. In an ordinary loop: a sleep."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, StandingLoop):
        await asyncio.sleep(seconds)
        return
    for _ in range(TURNS):
        await asyncio.sleep(0)
    loop.move(seconds)
    await asyncio.sleep(0)


@asynccontextmanager
async def passing(step: float) -> AsyncIterator[None]:
    """Time passes meanwhile, by so many seconds whenever TURNS turns are over."""

    async def pass_on() -> None:
        while True:
            await pass_time(step)

    task = asyncio.create_task(pass_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
