"""How a post can end, and what the headers of an answer ask for."""

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from time import time
from typing import NamedTuple

from ruuvi_host.config.targets import DEFAULT_PERIOD, MAX_PERIOD
from ruuvi_host.relay.sink import Outcome, Verdict

TOO_MANY_REQUESTS = 429
MAX_RETRY_AFTER = 3600.0
"""Seconds. A server that asks for more is asked again anyway."""

_RATE = re.compile(r"\s*\+?0*([1-9][0-9]{0,3})(?![0-9])", re.ASCII)


class Step(Enum):
    """How far a post came that got no answer of its server."""

    FILES = "files"
    """Nothing was sent: a file that it needs is missing or bad."""
    NAME = "name"
    NEAR = "near"
    """Nothing was sent: a check may not go to where the name leads."""
    CONNECT = "connect"
    PROXY = "proxy"
    TLS = "TLS"
    ANSWER = "answer"
    """Sent, in whole or in part, and nothing that is an answer came back."""
    REDIRECT = "redirect"
    """An answer came, and it led to a place where our data does not go."""


class Stage(Enum):
    """What is to be looked at; in the order of a post."""

    FILES = "files"
    NAME = "name"
    NEAR = "near"
    CONNECT = "connect"
    TLS = "TLS"
    ANSWER = "answer"
    REDIRECT = "redirect"
    HEAD = "head"
    """Of the request: the server did not look any further."""
    FIREWALL = "firewall"
    AUTH = "auth"
    SIGNATURE = "signature"
    FORBIDDEN = "forbidden"
    """403, and nothing says which of the others it is."""
    PATH = "path"
    BODY = "body"
    SERVER = "server"


class Advice(NamedTuple):
    """What an answer says to those who know it."""

    stage: Stage
    remedy: str
    """What to do, one line."""
    means: str = ""
    """A few words for the log."""


@dataclass(frozen=True, slots=True)
class PostOutcome(Outcome):
    """How one post ended; `code` is the HTTP status."""

    step: Step | None = None
    """Where it ended without an answer; None: the server answered."""
    advice: Advice | None = None
    """Where the answer is known for more than its status."""
    by: str = ""
    """The host that accepted it, if it is another one than the configured."""
    page: str = ""
    """It was accepted with a web page, which is seldom what a receiver answers: its title."""
    timed_out: bool = False
    """All of the time has gone by without an answer."""
    said: str = ""
    """What stands in the body of an answer that has a meaning, or is to be told: as it came, but
    for our secrets."""


class NotDelivered(Exception):  # noqa: N818 - never leaves the room: it becomes a PostOutcome
    """A post that ended without an answer, and how."""

    def __init__(
        self,
        verdict: Verdict,
        step: Step,
        reason: str,
        *,
        hung_up: bool = False,
        status: int | None = None,
        wait: float | None = None,
        advice: Advice | None = None,
        reached: bool = False,
    ) -> None:
        super().__init__(reason)
        begun = step is not Step.FILES
        self.outcome = PostOutcome(
            verdict,
            reason,
            code=status,
            wait=wait,
            reached=reached,
            begun=begun,
            step=step,
            advice=advice,
        )
        self.hung_up = hung_up
        """The connection ended under us, as a kept one may at any time."""


def parse_rate(value: str) -> int:
    """`X-Ruuvi-Gateway-Rate` → seconds.

    Leading digits count (white space and a sign may stand before them); anything outside 1..3600
    means 10 s. So the gateway does it.
    """
    digits = _RATE.match(value)
    seconds = int(digits[1]) if digits else 0
    return seconds if 1 <= seconds <= MAX_PERIOD else DEFAULT_PERIOD


def parse_retry_after(value: bytes | None, most: float = MAX_RETRY_AFTER) -> float | None:
    """`Retry-After` (seconds or a date) → seconds, at most `most`; None: absent or nonsense."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.isdigit() else _seconds_until(value.decode("latin-1"))
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), most)


def _seconds_until(date: str) -> float:
    """Dates of HTTP are GMT, also in the forms that do not say so. Raises ValueError."""
    when = parsedate_to_datetime(date)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - time()
