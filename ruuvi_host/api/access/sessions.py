"""Challenges for logging in, and the sessions that follow: few of each, for one address each."""

import hashlib
from collections import Counter
from dataclasses import dataclass

from ruuvi_host.api.access.randomness import Random, challenge, session_id

MOST = 16
"""Challenges, and sessions."""
ANSWER_WITHIN = 300.0
"""Seconds for which a challenge can be answered."""
LONGEST = 24 * 3600.0
IDLE = 2 * 3600.0


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a client has to answer, once."""

    session: str
    """The session that a right answer opens."""
    text: str
    address: str
    until: float

    def answer(self, secret: str) -> str:
        """The right one."""
        return hashlib.sha256(f"{self.text}:{secret}".encode("utf-8", "surrogatepass")).hexdigest()


class Challenges:
    """The open ones. Who asks for too many loses their own."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._open: dict[str, Challenge] = {}

    def __len__(self) -> int:
        return len(self._open)

    def make(self, address: str, now: float) -> Challenge:
        """A new one."""
        self._open = {name: each for name, each in self._open.items() if now < each.until}
        if len(self._open) >= MOST:
            del self._open[self._least_wanted()]
        text = challenge(self._random)
        made = Challenge(session_id(self._random), text, address, now + ANSWER_WITHIN)
        self._open[made.session] = made
        return made

    def take(self, session: str, address: str, now: float) -> Challenge | None:
        """The one of this session and address: it is open no longer. None: there is none."""
        found = self._open.get(session)
        if found is None or found.address != address:
            return None
        del self._open[session]
        return found if now < found.until else None

    def _least_wanted(self) -> str:
        """The oldest of the address that has the most."""
        [(busiest, _)] = Counter(each.address for each in self._open.values()).most_common(1)
        return next(name for name, each in self._open.items() if each.address == busiest)


@dataclass(slots=True)
class _Session:
    address: str
    until: float
    idle: float
    """Monotonic seconds from which on it is closed unless it is used."""


class Sessions:
    """The open ones."""

    def __init__(self) -> None:
        self._open: dict[str, _Session] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self, session: str, address: str, now: float) -> None:
        """One too many ends the oldest."""
        self._end_old(now)
        if session not in self._open and len(self._open) >= MOST:
            del self._open[next(iter(self._open))]
        self._open[session] = _Session(address, now + LONGEST, now + IDLE)

    def use(self, session: str, address: str, now: float) -> bool:
        """Is it open, for this address? Then it is not idle."""
        self._end_old(now)
        found = self._open.get(session)
        if found is None or found.address != address:
            return False
        found.idle = now + IDLE
        return True

    def close(self, session: str) -> None:
        self._open.pop(session, None)

    def clear(self) -> None:
        self._open.clear()

    def _end_old(self, now: float) -> None:
        ended = [name for name, each in self._open.items() if now >= min(each.until, each.idle)]
        for name in ended:
            del self._open[name]
