"""A receipt: what became of one request."""

from dataclasses import dataclass

from ruuvi_host.receiver.examine import Headers, Verdict

TEXT_LIMIT = 200
"""Characters of text from the network in a line."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One request and its result."""

    time: float
    """Wall seconds."""
    client: str
    """Address and port it came from."""
    request: str
    """Method and target; empty when there was no valid request."""
    verdict: Verdict
    answered: bool = True
    """False when the client had disconnected, or no answer was sent."""
    headers: Headers = ()
    """Unchanged, names in lower case."""
    body: bytes = b""
    """The exact bytes."""


def printable(text: str, limit: int = TEXT_LIMIT) -> str:
    """Text from the network as printable ASCII (the rest as escapes), truncated."""
    safe = text[:limit].encode("unicode_escape").decode("ascii")
    return safe if len(text) <= limit and len(safe) <= limit else safe[:limit] + "..."
