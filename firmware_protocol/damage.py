"""Bytes that are in no intact frame: how many there were lately, and what damages them.

Looked at once for each read that brought some, and never on a line that is in order. What is kept
of them is bounded: the first bytes of a life, where a telnet server greets, and the newest ones.
"""

from dataclasses import dataclass
from math import inf

from firmware_protocol.damage_causes import DamageCause, cause_of, has_greeting
from firmware_protocol.framing import OVERHEAD, ScannerCounters

WINDOW = 60.0
"""Seconds that are judged together."""
SETTLED = 5.0
"""Seconds after which a judgement counts: a burst of noise is shorter."""
OFTEN = 3
"""Reads with damage that are no chance any more."""
WORTH_A_WORD = 0.01
"""Part of the bytes. At rest a line damages none."""
SMALL = 32
"""Bytes that may be damaged without a word: when a board reboots, its line may bring a few."""
FIRST_FRAME = 255 + OVERHEAD
"""A port is opened in the middle of a frame: so many bytes before the first intact one are no
damage."""
EXCUSE = 0.2
"""Seconds in which these bytes come. What comes later and is no frame is damaged, as the answer to
the second try of a question."""
HEAD, TAIL = 64, 2048
"""Bytes that are kept of the beginning, and of the newest."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What was in no frame within a while, beyond what stands before the first one."""

    received: int
    """Bytes, all of them."""
    skipped: int
    """Bytes in no frame."""
    reads: int
    """That brought such bytes."""
    seconds: float
    """For which this was seen."""
    at: float
    """When the last one came, by the time of the calls."""
    cause: DamageCause

    @property
    def share(self) -> float:
        """Part of the bytes that is damaged, 0..1."""
        return self.skipped / self.received if self.received else 0.0

    @property
    def lasts(self) -> bool:
        """It is neither a chance nor over in a moment."""
        is_much = self.skipped >= SMALL and self.share >= WORTH_A_WORD
        return is_much and self.seconds >= SETTLED and self.reads >= OFTEN


class DamageWatch:
    """Of one life of a link. counters: of its scanner."""

    def __init__(self, counters: ScannerCounters) -> None:
        self.is_due = False
        """There is something that `tell` will tell."""
        self._counters = counters
        self._head = b""
        self._tail = b""
        self._excused = 0
        self._excuse_until = inf
        self._window = _Window()
        self._before: Damage | None = None

    def look(self, skipped: bytes, now: float, *, first: bool) -> None:
        """The bytes of a read that are in no frame. first: no frame had come before it."""
        window = self._window
        if now - window.began >= WINDOW:
            window = self._begin(now, len(skipped))
        window.at = now
        self._tail = (self._tail + skipped[-TAIL:])[-TAIL:]
        if first:
            self._head = (self._head + skipped[:HEAD])[:HEAD]
            self._excuse_until = min(self._excuse_until, now + EXCUSE)
            left = FIRST_FRAME - self._excused if now < self._excuse_until else 0
            excused = min(len(skipped), left)
            self._excused += excused
            self.is_due = not window.told and has_greeting(self._head)
            if excused == len(skipped):
                return
            skipped = skipped[excused:]
        window.skipped += len(skipped)
        window.reads += 1
        if not window.told and self._found(DamageCause.UNKNOWN).lasts:
            self.is_due = True

    @property
    def damage(self) -> Damage | None:
        """What is known now; None: nothing is damaged."""
        counters, window = self._counters, self._window
        if not counters.bytes_in_frames:  # so there is no first one that would excuse the others
            any_damage = bool(window.skipped or self._excused)
        else:
            any_damage = bool(window.skipped) or has_greeting(self._head)
        if not any_damage:
            return self._before
        any_frame = counters.bytes_in_frames > 0
        found = self._found(cause_of(self._tail, self._head, any_frame=any_frame))
        return found if found.lasts or not self._before else self._before

    def tell(self) -> Damage | None:
        """What is to be told, when it `is_due`: damage that lasts, or is certain to come. Once in
        a window."""
        self.is_due = False
        self._window.told = True
        return self.damage

    def _found(self, cause: DamageCause) -> Damage:
        window = self._window
        is_first = not self._counters.bytes_in_frames
        return Damage(
            received=self._counters.bytes_received - window.received_before,
            skipped=window.skipped + (self._excused if is_first else 0),
            reads=window.reads,
            seconds=window.at - window.began,
            at=window.at,
            cause=cause,
        )

    def _begin(self, now: float, size: int) -> "_Window":
        """A new window. What was seen in the last one counts until this one is settled."""
        before, after = self._window, self.damage if self._window.reads else None
        is_recent = after is not None and after.lasts and now - after.at < WINDOW
        self._before = after if is_recent else None
        self._tail = b""
        # Of a life that has just begun all bytes count; later on those from here on.
        received = self._counters.bytes_received - size if before.at else 0
        self._window = _Window(began=now, received_before=received)
        return self._window


@dataclass(slots=True)
class _Window:
    """What came in a while."""

    began: float = -inf
    received_before: int = 0
    skipped: int = 0
    reads: int = 0
    at: float = 0.0
    told: bool = False
