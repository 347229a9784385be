"""Where bodies go, and how a delivery can end."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from firmware_protocol.messages import DeviceId
from ruuvi_host.config import DEFAULT_PERIOD, MAX_PERIOD


class Verdict(Enum):
    """What is to become of the batch."""

    ACCEPTED = "accepted"
    LATER = "later"
    """Try again: no answer, or one that is not about this body."""
    REFUSED = "refused"
    """The server will never take this body."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one delivery ended."""

    verdict: Verdict
    reason: str = ""
    """For people, one line: why it was not accepted."""
    period: int | None = None
    """Seconds between posts that the server asks for."""
    retry_after: float | None = None
    """Seconds that the server asks to be left alone for."""


class Sink(Protocol):
    """A receiver of bodies. One delivery at a time."""

    async def deliver(self, body: bytes, gateway: DeviceId) -> Outcome:
        """Never raises for what a server or network does."""
        ...

    async def close(self) -> None: ...


def parse_rate(value: str) -> int:
    """`X-Ruuvi-Gateway-Rate` → seconds.

    Leading digits count (white space and a sign may stand before them); anything outside 1..3600
    means 10 s. So the gateway does it.
    """
    text = value.strip()
    sign = text[:1] if text[:1] in ("+", "-") else ""
    digits = text[len(sign) :]
    end = next((i for i, c in enumerate(digits) if c not in "0123456789"), len(digits))
    if not 0 < end <= 9 or sign == "-":
        return DEFAULT_PERIOD
    seconds = int(digits[:end])
    return seconds if 1 <= seconds <= MAX_PERIOD else DEFAULT_PERIOD
