"""The times of a session: its constants, and the small machines that have a deadline.

All times are monotonic seconds of the caller; inf: never.
"""

from collections import deque
from dataclasses import dataclass
from math import inf

from firmware_protocol.messages import GetDeviceId, LedCtrl

WATCHDOG = 19.0
"""Seconds without a report after which a reboot is the coprocessor's own watchdog: a second less
than the shorter one of the two (42 s, and 20 s up to firmware 1.0.0)."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds and counts. The defaults, and why."""

    ack_timeout: float = 0.25
    """The ESP32 takes 0.1 s; USB adapters hold data back for up to 16 ms each way, and the ACK of
    SET_ALL waits for a restart of the scan."""
    tries: int = 4
    """Of one command, before GET_DEVICE_ID is asked in between."""
    timeouts_to_fail: int = 10
    """In a row: the link is down. As on the ESP32."""
    reporting_factor: int = 3
    """Times as many while reports come in. In dense traffic the coprocessor loses answers as it
    loses reports: two thirds of them at 400 advertisements a second, so that ten in a row are lost
    every few minutes, but thirty only once in some days. (Simulated, by the firmware's rule.)"""
    idle: float = 0.05
    """Quiet time after which an incomplete frame is given up: the longest lasts 22 ms. For network
    bridges 0.5 s."""
    heartbeat: float = 10.0
    """Quiet time (without any answer; reports do not count) after which it is probed: reports
    alone do not prove that the coprocessor still receives. inf: never."""
    quiet: float = 50.0
    """Without a report, reboots notwithstanding, until the event `Quiet`. As on the ESP32."""
    reboots_at_once: int = 3
    reboot_window: float = 3.0
    """At most so many GET_ALL are answered at once within so many seconds; a later one waits."""


class Heartbeat:
    """When to ask for a sign of life, and with which command.

    interval: seconds after the last answer. command: GET_DEVICE_ID, or LED_CTRL, which only
    firmware from 0.5 on understands.
    """

    def __init__(self, interval: float, command: GetDeviceId | LedCtrl) -> None:
        self.command = command
        self.deadline = interval
        """When the question is due."""
        self.answered_at = 0.0
        """When any command was last answered; 0.0: never."""
        self._interval = interval
        self._led_understood = False

    def answered(self, now: float) -> None:
        """Some command was answered."""
        self.answered_at = now
        self.deadline = now + self._interval

    def led_answered(self) -> None:
        """The firmware understands LED_CTRL."""
        self._led_understood = True

    def led_unanswered(self) -> None:
        """It answers GET_DEVICE_ID, and did not answer the question before."""
        if not self._led_understood:
            self.command = GetDeviceId()


class RebootLimit:
    """At most `at_once` answers to GET_ALL within `window` seconds; a later one waits.

    GET_ALL may be forged by an advertiser; see session.py.
    """

    def __init__(self, at_once: int, window: float) -> None:
        self.deadline = inf
        """When a GET_ALL is to be answered; inf: none is."""
        self._window = window
        self._answered: deque[float] = deque(maxlen=at_once)

    def asked(self, now: float) -> None:
        """A GET_ALL that has to be answered."""
        is_full = len(self._answered) == self._answered.maxlen
        self.deadline = self._answered[0] + self._window if is_full else now

    def may_answer(self, now: float) -> bool:
        """Is there one, and is its time come? It then counts as answered."""
        if now < self.deadline:
            return False
        self.deadline = inf
        self._answered.append(now)
        return True

    def stop(self) -> None:
        """Nothing is to be answered any more."""
        self.deadline = inf


class ReportWatch:
    """When the last reports came, and what it means when there are none.

    quiet: seconds without any, while it is configured, until this is to be reported.
    """

    def __init__(self, quiet: float) -> None:
        self.deadline = inf
        """When it has been quiet for so long; inf: that is reported, or it is not configured."""
        self._quiet = quiet
        self._any_at = -inf
        self._report_at: float | None = None  # or when it was configured, until the first one
        self._configured_at = 0.0

    def received(self, now: float, *, configured: bool) -> None:
        """Reports came in; only those of a configured coprocessor end a quiet time."""
        self._any_at = now
        if configured:
            self._report_at = now
            self.deadline = now + self._quiet

    def configured(self, now: float) -> None:
        """From here on reports are expected."""
        self._configured_at = now
        if self._report_at is None:
            self._report_at = now
            self.deadline = now + self._quiet

    def is_quiet(self, now: float) -> bool:
        """Is that to be reported now? Once, until reports come again."""
        if now < self.deadline:
            return False
        self.deadline = inf
        return True

    def explains_reboot(self, now: float) -> bool:
        """Was there nothing to report for so long that its own watchdog has rebooted it?"""
        return now - max(self._report_at or 0.0, self._configured_at) >= WATCHDOG

    def is_reporting(self, now: float, within: float) -> bool:
        """Did any report come in the last `within` seconds, configured or not?"""
        return now - self._any_at < within

    def stop(self) -> None:
        """No reports are expected any more."""
        self.deadline = inf
        self._report_at = None
