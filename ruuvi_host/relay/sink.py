"""Where bodies go, and how a delivery can end."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from firmware_protocol.messages import DeviceId
from ruuvi_host.config.targets import DEFAULT_PERIOD, MAX_PERIOD

_RATE = re.compile(r"\s*\+?0*([1-9][0-9]{0,3})(?![0-9])", re.ASCII)


class Verdict(Enum):
    """What is to become of the batch."""

    ACCEPTED = "accepted"
    LATER = "later"
    """Try again: no answer, or one that is not about this body."""
    FIX = "fix"
    """Keep it, and try again slowly: a person has to fix something first, here (a certificate, a
    token) or there (401, 403, 404)."""
    REFUSED = "refused"
    """The server will never take this body."""


class Step(Enum):
    """How far a post came that got no answer of its server."""

    FILES = "files"
    """Nothing was sent: a file that it needs is missing or bad."""
    NAME = "name"
    CONNECT = "connect"
    PROXY = "proxy"
    TLS = "TLS"
    ANSWER = "answer"
    """Sent, in whole or in part, and nothing that is an answer came back."""
    REDIRECT = "redirect"
    """An answer came, and it led to a place where our data does not go."""


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
    status: int | None = None
    """Of the HTTP answer; None: there was none."""
    begun: bool = True
    """False: nothing was sent, because a file that the post needs is missing or bad."""
    step: Step | None = None
    """Where it ended without an answer; None: the server answered with `status`."""


class NotDelivered(Exception):  # noqa: N818 - never leaves the room: a sink makes it an Outcome
    """A post that ended without an answer, and how."""

    def __init__(
        self,
        verdict: Verdict,
        step: Step,
        reason: str,
        *,
        hung_up: bool = False,
        status: int | None = None,
    ) -> None:
        super().__init__(reason)
        begun = step is not Step.FILES
        self.outcome = Outcome(verdict, reason, status=status, begun=begun, step=step)
        self.hung_up = hung_up
        """The connection ended under us, as a kept one may at any time."""


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
    digits = _RATE.match(value)
    seconds = int(digits[1]) if digits else 0
    return seconds if 1 <= seconds <= MAX_PERIOD else DEFAULT_PERIOD
