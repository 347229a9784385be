"""Is the host doing its work? A pure judgement: facts and a time in, a level and a sentence out.

OK        Reports come in, or the radio is quiet; every target accepts its batches.
DEGRADED  Something is wrong, the log says what, and nothing is lost that can be kept: a server is
          down, a coprocessor is unplugged, the clock is not synchronised yet.
FAULT     There is no such reason: the port is there and nobody answers, a relay stands still, data
          is being lost. Whoever watches the process should restart it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import inf

LINK_PATIENCE = 900.0
"""Seconds without an answer from a port that is there. By then the port has been closed and opened
again some thirty times; a new process is the last thing that is left to try."""
STANDSTILL = 90.0
"""Seconds that a relay may be late: longer than anything in it may take, under load too."""
LOSING_PATIENCE = 300.0
"""Seconds for which what waits for a target may be in memory only, if a new start may help."""
WRITING = 10.0
"""Seconds that writing may take without being worth a word."""
FILTERED_QUIET = 300.0
"""Seconds without a report after which the filter of the coprocessor is named."""
QUIET = 120.0
"""Seconds without a report that are worth mentioning."""


class Level(IntEnum):
    """The worse, the higher."""

    OK = 0
    DEGRADED = 1
    FAULT = 2


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """One coprocessor."""

    name: str
    """Its port."""
    answers: bool
    present: bool
    """The port is there. Of one behind a network nobody knows: False."""
    answered: float
    """When it was last seen to answer; before the first time: when the host began."""
    reported: float | None = None
    """When it last sent a report."""
    damage: str = ""
    """What damages the bytes of its line, while that lasts; empty: nothing."""
    ready: float | None = None
    """When it was first configured."""
    company: int | None = None
    """The only company whose data passes; None: that of all."""


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """One relay. Times are monotonic seconds."""

    name: str
    batch_due: float
    """When the next batch is to be cut."""
    step_due: float = inf
    """When the attempt under way must have ended, or the pause after one that failed; inf: there
    is nothing to deliver."""
    failing: str = ""
    """Why the last attempt was not accepted; empty: it was, or there was none."""
    served: float = 0.0
    """When a batch was last accepted; before the first time: when the relay began."""
    answered: float = 0.0
    """When it was last proven that it can be reached, with a batch accepted or not."""
    waiting: int = 0
    """Batches."""
    network: bool = True
    """It is reached over a network, and judged by the network watchdog."""
    unkept_since: float | None = None
    """Since when something that waits could not be written; None: all of it is on disk."""
    unkept_why: str = ""
    no_room: bool = False
    """The disk is full or read-only: a new start would only cost what is in memory."""
    lost: int = 0
    """Batches that were not delivered, and are gone."""
    growth: float | None = None
    """Batches an hour by which the backlog grows; negative: it shrinks. None: neither."""
    connection: str = ""
    """How a connection is that is kept; empty: there is none of that kind."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is to be said."""

    level: Level
    sentence: str
    also: bool = False
    """It is said when something is worse, too."""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Everything that the judgement is about."""

    links: Sequence[LinkFacts]
    targets: Sequence[TargetFacts]
    hindrance: str = ""
    """Why nothing is relayed at all yet, as "the clock is not right"; empty: it is."""
    others: Sequence[Finding] = ()
    """What is judged elsewhere: of the configuration, and what is dropped because of a limit."""


@dataclass(frozen=True, slots=True)
class Health:
    """The judgement."""

    findings: tuple[Finding, ...]
    """The worst first."""

    @property
    def level(self) -> Level:
        return self.findings[0].level

    @property
    def sentence(self) -> str:
        """One line."""
        all_is_well = self.level is Level.OK
        worth = (f for f in self.findings if all_is_well or f.also or f.level is not Level.OK)
        return "; ".join(finding.sentence for finding in worth)


@dataclass(frozen=True, slots=True)
class Unreachable:
    """What the network watchdog has found."""

    silent: dict[str, str]
    """Target → a sentence without its name; only those that have not answered for too long."""
    all_of_them: bool
    """No target behind a network answers. As long as one does, a restart would cost more than it
    can fix."""


def judge(facts: HostFacts, now: float) -> Health:
    """now: monotonic seconds."""
    # As long as one coprocessor answers, a new start would cost more than it can fix.
    some_answer = any(link.answers for link in facts.links)
    findings = [_link(link, now, excused=some_answer) for link in facts.links]
    if facts.hindrance:
        findings.append(Finding(Level.DEGRADED, f"nothing is relayed: {facts.hindrance}"))
    else:
        findings += [_target(target, now) for target in facts.targets]
    findings += facts.others
    return Health(tuple(sorted(findings, key=lambda finding: -finding.level)))


def unreachable(facts: HostFacts, now: float, limit: float) -> Unreachable:
    """The network watchdog: each target behind a network is judged for itself.

    limit: seconds without an answer that proves that it can be reached.
    """
    networks = [target for target in facts.targets if target.network]
    silent = {
        t.name: f"no answer to a batch for {minutes(now - t.answered)}"
        for t in networks
        if now - t.answered >= limit
    }
    return Unreachable(silent, all_of_them=0 < len(silent) == len(networks))


def _link(link: LinkFacts, now: float, *, excused: bool) -> Finding:
    if link.answers and link.damage:
        return Finding(Level.DEGRADED, f"{link.name}: {link.damage}")
    if link.answers:
        heard = link.ready if link.reported is None else link.reported
        only = ""
        if link.company is not None and heard is not None and now - heard >= FILTERED_QUIET:
            only = f"; only company 0x{link.company:04X} passes (company_use_filtering)"
        if link.reported is None:
            return Finding(Level.OK, f"no reports yet{only}", bool(only))
        if (quiet := now - link.reported) >= QUIET:
            said = f"no reports for {minutes(quiet)}, the coprocessor answers{only}"
            return Finding(Level.OK, said, bool(only))
        return Finding(Level.OK, "reports flow")
    silent = now - link.answered
    if not link.present:
        return Finding(Level.DEGRADED, f"{link.name}: no coprocessor for {minutes(silent)}")
    level = Level.FAULT if silent >= LINK_PATIENCE and not excused else Level.DEGRADED
    return Finding(level, f"{link.name}: no answer from the coprocessor for {minutes(silent)}")


def _target(target: TargetFacts, now: float) -> Finding:
    name = target.name
    if (late := now - min(target.batch_due, target.step_due)) >= STANDSTILL:
        return Finding(Level.FAULT, f"{name}: its relay has stood still for {minutes(late)}")
    lost = f", lost {target.lost}" if target.lost else ""
    growth = target.growth or 0.0
    trend = f", {rate(growth)}" if growth > 0 else ""
    if not target.failing:
        waiting = f", waiting {target.waiting}" if target.waiting else ""
        if trend:
            said = f"{name}: batches are accepted, but more are made{waiting}{trend}{lost}"
            return Finding(Level.DEGRADED, said)
        return Finding(Level.OK, f"{name}: batches are accepted{waiting}{lost}")
    said = (
        f"{name}: nothing accepted for {minutes(now - target.served)} ({target.failing}), "
        f"batches kept {target.waiting}{trend}{lost}"
    )
    unkept = 0.0 if target.unkept_since is None else now - target.unkept_since
    if unkept < WRITING:
        return Finding(Level.DEGRADED, said)
    level = Level.DEGRADED
    if unkept >= LOSING_PATIENCE and not target.no_room:
        level = Level.FAULT
    why = f" ({target.unkept_why})" if target.unkept_why else ""
    return Finding(level, f"{said}; what comes cannot be written for {minutes(unkept)}{why}")


def rate(growth: float) -> str:
    """How a backlog grows or shrinks, in words."""
    return f"{'growing' if growth > 0 else 'shrinking'} by {abs(growth):.0f} an hour"


def minutes(seconds: float) -> str:
    seconds = max(seconds, 0.0)  # what happened while we were looking; "-0 s" tells nobody anything
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
