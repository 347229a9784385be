"""What a coprocessor's session asks its radio: the seam between what it says and what it hears.

`scan.Radio` is the firmware's own, with its schedule. A bridge gives the session one that stands
for a Bluetooth controller, which hears for itself: its reports are for `CoprocessorSession.report`.
"""

from typing import Protocol

from firmware_protocol.messages import SetAll


class SessionRadio(Protocol):
    """The radio of a coprocessor, as its session sees it. Times are the session's."""

    start_time: float
    """Seconds from SET_ALL to a scan that has begun; its ACK comes then."""

    @property
    def settings(self) -> SetAll:
        """As stored; a company filter and a limit of length in it count at once."""
        ...

    @property
    def is_scanning(self) -> bool: ...

    @property
    def scan_end(self) -> float:
        """When `start` is to be called for the next period; inf: the scan has no end."""
        ...

    def reset(self) -> None:
        """The coprocessor boots: the settings are those of AT_BOOT, and nothing is scanned."""
        ...

    def configure(self, settings: SetAll, now: float) -> bool:
        """The whole configuration; the scan starts anew. Is part of it refused?"""
        ...

    def set_flag(self, name: str, value: bool) -> bool:
        """One setting, by its name in SetAll. Is it refused?"""
        ...

    def set_company(self, company: int) -> None:
        """The company identifier that the filter lets pass."""
        ...

    def start(self, now: float) -> None:
        """Start the next period, if there is anything to scan."""
        ...
