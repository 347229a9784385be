"""The seam between a relay and a target: a batch goes out, an Outcome comes back.

Nothing here knows a protocol. How a batch is encoded and sent, and what an answer means, belongs
to the sink; `kinds.py` says which sink belongs to which kind of target.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol, runtime_checkable

from ruuvi_host.intake.advertisement import Advertisement
from ruuvi_host.intake.batch import Batch


class Verdict(Enum):
    """What is to become of a batch."""

    ACCEPTED = "accepted"
    LATER = "later"
    """Retry: there was no answer, or one that is not about this batch."""
    FIX = "fix"
    """Keep it, and retry slowly: a person has to fix something first, here (a certificate, a
    token) or on the server (401, 403, 404)."""
    REFUSED = "refused"
    """The target will never take this batch."""


class Fates(NamedTuple):
    """Of the reports of one batch."""

    accepted: int
    refused: int
    remaining: tuple[Advertisement, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one delivery ended.

    A target may answer for each report. Then `remaining` are the reports that the verdict (LATER
    or FIX) is about, `refused` is the number of those that it will never take, and all others are
    accepted.
    """

    verdict: Verdict
    reason: str = ""
    """For people, one line: why it was not accepted."""
    period: int | None = None
    """Seconds between batches that the target asks for."""
    wait: float | None = None
    """Seconds that the target asks to be left alone for."""
    code: int | None = None
    """What the answer was, in the numbers of the target's own protocol (an HTTP status); for logs
    and file names. None: there was no answer."""
    reached: bool = False
    """Not accepted, and still proof that the target can be reached: the network is there."""
    begun: bool = True
    """False: nothing was sent, because something that it needs is missing here."""
    remaining: tuple[Advertisement, ...] | None = None
    """What is still to be delivered: a part of the reports, never empty. None: all of them, or
    none, as the verdict says."""
    refused: int = 0
    """Reports that the target will never take, of a batch that it takes otherwise."""
    body: bytes | None = None
    """What was refused, as it was sent, for people to look at."""
    own: bool = field(default=False, compare=False)
    """The answer is of a server in one's own network, as far as its address tells."""
    unsettled: bool = field(default=False, compare=False)
    """It may be the answer to an earlier delivery: see Hurrying."""

    def fates(self, batch: Batch) -> Fates:
        """What became of each report of `batch`."""
        reports = batch.advertisements
        match self.verdict:
            case Verdict.ACCEPTED:
                return Fates(len(reports) - self.refused, self.refused, ())
            case Verdict.REFUSED:
                return Fates(0, len(reports), ())
        if self.remaining is None:
            return Fates(0, 0, reports)
        accepted = len(reports) - len(self.remaining) - self.refused
        return Fates(accepted, self.refused, self.remaining)


class Sink(Protocol):
    """Delivers to one target, one batch at a time."""

    async def run(self) -> None:
        """What lives on between batches: a connection that is kept, a timer. It runs beside the
        relay until it is cancelled; a sink without such a thing returns at once."""
        ...

    async def deliver(self, batch: Batch, utc: float) -> Outcome:
        """Encode and send. What a server, a network or a disk does is an Outcome, never an
        exception. May be cancelled: what was confirmed by then is delivered again.

        utc: the time of this attempt, in seconds.
        """
        ...

    async def pause(self, seconds: float) -> None:
        """Wait so long after a delivery that failed; less, if it is known that the target can be
        reached again."""
        ...

    async def close(self) -> None: ...


class Settled(Enum):
    """Which of the unsettled outcomes are to be believed."""

    ALL = "all"
    ALL_BUT_THE_LAST = "all but the last"
    """That, and the one before if the last is not accepted."""
    NONE = "none"


@runtime_checkable
class Hurrying(Protocol):
    """A sink that can deliver many batches of a backlog one right after the other. What comes of
    them is unsettled then, but for the first, until `settle` tells."""

    async def deliver_hurried(self, batch: Batch, utc: float) -> Outcome:
        """As `deliver`."""
        ...

    async def goes_on(self) -> bool:
        """False: `settle` first."""
        ...

    async def settle(self) -> Settled:
        """May take a second. Cancelled, it can be called again."""
        ...


@runtime_checkable
class Connected(Protocol):
    """A sink with a connection that is kept."""

    @property
    def state(self) -> str:
        """How the connection is, for people, without any secret."""
        ...

    async def refresh(self) -> None:
        """Files that the connection was made with may be others now: then it is made anew."""
        ...

    @property
    def is_leaving(self) -> bool:
        """The connection is there, and ends when the sink is closed. As the settings are others
        then, what waits still goes over it."""
        ...
