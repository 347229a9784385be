"""Time, as a thing that can be passed in: what waits and stamps takes a Clock."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic seconds for waiting and ages, wall seconds for what others see."""

    def monotonic(self) -> float: ...

    def wall(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The clock of this machine."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)
    sleep = staticmethod(asyncio.sleep)
