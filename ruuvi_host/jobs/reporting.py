"""What reports: health, status, accounting and the last words of a host in the log."""

import logging
import os
from collections.abc import Callable
from typing import Any

from firmware_protocol.messages import address_text
from ruuvi_host import __version__
from ruuvi_host.jobs.receiving import Receiving
from ruuvi_host.jobs.relaying import Relaying
from ruuvi_host.jobs.sensor_care import SensorCare
from ruuvi_host.monitoring.accounting import Account, accounts
from ruuvi_host.monitoring.api_status import ApiStatus
from ruuvi_host.monitoring.configuration_status import ConfigurationStatus
from ruuvi_host.monitoring.counters import Counters, flat
from ruuvi_host.monitoring.dropped import Drop, Watched, dropped
from ruuvi_host.monitoring.health import Finding, HostFacts, Level, judge
from ruuvi_host.monitoring.overview import MOST_MISSED, Overview
from ruuvi_host.monitoring.sensor_status import SensorStatus, findings

MOST_FAULTS = 5
"""Of the configuration, in health: the log has all."""

_SINCE = "the configuration that was fetched last"

log = logging.getLogger(__name__)


class Reporting:
    """Gathers what the two sides of a host know. Changes nothing in them."""

    def __init__(self, receiving: Receiving, relaying: Relaying, sensors: SensorCare) -> None:
        self._receiving = receiving
        self._relaying = relaying
        self._sensors = sensors
        self._began = receiving.clock.monotonic()
        self._dropped = Watched()
        self.api: Callable[[], ApiStatus | None] = lambda: None
        """The local API as of now; None: it is off."""
        self.configuration: Callable[[], ConfigurationStatus] = ConfigurationStatus
        """Where it comes from, as of now."""
        self.reload_failure: Callable[[], str] = str
        """Why the configuration could not be read again; empty: it could."""

    def facts(self) -> HostFacts:
        """What health is judged from."""
        return self._facts()[0]

    def _facts(self) -> tuple[HostFacts, list[SensorStatus]]:
        relaying, links = self._relaying, self._receiving.link_facts()
        sensors = self._sensors.look(links)
        api = self.api()
        facts = HostFacts(
            *(links, relaying.relays.facts(), relaying.hindrance),
            others=[
                *(
                    [Finding(Level.DEGRADED, f"local API: {api.fault}")]
                    if api and api.fault
                    else []
                ),
                *(
                    [Finding(Level.DEGRADED, f"configuration: not read again, {failure}")]
                    if (failure := self.reload_failure())
                    else []
                ),
                *(
                    Finding(Level.DEGRADED, f"{name}: nothing accepted since {_SINCE}")
                    for name in self.configuration().degraded
                ),
                *(
                    Finding(Level.DEGRADED, f"configuration: {fault}")
                    for fault in relaying.faults[:MOST_FAULTS]
                ),
                *findings(sensors, self._receiving.clock.monotonic()),
                *(Finding(Level.OK, str(drop), also=True) for drop in self._look_at_drops()),
            ],
        )
        return facts, sensors

    def _look_at_drops(self) -> tuple[Drop, ...]:
        """Those of late. The first of each kind gets a line in the log."""
        targets = [(name, flat(counted)) for name, counted in self._relaying.relays.counters()]
        drops = dropped(flat(self._receiving.table.counters), targets)
        looked = self._dropped.look(drops, self._receiving.clock.monotonic())
        for drop in looked.first:
            log.log(logging.INFO if drop.wanted else logging.WARNING, "%s", drop)
        return looked.recent

    def accounts(self) -> list[Account]:
        """Where every byte, report and batch has gone."""
        links = [(status.name, status.counters) for status in self._receiving.statuses]
        return accounts(links, self._receiving.table.counters, self._relaying.relays.counters())

    def document(self) -> dict[str, Any]:
        """What `ruuvi-host status` shows."""
        return self.overview().document(self._receiving.clock.monotonic())

    def log_end(self) -> None:
        """All counters and the accounting, at the end of a run."""
        ours: list[tuple[str, Counters]] = [
            *((f"coprocessor {link.name}", link.counters) for link in self._receiving.statuses),
            ("intake", self._receiving.table.counters),
            *((name, each.relay) for name, each in self._relaying.relays.counters()),
            ("statistics", self._relaying.statistics.counters),
        ]
        for name, counters in ours:
            if counted := counters.nonzero():
                log.info("%s: %s", name, counters, extra={"counters": counted})
        accounts = self.accounts()
        if not any(each.total or each.unaccounted for each in accounts):
            return  # as when there is no such port: what is wrong would stand below a page of zeros
        for account in accounts:
            level = logging.ERROR if account.unaccounted else logging.INFO
            log.log(level, "accounting: %s", account, extra={"account": account.document()})

    def overview(self) -> Overview:
        """All of it as values."""
        now = self._receiving.clock.monotonic()
        table, (facts, sensors) = self._receiving.table, self._facts()
        most = table.missed_most(MOST_MISSED)
        return Overview(
            version=__version__,
            pid=os.getpid(),
            uptime=now - self._began,
            health=judge(facts, now),
            links=self._receiving.statuses,
            intake=table.counters,
            sensors=len(table),
            known_sensors=sensors,
            missed_most=[(address_text(address), count) for address, count in most],
            targets=self._relaying.relays.counters(),
            problems={target.name: target.failing for target in facts.targets},
            growth={target.name: target.growth for target in facts.targets},
            connections={target.name: target.connection for target in facts.targets},
            statistics=self._relaying.statistics.counters,
            api=self.api(),
            configuration=self.configuration(),
        )
