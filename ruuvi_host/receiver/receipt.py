"""A receipt: what became of one request."""

from dataclasses import dataclass

from ruuvi_host.receiver.examine import Headers, Verdict

TEXT_LIMIT = 200
"""Characters of foreign text in a line."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One request and what became of it."""

    time: float
    """Wall seconds."""
    client: str
    """Address and port it came from."""
    request: str
    """Method and target; empty when it did not come to that."""
    verdict: Verdict
    answered: bool = True
    """False when nobody waited for an answer, or none was given."""
    headers: Headers = ()
    """As they came, names in lower case."""
    body: bytes = b""
    """Exactly as it came."""


def printable(text: str, limit: int = TEXT_LIMIT) -> str:
    """Foreign text as printable ASCII (the rest becomes escapes), cut to a length."""
    safe = text[:limit].encode("unicode_escape").decode("ascii")
    return safe if len(text) <= limit and len(safe) <= limit else safe[:limit] + "..."
