"""The keys that clients have agreed with us: one for each session, else for each address."""

from collections import Counter
from dataclasses import dataclass, field, replace

MOST = 16
LASTS = 1800.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class _Agreed:
    address: str
    sessions: frozenset[str] = field(repr=False)
    key: bytes = field(repr=False)
    until: float


class AgreedKeys:
    """The newest is the last. Who agrees on too many loses their own."""

    def __init__(self) -> None:
        self._agreed: list[_Agreed] = []

    def __len__(self) -> int:
        return len(self._agreed)

    def add(self, key: bytes, address: str, sessions: frozenset[str], now: float) -> None:
        """A key for these sessions (open, or opened by the next login) and this address."""
        self._agreed = [
            each
            for each in self._agreed
            if now < each.until and not (each.address == address and each.sessions <= sessions)
        ]
        if len(self._agreed) >= MOST:
            [(busiest, _)] = Counter(each.address for each in self._agreed).most_common(1)
            self._agreed.remove(next(e for e in self._agreed if e.address == busiest))
        self._agreed.append(_Agreed(address, sessions, key, now + LASTS))

    def hand_on(self, address: str, sessions: frozenset[str], session: str) -> None:
        """The key of one of these sessions is that of this one, too: the client gets its name."""
        self._agreed = [
            replace(each, sessions=each.sessions & sessions | {session})
            if each.address == address and each.sessions & sessions
            else each
            for each in self._agreed
        ]

    def find(self, address: str, sessions: frozenset[str], now: float) -> bytes | None:
        """The key of one of these sessions; else the newest of this address."""
        here = [e for e in reversed(self._agreed) if e.address == address and now < e.until]
        for each in here:
            if each.sessions & sessions:
                return each.key
        return here[0].key if here else None
