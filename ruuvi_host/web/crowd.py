"""Who leaves when there are too many connections: whoever waits for longest without being answered.

First those who ask for nothing at the moment, then slow ones. Nobody who has just connected, as
long as there is another one: its request may be on the way.
"""

from collections.abc import Collection
from typing import Protocol

from ruuvi_host.web.limits import Limits
from ruuvi_host.web.patience import Phase

STUBBORN = 64
"""Connections that have to leave, and do not take their answer; more are aborted."""

_LEAVING = (Phase.REFUSED, Phase.CLOSING)


class Guest(Protocol):
    """A connection, as far as this is about it."""

    @property
    def phase(self) -> Phase: ...

    @property
    def since(self) -> float:
        """From when on it waits for a request, or has been sending one."""
        ...

    @property
    def is_deaf(self) -> bool:
        """It does not take its answer."""
        ...

    @property
    def had_chance(self) -> bool:
        """It is no newcomer."""
        ...

    def leave(self) -> None: ...

    def abort(self) -> None: ...


def admit(newcomer: Guest, everyone: Collection[Guest], limits: Limits) -> None:
    """There is one more, among `everyone`."""
    make_room(everyone, limits)
    if _staying(everyone) > limits.most:
        # Where there are more than enough places, who came before has had its chance.
        spare = limits.most > limits.connections
        waiting = [each for each in _waiting(everyone) if spare or each.had_chance]
        min(waiting, key=_turn, default=newcomer).leave()
    leaving = [each for each in everyone if each.phase in _LEAVING]
    if len(leaving) > STUBBORN:
        min(leaving, key=lambda each: each.since).abort()


def make_room(everyone: Collection[Guest], limits: Limits) -> None:
    """If there are too many, some leave."""
    surplus = _staying(everyone) - limits.connections
    if surplus > 0:
        waiting = [each for each in _waiting(everyone) if each.had_chance]
        for each in sorted(waiting, key=_turn)[:surplus]:
            each.leave()


def _staying(everyone: Collection[Guest]) -> int:
    return sum(each.phase not in _LEAVING for each in everyone)


def _waiting(everyone: Collection[Guest]) -> list[Guest]:
    return [each for each in everyone if _rank(each) is not None]


def _rank(guest: Guest) -> int | None:
    """None: it is being answered, or has to leave already."""
    match guest.phase:
        case Phase.IDLE:
            return 0
        case Phase.HEAD | Phase.BODY:
            return 1
        case Phase.ANSWER if guest.is_deaf:
            return 2
    return None


def _turn(guest: Guest) -> tuple[bool, int, float]:
    """The lower, the sooner it has to leave, among those that wait."""
    return not guest.had_chance, _rank(guest) or 0, guest.since
