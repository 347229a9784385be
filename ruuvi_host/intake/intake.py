"""From report to table: the checks and the timestamp that each report gets, in the gateway's order.

Source: ruuvi.gateway_esp.c adv_post.c. The session has already checked that the coprocessor is
configured.
"""

from collections.abc import Sequence

from firmware_protocol.messages import PHY_NOT_SET, TX_POWER_NOT_AVAILABLE, Report
from ruuvi_host.intake.advertisement import AdvertisementFields
from ruuvi_host.intake.duplicates import WINDOW, DuplicateFilter
from ruuvi_host.intake.filter import AddressFilter
from ruuvi_host.intake.table import AdvertisementTable

MAX_ADV_LEN = 48
"""Bytes. The gateway's limit; the longest Ruuvi advertisement (format E1) has exactly this."""

PHY_2M = 2
PHY_CODED = 4


class Intake:
    """Checks reports, gives them a timestamp and puts them into the table.

    use_timestamps: the timestamp is UTC seconds; else the number of legacy reports so far, as on a
    gateway without a clock (`ntp_use` false).
    coprocessors: how many there are. An advertisement that several of them report counts once.
    """

    def __init__(
        self,
        table: AdvertisementTable,
        address_filter: AddressFilter | None = None,
        *,
        use_timestamps: bool = True,
        max_adv_len: int = MAX_ADV_LEN,
        coprocessors: int = 1,
    ) -> None:
        self.counters = table.counters
        self._table = table
        self._filter = address_filter or AddressFilter()
        self._use_timestamps = use_timestamps
        self._max_adv_len = max_adv_len
        self._duplicates = DuplicateFilter() if coprocessors > 1 else None

    def receive(
        self, reports: Sequence[Report], now: float, utc: int | None, source: int = 0
    ) -> None:
        """Take the reports of one read.

        now: monotonic seconds. utc: whole seconds, or None until the clock is synchronised
        (reports are then dropped, unless use_timestamps is false). source: number of the
        coprocessor, from 0.
        """
        counters = self.counters
        taken: list[AdvertisementFields] = []
        passes = None if self._filter.is_open else self._filter.passes
        use_timestamps = self._use_timestamps
        limit = self._max_adv_len
        legacy = counters.legacy
        counters.reports += len(reports)
        if self._duplicates:
            reports = self._first_ones(self._duplicates, reports, now, source)
        for address, data, rssi, primary, secondary, channel, _, tx_power in reports:
            if not 0 < len(data) <= limit:
                if data:
                    counters.too_long += 1
                else:
                    counters.empty += 1
                continue
            if passes and not passes(address):
                counters.filtered += 1
                continue
            timestamp = utc if use_timestamps else legacy
            if timestamp is None:
                counters.clock_not_synchronised += 1
                continue
            if secondary == PHY_NOT_SET:
                legacy += 1
            elif secondary == PHY_2M:
                counters.extended_2m += 1
            elif secondary == PHY_CODED:
                counters.coded += 1
            power = None if tx_power == TX_POWER_NOT_AVAILABLE else tx_power
            taken.append((address, data, rssi, primary, secondary, channel, power, now, timestamp))
        counters.legacy = legacy
        self._table.put(taken)

    def _first_ones(
        self, duplicates: DuplicateFilter, reports: Sequence[Report], now: float, source: int
    ) -> list[Report]:
        """Those that no other coprocessor has reported already. Of the others the table keeps the
        radio values if the RSSI is higher."""
        first = []
        for report in reports:
            if not duplicates.is_duplicate(source, report.address, report.data, now):
                first.append(report)
                continue
            self.counters.duplicates += 1
            power = None if report.tx_power == TX_POWER_NOT_AVAILABLE else report.tx_power
            radio = (report.rssi, report.primary_phy, report.secondary_phy, report.channel, power)
            self.counters.stronger += self._table.keep_stronger(
                report.address, report.data, radio, now - WINDOW
            )
        return first
