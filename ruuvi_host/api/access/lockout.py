"""Who guesses keys and passwords has to wait, and longer each time; nobody else at all.

Source: local API of the gateway, what a host must refuse.
"""

import hashlib
from collections import deque
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from ruuvi_host.api.access.randomness import Random

LIMIT = 5
"""Failures of one address within WINDOW; from then on each one locks it."""
WINDOW = 60.0
"""Seconds."""
FIRST, LONGEST = 2.0, 60.0
"""Seconds of the first lock, which doubles, and of the longest."""
ALL = 10
"""Failures a second of all addresses together."""
MOST = 2048
"""Addresses. More than ALL can bring here within the time that one of them is remembered."""
MOST_KNOWN = 16
"""Wrong keys that an address is known to have; and they are kept as hashes."""
MOST_TRUSTED = 64
"""Addresses that were let in, and do not wait for the failures of others."""


@dataclass(slots=True)
class _Guesser:
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=LIMIT))
    locks: int = 0
    until: float = 0.0
    seen: float = 0.0
    known: deque[bytes] = field(default_factory=lambda: deque(maxlen=MOST_KNOWN))


class Lockout:
    """Failures by address; of IPv6 by the network that one customer gets (/64)."""

    def __init__(self, random: Random) -> None:
        self._salt = random(16)
        self._guessers: dict[str, _Guesser] = {}
        self._all: deque[float] = deque(maxlen=ALL)
        self._trusted: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._guessers)

    def wait(self, address: str, now: float) -> float:
        """Seconds until this address may bring a key or a password again; 0: it may."""
        client = of_one(address)
        guesser = self._guessers.get(client)
        own = guesser.until - now if guesser else 0.0
        others = 0.0
        if client not in self._trusted and len(self._all) == ALL:
            others = self._all[0] + 1.0 - now
        return max(own, others, 0.0)

    def failed(self, address: str, brought: str, now: float) -> float:
        """A key or a password was wrong. Returns the seconds for which that locks the address.

        brought: the very text, which counts once: a client with an old key is no guesser.
        Empty: it counts each time.
        """
        client = of_one(address)
        self._trusted.pop(client, None)
        guesser = self._guessers.get(client)
        if guesser is None or now - max(guesser.seen, guesser.until) > WINDOW:
            self._forget(now)
            guesser = self._guessers[client] = _Guesser()
        guesser.seen = now
        if brought:
            text = brought.encode("utf-8", "surrogatepass")
            digest = hashlib.blake2b(text, key=self._salt, digest_size=16).digest()
            if digest in guesser.known:
                return 0.0
            guesser.known.append(digest)
        self._all.append(now)
        guesser.failures.append(now)
        many = len(guesser.failures) == LIMIT and now - guesser.failures[0] <= WINDOW
        if not (many or guesser.locks):
            return 0.0
        lasts = min(FIRST * 2.0**guesser.locks, LONGEST)
        guesser.locks = min(guesser.locks + 1, 10)
        guesser.until = now + lasts
        return lasts

    def succeeded(self, address: str) -> None:
        """A key or a password was right. That forgives nothing: who has one key may guess at
        another."""
        client = of_one(address)
        self._trusted.pop(client, None)
        self._trusted[client] = None
        if len(self._trusted) > MOST_TRUSTED:
            del self._trusted[next(iter(self._trusted))]

    def _forget(self, now: float) -> None:
        """Those that have been quiet; and of too many the one that was for the longest time."""
        if len(self._guessers) < MOST:
            return
        self._guessers = {
            name: each
            for name, each in self._guessers.items()
            if now - max(each.seen, each.until) <= WINDOW
        }
        if len(self._guessers) >= MOST:
            quiet = min(self._guessers, key=lambda name: self._guessers[name].seen)
            del self._guessers[quiet]


def of_one(address: str) -> str:
    """What stands for all addresses that one client can have."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return parsed.packed[:8].hex()
    return str(parsed)
