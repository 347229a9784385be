"""How to bring a controller back: four rungs, each with its evidence.

Silence is not death: a cellar has no reports. So silence leads to rungs 1, 2 and 3 late and slowly,
and only while the controller answers; what it does not answer leads up at once, from 2 to 4. A
report with data leads back to the bottom.

The ladder outlives the transport: rung 3 closes and opens it, and the next life goes on where the
last one stood.
"""

from enum import IntEnum
from math import inf


class Rung(IntEnum):
    """What is done, the mildest first."""

    SCAN_ANEW = 1
    RESET = 2
    """HCI_Reset and all of the start; the coprocessor boots."""
    REOPEN = 3
    """The transport is closed and opened. By its owner: the session is spent."""
    POWER = 4
    """The product's own reset, or "unplug it". By its owner: the session is spent."""


FIRST_RUNGS = ((42.0, Rung.SCAN_ANEW), (84.0, Rung.RESET), (210.0, Rung.REOPEN))
"""Seconds of silence, and what is done then. 42 s is the watchdog of the firmware."""
SCAN_ANEW_EVERY = 42.0
REOPEN_EVERY = 600.0
"""After the last of them: seconds from one to the next."""
CALM = 600.0
"""Seconds without a fault after which the last one is forgotten, if there is nothing to hear."""


class Ladder:
    """Where on the ladder a controller stands. One for all lives of a transport.

    Silence counts while a scan is wanted: from `watch` to `pause`.
    """

    def __init__(self) -> None:
        self.rung: Rung | None = None
        """The highest one since there were reports with data."""
        self.is_first = False
        """Is the rung that was reached last higher than all since then?"""
        self._watched_since: float | None = None
        self._silent_before = 0.0  # seconds, in the times of watching before this one
        self._next = FIRST_RUNGS[0]
        self._reopened_at = 0.0  # in seconds of silence
        self._faults = 0
        self._fault_at = -inf

    @property
    def deadline(self) -> float:
        """When `due` has something; inf: it is not watching."""
        if self._watched_since is None:
            return inf
        return self._watched_since + self._next[0] - self._silent_before

    def silence(self, now: float) -> float:
        """Seconds without a report with data while a scan was wanted."""
        since = self._watched_since
        return self._silent_before + (0.0 if since is None else max(now - since, 0.0))

    def watch(self, now: float) -> None:
        """Reports are expected from here on."""
        if self._watched_since is None:
            self._watched_since = now

    def pause(self, now: float) -> None:
        """None are, until `watch`: the controller starts, or nothing is to be scanned."""
        self._silent_before = self.silence(now)
        self._watched_since = None

    def heard(self, now: float) -> Rung | None:
        """A report with data. The rung that it ends, if any."""
        ended, self.rung = self.rung, None
        self._silent_before = 0.0
        if self._watched_since is not None:
            self._watched_since = now
        self._next = FIRST_RUNGS[0]
        self._reopened_at = 0.0
        self._faults = 0
        return ended

    def due(self, now: float) -> Rung | None:
        """The rung that silence leads to now. Ask only when the controller has just answered.

        Who was stopped for long does not make up for it: from one rung to the next there is the
        time that the first one takes to show.
        """
        if now < self.deadline:
            return None
        silence = self.silence(now)
        _, rung = self._next
        if rung is Rung.REOPEN:
            self._reopened_at = silence
        self._next = self._following(rung, silence)
        return self._reached(rung)

    def fault(self, now: float, at_least: Rung = Rung.RESET) -> Rung:
        """A command was not answered, or worse. One rung higher each time."""
        if now - self._fault_at > CALM:
            self._faults = 0
            self.rung = None
        self._fault_at = now
        self._faults = max(self._faults + 1, at_least - 1)
        return self._reached(Rung(min(self._faults + 1, Rung.POWER)))

    def reset(self) -> Rung:
        """Rung 2 for another reason: the controller refuses to scan."""
        return self._reached(Rung.RESET)

    def _reached(self, rung: Rung) -> Rung:
        self.is_first = self.rung is None or rung > self.rung
        self.rung = max(self.rung or rung, rung)
        return rung

    def _following(self, rung: Rung, silence: float) -> tuple[float, Rung]:
        earliest = silence + SCAN_ANEW_EVERY
        for at, following in FIRST_RUNGS:
            if following > rung and not self._reopened_at:
                return max(at, earliest), following
        reopen_at = self._reopened_at + REOPEN_EVERY
        if earliest + SCAN_ANEW_EVERY > reopen_at:
            return max(reopen_at, earliest), Rung.REOPEN
        return earliest, Rung.SCAN_ANEW
