"""Batches of a backlog that were accepted in haste: they leave the spool when that is certain.

See Hurrying in sink.py. Until then they are in hand, and in the file: whatever ends the process,
they are sent again.
"""

from ruuvi_host.clock import Clock
from ruuvi_host.monitoring.counters import RelayCounters
from ruuvi_host.relay.delivery_log import DeliveryLog
from ruuvi_host.relay.guard import Guarded
from ruuvi_host.relay.outbox import Outbox
from ruuvi_host.relay.sink import Settled
from ruuvi_host.relay.spool.unwritten import Waiting

MOST_BATCHES = 1000
"""That a server may get twice when the host is killed."""
MOST_REPORTS = 30_000
"""Some 9 MB: they stay in memory for the case that the file is lost meanwhile."""
LONGEST = 5.0
"""Seconds. Each burst is followed by a rest of one second."""


class Burst:
    """Those of one target."""

    def __init__(
        self,
        sink: Guarded,
        outbox: Outbox,
        counters: RelayCounters,
        clock: Clock,
        log: DeliveryLog,
    ) -> None:
        self.answered: list[Waiting] = []
        """Accepted, and not certain."""
        self._sink = sink
        self._outbox = outbox
        self._counters = counters
        self._clock = clock
        self._log = log
        self._since = 0.0
        self._reports = 0

    def add(self, waiting: Waiting) -> None:
        """It was accepted, and that is unsettled."""
        if not self.answered:
            self._since = self._clock.monotonic()
        self.answered.append(waiting)
        self._reports += waiting.reports

    async def goes_on(self) -> bool:
        """Another one may be added. False: `settle` first."""
        full = len(self.answered) >= MOST_BATCHES or self._reports >= MOST_REPORTS
        late = self.answered and self._clock.monotonic() - self._since >= LONGEST
        return not full and not late and await self._sink.goes_on()

    async def settle(self) -> bool:
        """Those that are accepted leave the spool. False: not all are, or what came after them is
        not to be believed; they are sent again, in their order."""
        settled = await self._sink.settle()
        believed, self.answered, self._reports = self.answered, [], 0
        doubtful: list[Waiting] = []
        match settled:
            case Settled.ALL_BUT_THE_LAST:
                doubtful = believed[-1:]
                del believed[-1:]
            case Settled.NONE:
                doubtful, believed = believed, []
        if doubtful:
            self._outbox.spool.put_back(*doubtful)
        self._counters.accepted += len(believed)
        self._counters.accepted_reports += sum(waiting.reports for waiting in believed)
        if believed:
            await self._outbox.spool.remove_all(believed)
            first = self._counters.accepted == len(believed)
            self._log.accepted(self._outbox.waiting, first=first)
        return settled is Settled.ALL
