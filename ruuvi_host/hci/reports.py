"""From HCI advertising reports to the values of ADV_RPRT2. Runs once per advertisement heard.

An event is read twice: do its lengths add up, then what is in it. Nothing of half an event is used.

Source: Bluetooth Core, Volume 4, Part E, 7.7.65.2 and 7.7.65.13.
"""

from struct import Struct

from firmware_protocol.commands import FIRMWARE_MAX_ADV_LEN, MAX_ADV_LEN
from firmware_protocol.messages import (
    CHANNEL_UNKNOWN,
    PHY_NOT_SET,
    TX_POWER_NOT_AVAILABLE,
    AdvRprt2,
    SetAll,
)
from firmware_protocol.scan import PHY_1M, PHY_CODED, company_id
from ruuvi_host.hci.counters import ControllerCounters
from ruuvi_host.hci.events import ADVERTISING_REPORT
from ruuvi_host.hci.joiner import Advertiser, Joiner, Whole

_FIRST = 4
"""Where the first report stands in an event: behind code, length, subevent and count."""

_LEGACY_HEAD = 9  # event type, address type, address, length of the data
_EXTENDED_HEAD = 24
_new = tuple.__new__
_extended = Struct("<HB6sBBBbb9xB").unpack_from

_SCAN_RESPONSE = 4
"""Event type of a legacy report."""
_IS_SCAN_RESPONSE = 1 << 3
_IS_LEGACY = 1 << 4
_DATA_STATUS = 3 << 5
_COMPLETE, _MORE = 0 << 5, 1 << 5
_ANONYMOUS = 0xFF
_NO_RSSI = 127

_LEGACY_REST = (PHY_1M, PHY_NOT_SET, CHANNEL_UNKNOWN, False, TX_POWER_NOT_AVAILABLE)
_SIGNED = tuple(v - 256 if v & 0x80 else v for v in range(256))
# HCI has 3 (and 4, with S=2 coding) for what is 4 on the wire. What neither knows stays a number,
# as far as there is room for it.
_PHYS = (0, PHY_1M, 2, PHY_CODED, PHY_CODED, *(min(v, PHY_NOT_SET) for v in range(5, 256)))
_SECONDARY_PHYS = (PHY_NOT_SET, *_PHYS[1:])
_TX_POWERS = {v: v if -63 <= v <= 63 else TX_POWER_NOT_AVAILABLE for v in range(-128, 128)}


def adds_up(event: bytes) -> bool:
    """Does an event with reports hold just as many bytes as it says?"""
    if len(event) < _FIRST:
        return False
    is_legacy = event[2] == ADVERTISING_REPORT
    head = _LEGACY_HEAD if is_legacy else _EXTENDED_HEAD
    position, end = _FIRST, len(event)
    for _ in range(event[3]):
        if position + head > end:
            return False
        position += head + event[position + head - 1] + is_legacy  # its RSSI stands behind the data
    return position == end


class ReportReader:
    """Reports that pass all checks; every other one is counted by the reason.

    The order of the checks is the firmware's: PHY, length, company.
    """

    def __init__(self, counters: ControllerCounters) -> None:
        self.host_present = True
        """While False nothing is handed on."""
        self.heard_data = False
        """Has any report with data come, passed or not? Whoever asks sets it back."""
        self._counters = counters
        self._joiner = Joiner(counters)
        self._settings: SetAll | None = None
        self._legacy = self._extended = False
        self._longest = 0
        self._company = -1  # any

    def configure(self, settings: SetAll | None) -> None:
        """What passes from here on; None: nothing does."""
        self._settings = settings
        if settings:
            self._legacy = settings.use_1m_phy
            self._extended = settings.use_2m_phy or settings.use_coded_phy
            self._longest = min(settings.max_adv_len or FIRMWARE_MAX_ADV_LEN, MAX_ADV_LEN)
            self._company = settings.fltr_id if settings.fltr_tags else -1

    def read(self, events: list[bytes], now: float) -> list[AdvRprt2]:
        """All events with reports of one read, in order."""
        if self._joiner:
            self._joiner.expire(now)
        passed: list[AdvRprt2] = []
        for event in events:
            if not adds_up(event):
                self._counters.malformed_events += 1
            elif event[2] == ADVERTISING_REPORT:
                self._read_legacy(event, passed)
            else:
                self._read_extended(event, passed, now)
        self._counters.sent += len(passed)
        return passed

    def clear(self) -> None:
        """The controller was reset: no fragment of before will be completed."""
        self._joiner.clear()

    def _read_legacy(self, event: bytes, passed: list[AdvRprt2]) -> None:
        counters = self._counters
        position = _FIRST
        for _ in range(event[3]):
            start = position + _LEGACY_HEAD
            end = start + event[start - 1]
            data = event[start:end]
            rssi = event[end]
            counters.reports += 1
            if data:
                self.heard_data = True
            if event[position] == _SCAN_RESPONSE:
                counters.scan_responses += 1
            elif event[position + 1] == _ANONYMOUS:
                counters.anonymous += 1
            elif rssi == _NO_RSSI:
                counters.no_rssi += 1
            elif self._passes(data, is_legacy=True):
                # HCI has addresses low byte first.
                address = event[position + 7 : position + 1 : -1]
                fields = (address, data, _SIGNED[rssi], *_LEGACY_REST)
                passed.append(_new(AdvRprt2, fields))
            position = end + 1

    def _read_extended(self, event: bytes, passed: list[AdvRprt2], now: float) -> None:
        counters = self._counters
        position = _FIRST
        for _ in range(event[3]):
            kind, address_type, address, primary, secondary, sid, tx_power, rssi, length = (
                _extended(event, position)
            )
            position += _EXTENDED_HEAD + length
            data = event[position - length : position]
            counters.reports += 1
            if length:
                self.heard_data = True
            if kind & _IS_SCAN_RESPONSE:
                counters.scan_responses += 1
                continue
            if address_type == _ANONYMOUS:
                counters.anonymous += 1
                continue
            if kind & _DATA_STATUS or self._joiner:
                whole = self._join((address_type, address, sid), kind, data, tx_power, now)
                if whole is None:
                    continue
                data, tx_power = whole
            is_legacy = kind & _IS_LEGACY
            if rssi == _NO_RSSI:
                counters.no_rssi += 1
            elif self._passes(data, is_legacy=bool(is_legacy)):
                phy = _PHYS[primary]
                secondary = PHY_NOT_SET if is_legacy else _SECONDARY_PHYS[secondary]
                rest = (phy, secondary, CHANNEL_UNKNOWN, phy == PHY_CODED, _TX_POWERS[tx_power])
                passed.append(_new(AdvRprt2, (address[::-1], data, rssi, *rest)))

    def _join(
        self, advertiser: Advertiser, kind: int, data: bytes, tx_power: int, now: float
    ) -> Whole | None:
        """What has become whole; None: nothing yet, or never."""
        status = kind & _DATA_STATUS
        if status == _COMPLETE:
            return self._joiner.complete(advertiser, data, tx_power)
        if status == _MORE:
            self._joiner.add(advertiser, data, tx_power, now)
        else:
            self._joiner.truncated(advertiser)
        return None

    def _passes(self, data: bytes, *, is_legacy: bool) -> bool:
        """Is it wanted? Counts it if it is not."""
        counters = self._counters
        if self._settings is None:
            counters.not_configured += 1
        elif not self.host_present:
            counters.no_host += 1
        elif not (self._legacy if is_legacy else self._extended):
            counters.phy_off += 1
        elif len(data) > self._longest:
            counters.too_long += 1
        elif self._company >= 0 and _company(data) != self._company:
            counters.other_company += 1
        else:
            return True
        return False


def _company(data: bytes) -> int:
    """As `company_id`, which it asks unless the data looks as that of almost every sensor."""
    if len(data) > 6 and data[4] == 0xFF and data[0] == 2 and data[1] != 0xFF and data[3]:
        return data[5] | data[6] << 8
    return company_id(data)
