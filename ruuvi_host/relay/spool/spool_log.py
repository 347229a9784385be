"""The log lines of a spool. Trouble that lasts gets one line a minute."""

import logging
from collections.abc import Callable
from pathlib import Path

from ruuvi_host.errors import SpoolError
from ruuvi_host.logs import Repeated
from ruuvi_host.relay.spool.values import DiskFull, Event, Left, Notice, Reason

log = logging.getLogger(__name__)


class SpoolLog:
    """Log lines about the spool at `path`. state: what to add to each line about trouble."""

    def __init__(
        self, path: Path, state: Callable[[], str], monotonic: Callable[[], float]
    ) -> None:
        self._path = path
        self._name = path.stem
        self._state = state
        self._trouble = Repeated(clock=monotonic)
        self._loss = Repeated(clock=monotonic)

    def report(self, events: tuple[Event, ...], error: SpoolError | None) -> None:
        """What happened during a job, and why it failed."""
        left = dict.fromkeys(Reason, 0)
        disk_full = False
        for event in events:
            match event:
                case Notice(sentence):
                    log.error("%s: %s", self._name, sentence)
                case Left(reason, batches):
                    left[reason] += len(batches)
                case DiskFull():
                    disk_full = True
        if disk_full or left[Reason.FULL]:
            what = "the disk is full" if disk_full else "it is full"
            if left[Reason.FULL]:
                self._tell(self._loss, f"{self._path}: {what}, the oldest batches leave")
            else:
                self.trouble(f"{self._path}: {what}")
        if left[Reason.AGED]:
            log.warning("%s: too old to be sent: batches %d", self._name, left[Reason.AGED])
        if left[Reason.UNREADABLE]:
            log.error("%s: unreadable: batches %d", self._name, left[Reason.UNREADABLE])
        if error:
            self.trouble(str(error))

    def trouble(self, what: str) -> None:
        self._tell(self._trouble, what)

    def _tell(self, repeated: Repeated, what: str) -> None:
        if times := repeated.due():
            since = f" ({times} times since the last message)" if times > 1 else ""
            log.error("%s: %s%s; %s", self._name, what, since, self._state())
