"""Gathers what a host tells of itself to others: how it is, and which configuration it has."""

from typing import Any

from ruuvi_host.jobs.receiving import Receiving
from ruuvi_host.jobs.reporting import Reporting
from ruuvi_host.monitoring.host_status import host_status


class HostTeller:
    """Of one host."""

    def __init__(self, reporting: Reporting, receiving: Receiving) -> None:
        self._reporting = reporting
        self._receiving = receiving

    def document(self) -> dict[str, Any]:
        """As of now; see host_status."""
        receiving = self._receiving
        known = receiving.identified.is_set()
        return host_status(
            self._reporting.overview(),
            receiving.gateway().addr if known else None,
            receiving.clock.wall(),
            receiving.clock.monotonic(),
        )
