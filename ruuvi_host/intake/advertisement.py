"""The one value that crosses every room: a report, and when it was received."""

from typing import NamedTuple

RSSI_NOT_AVAILABLE = 127
"""dBm, as Bluetooth says it. The gateway's bodies have it as it is; where we say it: None."""


def rssi_or_none(rssi: int) -> int | None:
    """None: not available."""
    return None if rssi == RSSI_NOT_AVAILABLE else rssi


class Advertisement(NamedTuple):
    """One advertisement as the coprocessor reported it, with the time of its reception.

    A NamedTuple, because one is made per report that changes the table (a frozen dataclass takes
    five times as long), and flat, because the table keeps one per sensor.
    """

    address: bytes
    """Six bytes, most significant first, as on the wire."""
    data: bytes
    """The complete advertising data: AD structures, one after the other."""
    rssi: int
    """dBm; RSSI_NOT_AVAILABLE."""
    primary_phy: int
    """1 = 1M, 4 = Coded; other values unchanged."""
    secondary_phy: int
    """15 = none (legacy advertising), 1 = 1M, 2 = 2M, 4 = Coded; other values unchanged."""
    channel: int
    """Channel index, 0..39; 255 = not reported by the coprocessor."""
    tx_power: int | None
    """dBm; None when it is not in the advertisement."""
    received: float
    """Monotonic seconds, for ages."""
    timestamp: int
    """UTC in whole seconds, or a counter on a gateway that uses no clock."""


AdvertisementFields = tuple[bytes, bytes, int, int, int, int, int | None, float, int]
"""Those of an Advertisement, in order, of a report that may be a repeat: takes half the time."""
