"""The trial of a configuration that could cut the host off: what it waits for, how it ends. Pure.

    APPLYING ──written, taken up──▶ RUNNING ──all proven, or time up──▶ kept
                                       │
                                       └──time up, cut off──▶ GOING_BACK ──written──▶ the one before

Each phase is on disk before what it announces is done, so that whatever is found after a power cut
says what to do: see `found`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from math import isfinite
from pathlib import Path
from typing import Any, Self

TRIES = (10, 60, 180, 290)
"""Seconds after the change, of a trial of 300: when the remote address is asked."""
USUAL = 300
LEAST_PART = 0.1
"""Of the trial, that is left at least after a restart: nothing is judged unseen."""
REMOTE = "remote"
"""In place of the name of a target: the server of the configuration."""

Texts = Mapping[Path, str | None]
"""What is in files; None: the file is not there."""


class Phase(Enum):
    """What is under way."""

    APPLYING = "applying"
    RUNNING = "running"
    GOING_BACK = "going_back"


class Found(Enum):
    """What the files say after a start."""

    NEW = "new"
    OLD = "old"
    OTHER = "other"
    """Somebody else has changed them meanwhile."""


class Verdict(Enum):
    """How a trial stands."""

    WAITING = "waiting"
    KEPT = "kept"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class TargetSign:
    """What a target has shown since the change."""

    proven: bool
    """It has accepted a delivery, or stands connected."""
    tried: bool
    """There was at least an attempt."""
    why: str = ""
    """Why the last attempt failed."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Times are UTC seconds. `before` and `after` are texts of files, with their secrets."""

    phase: Phase
    began: float
    seconds: float
    """How long it lasts at most."""
    before: Texts = field(repr=False)
    """Of every file that the change may be written to."""
    after: str = field(repr=False)
    digest: str
    """Of the fetched text."""
    voters: tuple[str, ...] = ()
    """Targets that worked before, or came in place of all of those, and are not proven yet."""
    proven: tuple[str, ...] = ()
    remote: bool = False
    """The remote address has answered."""
    why: str = ""
    """Why the way back is taken, or the last try of the remote address failed."""
    tried: tuple[str, ...] = ()
    """Voters that something was to be sent to: a restart does not make a failure undone."""

    @property
    def until(self) -> float:
        return self.began + self.seconds

    @property
    def waiting_for(self) -> list[str]:
        return [*([] if self.remote else [REMOTE]), *self.voters]

    def taken_up(self, now: float) -> Self:
        """From now on it is led. One that was just written has not been tried at all."""
        if self.phase is Phase.APPLYING:
            return replace(self, phase=Phase.RUNNING, began=now)
        return self.resumed(now)

    def resumed(self, now: float) -> Self:
        """After a restart. A clock that is wrong, or a long time without power, neither ends it
        unseen nor makes it last."""
        left = min(max(self.until - now, LEAST_PART * self.seconds), self.seconds)
        return replace(self, began=now + left - self.seconds)

    def shifted(self, step: float) -> Self:
        """After the clock was set by `step` seconds: it lasts as long as before."""
        return replace(self, began=self.began + step)

    def tries(self) -> list[float]:
        """When the remote address is asked, UTC."""
        return [self.began + each * self.seconds / USUAL for each in TRIES]

    def see_remote(self, *, answered: bool, why: str = "") -> Self:
        """After a fetch from the new address."""
        return replace(self, remote=self.remote or answered, why="" if answered else why)

    def see_targets(self, signs: Mapping[str, TargetSign]) -> Self:
        """Targets that are gone have no say any more. Where all of them are gone, those that came
        in their place have to show that they work: else nothing that is sent would arrive."""
        voters = tuple(name for name in self.voters if name in signs)
        if self.voters and not voters and not self.proven:
            voters = tuple(signs)
        proven = [name for name in voters if signs[name].proven]
        left = tuple(name for name in voters if name not in proven)
        tried = tuple(name for name in left if name in self.tried or signs[name].tried)
        return replace(self, voters=left, proven=(*self.proven, *proven), tried=tried)

    def judge(self, now: float, signs: Mapping[str, TargetSign]) -> "Judged":
        """As of now, after `see_targets(signs)`."""
        if self.remote and not self.voters:
            return Judged(Verdict.KEPT)
        if now < self.until:
            return Judged(Verdict.WAITING)
        if not self.remote:
            why = f": {self.why}" if self.why else ""
            return Judged(Verdict.BACK, f"the remote address did not answer{why}")
        # One that nothing was to be sent to has shown nothing, for it or against it.
        failed = [name for name in self.voters if name not in signs or name in self.tried]
        if failed and not self.proven:
            told = "; ".join(
                f"{name}: {signs[name].why or 'nothing accepted'}" if name in signs else name
                for name in failed
            )
            return Judged(Verdict.BACK, f"no server accepts anything any more ({told})")
        return Judged(Verdict.KEPT, degraded=tuple(failed))

    def found(self, present: Texts) -> Found:
        """What is in the files now."""
        if all(present.get(path) == text for path, text in self.before.items()):
            return Found.OLD
        others = [path for path, text in self.before.items() if present.get(path) != text]
        return Found.NEW if all(present.get(p) == self.after for p in others) else Found.OTHER

    def was_not_begun(self, present: Texts) -> bool:
        """Nothing was written yet: who was to do it has died."""
        return self.phase is Phase.APPLYING and self.found(present) is Found.OLD

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "phase": self.phase.value,
            "began": self.began,
            "seconds": self.seconds,
            "before": {str(path): text for path, text in self.before.items()},
            "after": self.after,
            "digest": self.digest,
            "voters": list(self.voters),
            "proven": list(self.proven),
            "tried": list(self.tried),
            "remote": self.remote,
            "why": self.why,
        }

    @classmethod
    def from_document(cls, document: Any) -> Self:
        """Raises KeyError, TypeError, ValueError, AttributeError for what is none."""
        before = {Path(path): text for path, text in document["before"].items()}
        if not all(text is None or isinstance(text, str) for text in before.values()):
            raise TypeError("a file is no text")
        began, seconds = float(document["began"]), float(document["seconds"])
        if not (isfinite(began) and isfinite(seconds) and seconds > 0):
            raise ValueError("its times are none")
        return cls(
            Phase(document["phase"]),
            began,
            seconds,
            before,
            str(document["after"]),
            str(document["digest"]),
            _names(document["voters"]),
            _names(document["proven"]),
            document["remote"] is True,
            str(document["why"]),
            # What was written before the host kept them has none.
            _names(document.get("tried", ())),
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """How a trial stands, and why."""

    verdict: Verdict
    why: str = ""
    degraded: tuple[str, ...] = ()
    """Targets that worked before, and do not now, while others do."""


def _names(names: Collection[Any]) -> tuple[str, ...]:
    return tuple(str(name) for name in names)
