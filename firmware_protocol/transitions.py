"""One life of a link as a table: from state to state, and by what."""

from enum import Enum


class State(Enum):
    """Where one life of a link is."""

    NEW = "new"
    IDENTIFYING = "identifying"
    CONFIGURING = "configuring"
    READY = "ready"
    FAILED = "failed"
    ENDED = "ended"


class Happening(Enum):
    """What moves a session from one state to another."""

    STARTED = "started"
    IDENTIFIED = "DEVICE_ID received"
    UNIDENTIFIED = "no DEVICE_ID after several tries"
    CONFIGURED = "ACK to SET_ALL"
    REBOOTED = "GET_ALL received"
    EXHAUSTED = "too many commands without an answer"
    CLOSED = "port closed"


TRANSITIONS: dict[State, dict[Happening, State]] = {
    State.NEW: {Happening.STARTED: State.IDENTIFYING},
    State.IDENTIFYING: {
        Happening.IDENTIFIED: State.CONFIGURING,
        Happening.UNIDENTIFIED: State.CONFIGURING,
        Happening.REBOOTED: State.IDENTIFYING,
        Happening.EXHAUSTED: State.FAILED,
    },
    State.CONFIGURING: {
        Happening.CONFIGURED: State.READY,
        Happening.REBOOTED: State.CONFIGURING,
        Happening.EXHAUSTED: State.FAILED,
    },
    State.READY: {
        Happening.REBOOTED: State.CONFIGURING,
        Happening.EXHAUSTED: State.FAILED,
    },
    State.FAILED: {},
    State.ENDED: {},
}
for _state in State:
    TRANSITIONS[_state][Happening.CLOSED] = State.ENDED
