"""What a database says to a write request: what was taken, what was not, and what is to be done.

Sources: runs of InfluxDB 1.6.7 and VictoriaMetrics 1.79.5; docs.influxdata.com, "Troubleshoot
issues writing data" (2.x) and "Handle write responses" (3).
"""

import json
import re
from dataclasses import replace
from typing import NamedTuple

from ruuvi_host.logs import printable
from ruuvi_host.relay.http.outcome import Advice, PostOutcome, Stage
from ruuvi_host.relay.sink import Verdict

TOO_LARGE = 413
UNSUPPORTED = 415
"""The kind of content, or how it is compressed."""

_DROPPED = re.compile(r"\bdropped[= ](\d{1,9})")
_UNREADABLE = re.compile(r"unable to parse '")
_PARTIAL = re.compile(r"\bpartial write\b")


_CONFLICT = re.compile(r"\btype conflict\b")
_OTHER_TYPES = (
    "; points of another program are there: take its schema, or another measurement (target keys)"
)


class Understood(NamedTuple):
    """What became of the points of one write request."""

    outcome: PostOutcome
    dropped: int = 0
    """Points that will never be taken, of a request that was taken otherwise."""


class _Row(NamedTuple):
    statuses: frozenset[int]
    says: re.Pattern[str]
    stage: Stage
    remedy: str
    """What to do. A person has to fix it: the points are kept."""


def _row(statuses: tuple[int, ...], says: str, stage: Stage, remedy: str) -> _Row:
    return _Row(frozenset(statuses), re.compile(says, re.IGNORECASE), stage, remedy)


_ROWS = (
    _row((404,), "database not found", Stage.PATH, "make the database: CREATE DATABASE NAME"),
    _row((400,), "database is required", Stage.PATH, "name the database: target key database"),
    _row(
        *((400, 404, 500), "retention policy not found", Stage.PATH),
        "make the retention policy, or leave the target key retention empty",
    ),
    _row(
        *((400, 404), r"bucket .*not found|bucket is required|bucket name", Stage.PATH),
        "make the bucket, or name one that is there: target key bucket",
    ),
    _row(
        *((400, 404), r"organi[sz]ation|\borg\b", Stage.PATH),
        "name the organization as the database has it: target key org",
    ),
    _row(
        *((TOO_LARGE,), "", Stage.BODY),
        "even one point is too large for it: raise the limit of size there, or in front of it",
    ),
    _row((400, 404, 500), "unknown precision|invalid precision", Stage.PATH, "use the other api"),
    _row(
        *((401, 403), "", Stage.AUTH),
        "see whether token, or user and pass, are those of the database, and may write there",
    ),
    _row(
        *((404, 405), "", Stage.PATH),
        "nothing takes points there: see whether url is the database's, and api the right one "
        "(v1: InfluxDB 1.x; v2: 2.x)",
    ),
)


def understood(outcome: PostOutcome) -> Understood:
    """outcome: of one write request, with what the server says."""
    if outcome.verdict is Verdict.ACCEPTED:
        if not outcome.page:
            return Understood(outcome)
        reason = f"the answer is a web page, {outcome.page!r}, and no database's"
        advice = Advice(Stage.PATH, "see whether url is the database's")
        fix = replace(outcome, verdict=Verdict.FIX, reason=reason, reached=True, advice=advice)
        return Understood(fix)
    if outcome.step or outcome.code is None:  # no answer
        return Understood(outcome)
    said, lines = _message(outcome.said)
    reason = f"status {outcome.code}: {printable(said)}" if said else outcome.reason
    told = replace(outcome, reason=reason, body=None)
    unreadable = len(_UNREADABLE.findall(said))
    if outcome.code in (400, 422) and _PARTIAL.search(said):
        counts = [int(count) for count in _DROPPED.findall(said)]
        dropped = max([1, lines, unreadable, *counts])
        if _CONFLICT.search(said):
            reason += _OTHER_TYPES
        return Understood(replace(told, verdict=Verdict.ACCEPTED, reason=reason), dropped)
    for row in _ROWS:
        if outcome.code in row.statuses and row.says.search(said) and not unreadable:
            if outcome.advice:  # of what usually stands in front of a server
                reason = reason.removesuffix(f" ({outcome.advice.means})")
            advice = Advice(row.stage, row.remedy)
            return Understood(replace(told, verdict=Verdict.FIX, reason=reason, advice=advice))
    return Understood(told)


def proves_reachable(outcome: PostOutcome) -> bool:
    """To a request without points: everything before the points was in order."""
    said = _message(outcome.said)[0]
    return outcome.code == 400 and "writing requires points" in said


def _message(body: str) -> tuple[str, int]:
    """What the answer says to people, and how many lines it says something about."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return "", 0
    if not isinstance(document, dict):
        return "", 0
    said = document.get("message") or document.get("error")
    lines = document.get("data")
    return said if isinstance(said, str) else "", len(lines) if isinstance(lines, list) else 0
