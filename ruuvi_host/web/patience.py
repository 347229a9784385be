"""How long a client may take at which point of a request. Pure: time is an argument."""

from dataclasses import dataclass
from enum import Enum, auto
from math import inf

from ruuvi_host.web.limits import Limits


class Phase(Enum):
    """Where a connection is."""

    IDLE = auto()
    """It was answered, and may ask again."""
    HEAD = auto()
    """It is new, or sends the head of a request."""
    BODY = auto()
    ANSWER = auto()
    """Its request is complete."""
    REFUSED = auto()
    """It was answered, and has to go."""
    CLOSING = auto()


@dataclass(slots=True)
class Patience:
    """With one client. Times are monotonic seconds."""

    limits: Limits
    since: float
    """From when on it waits for a request, or has been sending one."""
    heard: float
    """When the last byte of it came, or it was answered."""
    unsent: float | None = None
    """Since when it has not taken all of its answer; None: it has."""

    def due(self, phase: Phase) -> float:
        """When it ends; inf: never."""
        limits, silence = self.limits, self.heard + self.limits.silence
        if self.unsent is not None:
            return self.unsent + limits.sending
        match phase:
            case Phase.HEAD:
                return min(self.since + limits.head_time, silence)
            case Phase.BODY:
                return min(self.since + limits.request_time, silence)
            case Phase.REFUSED:
                return self.heard + limits.linger
        return inf  # uvicorn ends those that are idle

    def why(self, phase: Phase, now: float) -> str:
        """What was not there in time."""
        if phase is Phase.BODY:
            return "the body was not complete in time"
        late = now >= self.since + self.limits.head_time
        limit = self.limits.head_time if late else self.limits.silence
        return f"no complete request head within {limit:g} s"
