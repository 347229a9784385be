"""What the answer of a server means for a fetch. Pure.

Source of the rules: ruuvi.gateway_esp.c http_download.c (200 with a body, and nothing else).
"""

import re
from dataclasses import replace

from ruuvi_host.config.url import Address
from ruuvi_host.logs import printable
from ruuvi_host.relay.http.answer import Answer as Reply
from ruuvi_host.relay.http.outcome import PostOutcome, Step, parse_retry_after
from ruuvi_host.relay.http.secrets import without
from ruuvi_host.remote.addresses import Place
from ruuvi_host.remote.answer import Failed
from ruuvi_host.remote.schedule import LONGEST_RETRY_AFTER

LONGEST = 256 * 1024
"""Bytes of a file. A gateway's whole configuration has less than 8 KiB."""
BAD_GATEWAY = 502
NOT_THERE = frozenset({404, 410})
"""Then, and only then, the file for all is asked for: behind any other failure there may be a file
of this host, and that for all would make it another one."""

_REFUSED_ACCESS = frozenset({401, 403})
_ASKS_FOR_PATIENCE = frozenset({429, 503})
_EMPTY = 400
"""What a gateway calls an answer without a body."""
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_NOT_TO_BE_KEPT = re.compile(r"(?:^|[\s,])(?:no-store|no-cache)(?:[\s,=]|$)", re.IGNORECASE)


def of_status(reply: Reply, place: Place, secrets: tuple[str, ...], *, own: bool) -> Failed:
    """Of a status that is no success. own: it is of the server that is configured."""
    status = reply.status
    reason = f"status {status} {printable(without(secrets, reply.phrase))}".rstrip()
    # Behind any success there may be a configuration, with secrets that nobody here knows.
    if status >= 300 and (said := reply.says(secrets)):
        reason += f": {said}"
    if not own:
        reason += " (a redirect led to that server, which gets no authorization of ours)"
    if status in _REFUSED_ACCESS:
        result = "auth"
    elif status in NOT_THERE:
        result = "not_found"
    else:
        result = f"http_{status}"
    retry = None
    if status in _ASKS_FOR_PATIENCE:
        retry = parse_retry_after(reply.header(b"retry-after"), most=LONGEST_RETRY_AFTER)
    without_body = 200 <= status < 300 and not reply.body
    return Failed(
        *(result, _EMPTY if without_body else status, reason, place.url, retry),
        absent_for=max_age(reply.header(b"cache-control")),
        said=reply.text(secrets),
        answered=status,
    )


def of_body(reply: Reply, place: Place, *, late: bool) -> str | Failed:
    """The text of a 200. late: the time was up."""
    text = _body(reply, place, late=late)
    if isinstance(text, Failed) and text.result != "unreachable":
        return replace(text, answered=reply.status)
    return text


def _body(reply: Reply, place: Place, *, late: bool) -> str | Failed:
    declared = reply.header(b"content-length") or b""
    if (declared.isdigit() and int(declared) > LONGEST) or (
        len(reply.body) >= LONGEST and not reply.whole
    ):
        why = f"the file has more than {LONGEST // 1024} KiB"
        return Failed("too_long", BAD_GATEWAY, why, place.url)
    if not reply.whole and late:
        why = "the file was not complete when the time was up"
        return Failed("unreachable", BAD_GATEWAY, why, place.url, cause="time")
    if not reply.whole:
        why = "the connection ended before the file was complete"
        return Failed("unreachable", BAD_GATEWAY, why, place.url)
    if not reply.body:
        return Failed("refused", _EMPTY, "the file is empty", place.url)
    coding = (reply.header(b"content-encoding") or b"").strip().lower()
    if coding not in (b"", b"identity"):
        told = printable(coding.decode("latin-1"), 40)
        why = f"the file came compressed ({told}), which was not asked for"
        return Failed("refused", BAD_GATEWAY, why, place.url)
    try:
        return reply.body.decode("utf-8")
    except UnicodeDecodeError as error:
        why = f"the file is not UTF-8: byte {error.start}"
        return Failed("refused", BAD_GATEWAY, why, place.url)


def of_redirect(why: str, status: int, place: Place) -> Failed:
    return Failed(f"http_{status}", status, why, place.url)


def of_silence(seconds: float, address: Address, place: Place) -> Failed:
    why = f"no answer of {address.server} within {seconds:g} s"
    return Failed("unreachable", BAD_GATEWAY, why, place.url, cause="time")


def of_failure(outcome: PostOutcome, place: Place) -> Failed:
    """No answer came; `outcome` tells how far we got."""
    cause = {Step.NAME: "name", Step.NEAR: "near", Step.FILES: "file"}.get(
        outcome.step or Step.ANSWER, ""
    )
    if outcome.step is Step.REDIRECT:
        return of_redirect(outcome.reason, outcome.code or BAD_GATEWAY, place)
    result = "tls" if outcome.step in (Step.TLS, Step.FILES) else "unreachable"
    return Failed(result, BAD_GATEWAY, outcome.reason, place.url, cause=cause)


def max_age(cache_control: bytes | None) -> float | None:
    """Seconds for which an answer counts by its Cache-Control; None: it does not say."""
    text = (cache_control or b"").decode("latin-1")
    if _NOT_TO_BE_KEPT.search(text):
        return 0.0
    found = _MAX_AGE.search(text)
    return float(found[1]) if found else None
