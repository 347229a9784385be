"""Which rejected connections get a line: whoever connects without end must not fill the output."""

from collections.abc import Callable
from time import monotonic

from ruuvi_host.logs import Repeated
from ruuvi_host.receiver.receipt import Receipt

INTERVAL = 10.0
"""Seconds between two lines of connections that were rejected for the same reason."""


class Rejections:
    """Call `due` for each receipt."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._reasons: dict[str, Repeated] = {}
        """There are as many as there are limits."""

    def due(self, receipt: Receipt) -> int | None:
        """Of how many receipts a line tells, this one included; None: no line. What is a request
        has one of its own."""
        if receipt.request:
            return 1
        reason = receipt.verdict.reason
        repeated = self._reasons.setdefault(reason, Repeated(INTERVAL, self._clock))
        return repeated.due()
