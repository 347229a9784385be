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


class Trigger(Enum):
    """What moves a session from one state to another."""

    STARTED = "started"
    IDENTIFIED = "DEVICE_ID received"
    UNIDENTIFIED = "no DEVICE_ID after several tries"
    CONFIGURED = "ACK to SET_ALL"
    REBOOTED = "GET_ALL received"
    EXHAUSTED = "too many commands without an answer"
    CLOSED = "port closed"


TRANSITIONS: dict[State, dict[Trigger, State]] = {
    State.NEW: {Trigger.STARTED: State.IDENTIFYING},
    State.IDENTIFYING: {
        Trigger.IDENTIFIED: State.CONFIGURING,
        Trigger.UNIDENTIFIED: State.CONFIGURING,
        Trigger.REBOOTED: State.IDENTIFYING,
        Trigger.EXHAUSTED: State.FAILED,
    },
    State.CONFIGURING: {
        Trigger.CONFIGURED: State.READY,
        Trigger.REBOOTED: State.CONFIGURING,
        Trigger.EXHAUSTED: State.FAILED,
    },
    State.READY: {
        Trigger.REBOOTED: State.CONFIGURING,
        Trigger.EXHAUSTED: State.FAILED,
    },
    State.FAILED: {},
    State.ENDED: {},
}
for _state in State:
    TRANSITIONS[_state][Trigger.CLOSED] = State.ENDED
