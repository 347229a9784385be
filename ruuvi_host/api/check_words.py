"""What the outcome of a check is called: in the gateway's words, and in ours. Pure.

Source of the gateway's: ruuvi.gateway_esp.c http.c, http_server_cb.c.
"""

from ruuvi_host.relay.http.outcome import TOO_MANY_REQUESTS, PostOutcome, Stage, Step
from ruuvi_host.relay.kinds import CheckResult
from ruuvi_host.relay.sink import Verdict

LONGEST_BODY = 1024
"""Bytes of what a server says that are passed on."""
BAD_GATEWAY = 502

_ERRORS = {Step.ANSWER: 0x7004}
"""ESP_ERR_HTTP_FETCH_HEADER."""
_NOT_CONNECTED = 0x7002
"""ESP_ERR_HTTP_CONNECT, which stands for everything up to TLS."""

_REDIRECTED = (
    "a check follows no redirect, and the relay only where that is safe: enter the address that "
    "the server wants to be used; with http.redirect_get, see in the log what is accepted"
)


def of_post(outcome: PostOutcome) -> tuple[int, str]:
    """Status and message of a gateway, of a post."""
    status = outcome.code
    if outcome.verdict is Verdict.ACCEPTED:
        return 200, "{}"
    if status is None:
        return _unanswered(outcome)
    body = outcome.said.encode("utf-8", "replace")[:LONGEST_BODY].decode("utf-8", "ignore")
    told = f"HTTP response status: {status}, Message from the server: {body}" if body else ""
    return 200 if status == TOO_MANY_REQUESTS else status, told


def of_head(outcome: PostOutcome) -> tuple[int, str]:
    """Status and message of a gateway, of a HEAD request."""
    return (outcome.code, "") if outcome.code is not None else _unanswered(outcome)


def incorrect(url: str) -> str:
    return f"Incorrect URL: '{url}'"


def no_network(description: str, number: int = _NOT_CONNECTED) -> str:
    """The message for what keeps us from getting an answer."""
    return (
        f"Network error when communicating with the server, err={number}, description={description}"
    )


def in_sentences(result: CheckResult) -> str:
    """What happened, and what to do, for the page."""
    remedy = _REDIRECTED if result.step == Stage.REDIRECT.value else result.remedy
    parts = [result.reason] if result.delivered else [result.reason, remedy]
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in parts if part)


def _unanswered(outcome: PostOutcome) -> tuple[int, str]:
    """Of a request that got no answer."""
    if outcome.timed_out:
        return BAD_GATEWAY, "Timeout waiting for a response from the server"
    match outcome.step:
        case Step.NAME:
            return BAD_GATEWAY, "Failed to resolve hostname"
        case Step.NEAR:
            return 400, f"{outcome.reason}: api.check_local allows such checks"
        case Step.FILES:
            return 400, outcome.reason
        case step:
            number = _ERRORS.get(step, _NOT_CONNECTED) if step else _NOT_CONNECTED
            return BAD_GATEWAY, no_network(outcome.reason, number)
