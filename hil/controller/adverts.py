"""What is in the air of the scripted controller, and the report events it makes of it.

Core Vol 4 Part E: 7.7.65.2 LE Advertising Report, 7.7.65.13 LE Extended Advertising Report.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Protocol

PHY_1M, PHY_2M, PHY_CODED = 1, 2, 3
"""HCI's numbers. (CA-UART calls coded 4.)"""
NO_RSSI = 127
NO_TX_POWER = 127
ANONYMOUS = 0xFF
RANDOM = 0x01
MOST_DATA = 229
"""Bytes of data that one extended report can hold."""
ADV_IND, ADV_NONCONN_IND, SCAN_RSP = 0, 3, 4
EVENT_TYPES = {ADV_IND: 0x13, ADV_NONCONN_IND: 0x10, SCAN_RSP: 0x1B}
"""Legacy advertisements as an extended report tells them: bit 4, and what the PDU was."""


@dataclass(frozen=True, slots=True)
class Advert:
    """An advertisement. `address` is as people write it: most significant byte first."""

    address: bytes
    data: bytes
    rssi: int = -60
    address_type: int = RANDOM
    kind: int = ADV_IND
    """Of a legacy one: 0 ADV_IND, 1 directed, 2 scannable, 3 non-connectable, 4 SCAN_RSP."""
    is_extended: bool = False
    primary: int = PHY_1M
    secondary: int = 0
    """0: there was no packet on a secondary channel."""
    sid: int = 0xFF
    tx_power: int = NO_TX_POWER
    flags: int = 0
    """Of an extended one: event type, bits 0 to 3."""
    fragment: int = MOST_DATA
    """The controller tells the data in pieces of so many bytes."""
    is_truncated: bool = False
    """The controller has missed the end."""

    def legacy_report(self) -> bytes:
        """One report of a 0x02 event, behind the count."""
        head = bytes((self.kind, self.address_type)) + self.address[::-1]
        return head + bytes((len(self.data),)) + self.data + bytes((self.rssi & 0xFF,))

    def extended_reports(self) -> list[bytes]:
        """The reports of 0x0D events, behind the count: one, or as many as there are pieces."""
        size = min(self.fragment, MOST_DATA)
        pieces = [self.data[i : i + size] for i in range(0, len(self.data), size)] or [b""]
        last = 2 if self.is_truncated else 0
        return [
            self._extended_report(piece, last if number == len(pieces) - 1 else 1)
            for number, piece in enumerate(pieces)
        ]

    def _extended_report(self, piece: bytes, status: int) -> bytes:
        event_type = self.flags if self.is_extended else EVENT_TYPES.get(self.kind, 0x10)
        return b"".join(
            (
                (event_type | status << 5).to_bytes(2, "little"),
                bytes((self.address_type,)),
                self.address[::-1],
                bytes((self.primary, self.secondary, self.sid)),
                bytes((self.tx_power & 0xFF, self.rssi & 0xFF)),
                bytes(2),  # interval of periodic advertising: none
                bytes(7),  # whom a directed one is for: nobody
                bytes((len(piece),)),
                piece,
            )
        )


def report_events(subevent: int, reports: Sequence[bytes], per_event: int) -> list[bytes]:
    """HCI packets (with their 04) with up to `per_event` of the reports in each."""
    events: list[bytes] = []
    waiting: list[bytes] = []
    for report in reports:
        if waiting and (len(waiting) == per_event or 2 + sum(map(len, [*waiting, report])) > 255):
            events.append(_event(subevent, waiting))
            waiting = []
        waiting.append(report)
    return [*events, _event(subevent, waiting)] if waiting else events


def _event(subevent: int, reports: Sequence[bytes]) -> bytes:
    parameters = bytes((subevent, len(reports))) + b"".join(reports)
    return bytes((0x04, 0x3E, len(parameters))) + parameters


class Air(Protocol):
    """When which advertisement is there. Times are the caller's, from when scanning begins."""

    @property
    def deadline(self) -> float: ...

    def begin(self, now: float) -> None:
        """Scanning has been switched on; what was before is forgotten."""
        ...

    def next(self) -> Advert:
        """The one that is due."""
        ...


class Cycle:
    """The same advertisements in turn, `rate` a second; `count` of them, then silence."""

    def __init__(self, adverts: Sequence[Advert], rate: float, count: float = inf) -> None:
        self.adverts = list(adverts)
        self.rate = rate
        self._left = count
        self._begin = 0.0
        self._told = 0
        self._number = 0

    @property
    def deadline(self) -> float:
        """When the next one is due."""
        if not self.adverts or not self.rate or self._left <= 0:
            return inf
        return self._begin + (self._told + 1) / self.rate

    def begin(self, now: float) -> None:
        self._begin, self._told = now, 0

    def next(self) -> Advert:
        self._told += 1
        self._left -= 1
        self._number += 1
        return self.adverts[(self._number - 1) % len(self.adverts)]


def with_scan_responses(adverts: Sequence[Advert]) -> list[Advert]:
    """Each one again, as an active scanner would hear it."""
    return [a for advert in adverts for a in (advert, replace(advert, kind=SCAN_RSP, flags=0x0A))]
