"""Our own host on the line: a Supervisor in a thread, and what it noticed, with its times."""

import asyncio
import threading
import time
from types import TracebackType
from typing import NamedTuple, Self

from firmware_protocol.events import Event, Identified, Ready, Rebooted, Received
from firmware_protocol.messages import DeviceId, SetAll
from ruuvi_host.clock import SystemClock
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.device.supervisor import Supervisor
from ruuvi_host.monitoring.counters import LinkCounters

from .wire import NoAnswerError

TIMEOUT = 45.0
"""Seconds; the longest pause of a supervisor is 30."""


class Noticed(NamedTuple):
    """Something that the host noticed: "identified", "ready" or "rebooted"."""

    at: float
    what: str


class Host:
    """A context manager. `reports` counts what was delivered."""

    def __init__(self, path: str, settings: SetAll, baud: int) -> None:
        self.device: DeviceId | None = None
        self.reports = 0
        self._noticed: list[Noticed] = []
        self._looked_at = 0
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        coprocessor = CoprocessorSettings(port=path, baud=baud)
        self._supervisor = Supervisor(coprocessor, settings, self._on_event, SystemClock())
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._live, name="host", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    @property
    def counters(self) -> LinkCounters:
        """The supervisor's."""
        return self._supervisor.counters

    def wait(self, what: str, timeout: float = TIMEOUT) -> Noticed:
        """The next time that it notices this, of what no earlier wait has looked at."""
        until = time.monotonic() + timeout
        with self._changed:
            while True:
                while self._looked_at < len(self._noticed):
                    noticed = self._noticed[self._looked_at]
                    self._looked_at += 1
                    if noticed.what == what:
                        return noticed
                if self._failure:
                    raise self._failure
                if not self._changed.wait(max(until - time.monotonic(), 0)):
                    seen = ", ".join(noticed.what for noticed in self._noticed) or "nothing"
                    raise NoAnswerError(f"the host was not {what} in {timeout:g} s, but: {seen}")

    def wait_for_reports(self, count: int, timeout: float = TIMEOUT) -> None:
        """Wait until so many more have been delivered."""
        with self._changed:
            wanted = self.reports + count
            if not self._changed.wait_for(lambda: self.reports >= wanted, timeout):
                raise NoAnswerError(f"{count} reports did not come in {timeout:g} s")

    def _on_event(self, event: Event, now: float) -> None:
        """What the supervisor tells, in the thread."""
        match event:
            case Received(reports):
                with self._changed:
                    self.reports += len(reports)
                    self._changed.notify_all()
            case Identified(device):
                self.device = device
                self._note("identified")
            case Ready():
                self._note("ready")
            case Rebooted():
                self._note("rebooted")

    def _note(self, what: str) -> None:
        with self._changed:
            self._noticed.append(Noticed(time.monotonic(), what))
            self._changed.notify_all()

    def _live(self) -> None:
        self._task = self._loop.create_task(self._supervisor.run(), name="supervisor")
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
