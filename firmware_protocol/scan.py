"""What the coprocessor's radio receives: one channel at a time, one PHY at a time.

A scan period spends 7 s on each enabled channel, then a new one begins with the settings of that
moment: on the other primary PHY if both 1M and Coded are wanted. Nothing is received during the few
milliseconds of the start. Scanning is passive.

Source: ruuvi.gateway_nrf.c v2.0.0 `app_ble.c`.
"""

from dataclasses import replace
from functools import lru_cache
from math import inf
from typing import NamedTuple

from firmware_protocol.messages import PHY_NOT_SET, TX_POWER_NOT_AVAILABLE, SetAll

PHY_1M = 1
PHY_CODED = 4

SCAN_INTERVAL = 7.0
"""Seconds on each channel."""
START_TIME = 0.005
"""Seconds that the start takes: "milliseconds", not measured."""


AT_BOOT = SetAll(
    use_1m_phy=False, use_2m_phy=False, ch_37=False, ch_38=False, ch_39=False, max_adv_len=0
)
"""The settings until the host has sent some: nothing is received."""
CHANNELS = ("ch_37", "ch_38", "ch_39")


class AdvertisingEvent(NamedTuple):
    """One advertising event of a tag: the same on all three primary channels."""

    address: bytes
    data: bytes
    """Complete advertising data, 0..255 bytes."""
    rssi: int
    primary_phy: int = PHY_1M
    secondary_phy: int = PHY_NOT_SET
    """15: legacy advertising, everything is on the primary channel."""
    secondary_channel: int = 0
    """Where extended advertising has its data, 0..36."""
    tx_power: int = TX_POWER_NOT_AVAILABLE
    """dBm, -63..63."""

    @property
    def is_legacy(self) -> bool:
        return self.secondary_phy == PHY_NOT_SET


class Scan(NamedTuple):
    """One period of scanning: the settings that are in effect until it ends."""

    begin: float
    """When it receives something for the first time."""
    end: float
    channels: tuple[int, ...]
    phy: int
    """The primary one, 1M or Coded."""
    legacy: bool
    """Receives legacy advertising."""
    extended: bool
    """Follows extended advertising to its secondary channel."""

    def receives(self, event: AdvertisingEvent, now: float) -> bool:
        """Is the radio where this event is?"""
        if event.primary_phy != self.phy or now < self.begin:
            return False
        return self.legacy if event.is_legacy else self.extended

    def channel(self, now: float) -> int:
        """The primary channel that is being listened to."""
        step = int((now - self.begin) / SCAN_INTERVAL)
        return self.channels[min(step, len(self.channels) - 1)]


def enabled_channels(settings: SetAll) -> tuple[int, ...]:
    """The primary channels in the order in which they are scanned."""
    flags = ((37, settings.ch_37), (38, settings.ch_38), (39, settings.ch_39))
    return tuple(channel for channel, enabled in flags if enabled)


def start_scan(settings: SetAll, last_phy: int, now: float) -> Scan | None:
    """The period that is started now; None if there is nothing to scan.

    last_phy: primary PHY of the period before. With both kinds enabled they take turns.
    """
    channels = enabled_channels(settings)
    coded = settings.use_coded_phy
    # 2M is never a primary PHY: enabled without 1M it means 1M, but without legacy advertising.
    uncoded = settings.use_1m_phy or settings.use_2m_phy
    if not channels or not (coded or uncoded):
        return None
    phy = PHY_CODED if coded and not (uncoded and last_phy == PHY_CODED) else PHY_1M
    return Scan(
        begin=now + START_TIME,
        end=now + START_TIME + SCAN_INTERVAL * len(channels),
        channels=channels,
        phy=phy,
        legacy=phy == PHY_1M and settings.use_1m_phy,
        extended=coded or settings.use_2m_phy,
    )


class Radio:
    """The firmware's radio: a SessionRadio. has_coded_phy: can it do LE Coded at all?"""

    start_time = START_TIME

    def __init__(self, *, has_coded_phy: bool) -> None:
        self._has_coded_phy = has_coded_phy
        self.reset()

    def reset(self) -> None:
        """It boots."""
        self.scan: Scan | None = None
        self.settings = AT_BOOT
        """In effect from the next start of a scan on."""
        self._phy = PHY_1M

    @property
    def is_scanning(self) -> bool:
        return self.scan is not None

    @property
    def scan_end(self) -> float:
        """When the next period is to be started; inf: it does not scan."""
        return self.scan.end if self.scan else inf

    def configure(self, settings: SetAll, now: float) -> bool:
        """The whole configuration; the scan starts anew. Is part of it refused?"""
        has_channels = bool(enabled_channels(settings))
        if not has_channels:
            old = self.settings
            settings = replace(settings, ch_37=old.ch_37, ch_38=old.ch_38, ch_39=old.ch_39)
        self.settings = settings
        self.start(now)
        return not has_channels or not self._has_coded_phy

    def set_flag(self, name: str, value: bool) -> bool:
        """One setting; what concerns the scan waits for its next start. Is it refused?"""
        settings = replace(self.settings, **{name: value})
        if name in CHANNELS and not enabled_channels(settings):
            return True
        self.settings = settings
        return name == "use_coded_phy" and not self._has_coded_phy

    def set_company(self, company: int) -> None:
        """Counts at once."""
        self.settings = replace(self.settings, fltr_id=company)

    def receives(self, event: AdvertisingEvent, now: float) -> bool:
        """Is the radio where this event is?"""
        return self.scan is not None and self.scan.receives(event, now)

    def channel(self, event: AdvertisingEvent, now: float) -> int:
        """Of the last packet."""
        assert self.scan is not None
        return self.scan.channel(now) if event.is_legacy else event.secondary_channel

    def is_coded(self) -> bool:
        """Is it this PHY's turn?"""
        return self.scan is not None and self.scan.phy == PHY_CODED

    def start(self, now: float) -> None:
        """Start the next period, if there is anything to scan."""
        settings = self.settings
        if not self._has_coded_phy:
            settings = replace(settings, use_coded_phy=False)
        self.scan = start_scan(settings, self._phy, now)
        if self.scan:
            self._phy = self.scan.phy


@lru_cache(maxsize=4096)
def company_id(data: bytes) -> int:
    """Company identifier of the first manufacturer specific AD structure; 0 if there is none."""
    position = 0
    while position + 1 < len(data) and data[position]:
        if data[position + 1] == 0xFF:
            return int.from_bytes(data[position + 2 : position + 4], "little")
        position += 1 + data[position]
    return 0
