"""HTTP's digest access, as RFC 7616 has it and the gateway's own client sends it."""

import hashlib
import re
from dataclasses import dataclass
from enum import Enum
from hmac import compare_digest
from urllib.parse import unquote_to_bytes

from ruuvi_host.api.access.randomness import Random
from ruuvi_host.api.access.settings import Access

LASTS = 300.0
"""Seconds for which a nonce can be used."""
MOST_USED = 64
"""Nonces whose counters are kept; only who has the password uses one."""

_PART = re.compile(
    r"""
      [\s,]*+ ([!\#$%&'*+.^_`|~0-9A-Za-z-]++) \s*+ = \s*+
      (?: "( (?: [^"\\] | \\. )*+ )" | ([^\s",]*+) ) \s*+ (?: , | $ )
    """,
    re.VERBOSE | re.DOTALL,
)
_COUNT = re.compile(r"[0-9A-Fa-f]{8}")


class Verdict(Enum):
    """Of what a client has brought."""

    RIGHT = 1
    STALE = 2
    """The password is right; the nonce is old, or was used."""
    WRONG = 3


@dataclass(slots=True)
class _Used:
    made: float
    count: int


class Nonces:
    """Makes nonces, and knows them again without keeping those that nobody has used."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._key = random(32)
        self._since = int.from_bytes(random(5), "big")
        """Milliseconds that are added: how long this machine is up is nobody's business."""
        self._used: dict[str, _Used] = {}
        self._lost = -1
        """Milliseconds: of nonces made up to then nobody knows any longer how often."""

    def __len__(self) -> int:
        return len(self._used)

    def make(self, now: float) -> str:
        """64 hexadecimal digits: when it was made, something random, and our seal."""
        head = (self._since + int(now * 1000)).to_bytes(8, "big") + self._random(8)
        return (head + self._seal(head)).hex()

    def use(self, nonce: str, count: int, now: float) -> bool:
        """Is it ours, still fresh, and its counter higher than before? Only for those who have
        shown that they know the password."""
        made = self._made(nonce)
        if made is None or not 0.0 <= now - made / 1000 <= LASTS:
            return False
        used = self._used.get(nonce)
        if used is None:
            if made <= self._lost or count < 1:
                return False
            self._make_room(now)
            self._used[nonce] = _Used(made, count)
            return True
        if count <= used.count:
            return False
        used.count = count
        return True

    def _seal(self, head: bytes) -> bytes:
        return hashlib.blake2b(head, key=self._key, digest_size=16).digest()

    def _made(self, nonce: str) -> int | None:
        """Milliseconds; None: it is none of ours."""
        try:
            data = bytes.fromhex(nonce)
        except ValueError:
            return None
        if len(data) != 32 or not compare_digest(data[16:], self._seal(data[:16])):
            return None
        return int.from_bytes(data[:8], "big") - self._since

    def _make_room(self, now: float) -> None:
        if len(self._used) < MOST_USED:
            return
        self._used = {
            name: each for name, each in self._used.items() if now - each.made / 1000 <= LASTS
        }
        while len(self._used) >= MOST_USED:
            oldest = min(self._used, key=lambda name: self._used[name].made)
            self._lost = max(self._lost, int(self._used.pop(oldest).made))


def challenge(realm: str, nonce: str, *, stale: bool = False) -> str:
    """A WWW-Authenticate. Commas between the parts, which a gateway's own lacks: without them no
    usual client understands it."""
    opaque = opaque_of(realm)
    text = f'Digest realm="{realm}", qop="auth", algorithm=MD5, nonce="{nonce}", opaque="{opaque}"'
    return f"{text}, stale=true" if stale else text


def opaque_of(realm: str) -> str:
    return hashlib.sha256(realm.encode()).hexdigest()


def parts(text: str) -> dict[str, str] | None:
    """The parameters of an Authorization behind `Digest `, names in lower case; None: it is no
    such text. In any order, with quotes or without."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text.rstrip()):
        part = _PART.match(text, at)
        if part is None or (name := part[1].lower()) in found:
            return None
        quoted = part[2]
        found[name] = part[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.S)
        at = part.end()
    return found


def judge(
    text: str, access: Access, method: str, targets: tuple[str, ...], nonces: Nonces, now: float
) -> Verdict:
    """What an Authorization behind `Digest ` is worth.

    text: its octets as Latin-1. method: as in the request. targets: how the request's target may
    be written.
    """
    given = parts(text)
    if given is None or not access.secret:
        return Verdict.WRONG
    nonce, count, cnonce = given.get("nonce", ""), given.get("nc", ""), given.get("cnonce", "")
    uri = given.get("uri", "")
    fits = (
        _user(given) == access.user.encode()
        and given.get("realm") == access.realm
        and given.get("opaque", opaque_of(access.realm)) == opaque_of(access.realm)
        and given.get("algorithm", "MD5").upper() == "MD5"
        and given.get("qop") == "auth"
        and uri in targets
        and bool(_COUNT.fullmatch(count))
        and bool(cnonce)
    )
    second = _md5(f"{method}:{uri}").decode()
    right = _md5(f"{access.secret}:{nonce}:{count}:{cnonce}:auth:{second}")
    same = compare_digest(given.get("response", "").lower().encode("latin-1", "replace"), right)
    if not (fits and same):
        return Verdict.WRONG
    return Verdict.RIGHT if nonces.use(nonce, int(count, 16), now) else Verdict.STALE


def _user(given: dict[str, str]) -> bytes:
    """Octets of the name; the second form is for names that are not ASCII."""
    extended = given.get("username*")
    if "username" not in given and extended and extended.lower().startswith("utf-8'"):
        return unquote_to_bytes(extended.split("'", 2)[-1])
    return given.get("username", "").encode("latin-1", "replace")


def _md5(text: str) -> bytes:
    data = text.encode("latin-1", "replace")
    return hashlib.md5(data, usedforsecurity=False).hexdigest().encode()
