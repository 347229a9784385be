"""Lets in or not: keys, sessions and passwords, with what has to be remembered for that."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from ruuvi_host.api.access.digest import Nonces, Verdict, judge
from ruuvi_host.api.access.lockout import Lockout
from ruuvi_host.api.access.randomness import Random
from ruuvi_host.api.access.sessions import Challenges, Sessions
from ruuvi_host.api.access.settings import Access, AccessType, is_secret


class By(Enum):
    """What let a client in."""

    NOTHING = "nothing"
    """It was not asked, or is not in."""
    KEY = "key"
    """For reading."""
    KEY_RW = "key_rw"
    """For reading and writing."""
    SESSION = "session"
    BASIC = "basic"
    DIGEST = "digest"
    ALLOW = "allow"
    """Everybody is in."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    address: str
    """Of the client; empty: it came over a Unix socket."""
    by: By = By.NOTHING
    session: str = field(default="", repr=False)

    @property
    def may_write(self) -> bool:
        """And start checks, which use saved secrets."""
        return self.by not in (By.NOTHING, By.KEY)


@dataclass(frozen=True, slots=True)
class Asked:
    """What counts of a request for who may ask. Texts are octets as Latin-1."""

    method: str
    targets: tuple[str, ...]
    """How its target (path and query) may be written."""
    address: str
    authorization: str = field(default="", repr=False)
    sessions: tuple[str, ...] = field(default=(), repr=False)
    """The session cookies, whatever they are worth."""

    @property
    def scheme(self) -> str:
        """Of the Authorization, in lower case."""
        return self.authorization.partition(" ")[0].lower()

    @property
    def brought(self) -> str:
        """What stands behind the scheme."""
        return self.authorization.partition(" ")[2]

    @property
    def brought_text(self) -> str:
        """The same, read as UTF-8."""
        return self.brought.encode("latin-1").decode("utf-8", "surrogateescape")

    @property
    def brings_secret(self) -> bool:
        """Something that may be a guess."""
        return self.scheme in ("bearer", "basic", "digest")


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a request."""

    caller: Caller
    stale: bool = False
    """Its digest was right, and too old."""

    @property
    def is_in(self) -> bool:
        return self.caller.by is not By.NOTHING


class Admission:
    """All that is remembered of clients. Bounded, in memory only.

    random: where challenges, sessions and nonces come from. on_lock: is told the address that has
    guessed too often, and the seconds for which it may not.
    """

    def __init__(self, random: Random, on_lock: Callable[[str, float], None]) -> None:
        self._on_lock = on_lock
        self.challenges = Challenges(random)
        self.sessions = Sessions()
        self.nonces = Nonces(random)
        self.lockout = Lockout(random)
        self.access = Access(AccessType.DENY, "")
        """The settings in force."""

    def follow(self, access: Access) -> None:
        """The settings are these now."""
        if access == self.access:
            return
        if access.credentials != self.access.credentials:
            self.sessions.clear()
        self.access = access

    def by_key(self, asked: Asked, now: float, *, write: bool) -> Judged | None:
        """A request with a bearer key; None: it brings none."""
        if asked.scheme != "bearer":
            return None
        if is_secret(asked.brought_text, self.access.key_rw):
            by = By.KEY_RW
        elif is_secret(asked.brought_text, self.access.key):
            by = By.NOTHING if write else By.KEY  # refused, but no guess
        else:
            self._failed(asked.address, asked.authorization, now)
            return Judged(Caller(asked.address))
        self.lockout.succeeded(asked.address)
        return Judged(Caller(asked.address, by))

    def by_type(self, asked: Asked, now: float) -> Judged:
        """A request without one: the access type decides."""
        match self.access.type:
            case AccessType.DEFAULT | AccessType.RUUVI:
                return self._by_session(asked, now)
            case AccessType.ALLOW:
                return Judged(Caller(asked.address, By.ALLOW))
            case AccessType.BASIC if asked.scheme == "basic":
                right = is_secret(asked.brought_text, self.access.secret)
                return self._by_secret(asked, Verdict.RIGHT if right else Verdict.WRONG, now)
            case AccessType.DIGEST if asked.scheme == "digest":
                verdict = judge(
                    *(asked.brought, self.access, asked.method, asked.targets, self.nonces, now)
                )
                return self._by_secret(asked, verdict, now)
        return Judged(Caller(asked.address))

    def open_session(self, asked: Asked, now: float) -> str | None:
        """The open one of this request."""
        for name in asked.sessions:
            if self.sessions.use(name, asked.address, now):
                return name
        return None

    def log_in(self, asked: Asked, user: str, answer: str, now: float) -> bool | None:
        """Answer a challenge. None: there is none to be answered, so nothing was tried."""
        taken = (self.challenges.take(name, asked.address, now) for name in asked.sessions)
        found = next(filter(None, taken), None)
        if found is None:
            return None
        is_user = is_secret(user, self.access.user)
        right = bool(self.access.secret) and is_secret(answer, found.answer(self.access.secret))
        if not (is_user and right):
            self._failed(asked.address, "", now)
            return False
        self.lockout.succeeded(asked.address)
        self.sessions.open(found.session, asked.address, now)
        return True

    def _failed(self, address: str, brought: str, now: float) -> None:
        if lasts := self.lockout.failed(address, brought, now):
            self._on_lock(address, lasts)

    def _by_session(self, asked: Asked, now: float) -> Judged:
        session = self.open_session(asked, now)
        if session is None:
            return Judged(Caller(asked.address))
        return Judged(Caller(asked.address, By.SESSION, session))

    def _by_secret(self, asked: Asked, verdict: Verdict, now: float) -> Judged:
        if verdict is Verdict.WRONG:
            self._failed(asked.address, asked.authorization, now)
            return Judged(Caller(asked.address))
        self.lockout.succeeded(asked.address)
        if verdict is Verdict.STALE:
            return Judged(Caller(asked.address), stale=True)
        by = By.BASIC if self.access.type is AccessType.BASIC else By.DIGEST
        return Judged(Caller(asked.address, by))
