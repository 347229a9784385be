"""What a fetch yields: a text, "as before", or why there is none. The seam between the network half
(`download`) and the half that judges, applies and tries.

    async def fetch(settings: RemoteSettings, mac: str, memory: Memory) -> Download

`fetch` never raises but for cancellation: what goes wrong is a Failed. mac: "AA:CC:EE:00:11:22".
`memory` is a frozen value of `remote.memory` (ETag and Last-Modified per address, 404 of the own
file), with `document() -> dict` and `from_document(Any) -> Memory` (which takes anything, and gives
an empty one for what is no such document); `Memory()` makes an unconditional request.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from ruuvi_host.remote.memory import Memory


@dataclass(frozen=True, slots=True)
class Fetched:
    """A 200 whose body is UTF-8, not too long, and signed if it has to be. Not yet judged."""

    text: str = field(repr=False)
    url: str
    """Of the file, for people: without query."""
    etag: str = ""
    last_modified: str = ""
    status: int = 200


@dataclass(frozen=True, slots=True)
class NotModified:
    """A 304."""

    url: str
    status: int = 304


@dataclass(frozen=True, slots=True)
class Failed:
    """No text."""

    result: str
    """One of `unreachable`, `tls`, `auth`, `not_found`, `http_<status>`, `too_long`, `refused`
    (a bad signature, no UTF-8, an address that cannot be used)."""
    status: int
    """Of HTTP, as a gateway tells it: 502 without an answer, 400 bad address, 500 too short."""
    reason: str
    """For people; no secret."""
    url: str = ""
    """Without query; empty: nothing was asked."""
    retry_after: float | None = None
    """Seconds that the server asks for; None: it does not."""
    absent_for: float | None = None
    """With not_found: seconds for which the server says so; None: it does not."""
    said: str = field(default="", repr=False)
    """The body of an answer with an error."""
    answered: int = 0
    """Of HTTP, as the server answered, where a gateway tells another one; 0: it is `status`."""
    cause: str = ""
    """name: it cannot be looked up; time: it was up; near: a check may not go there; file: one of
    ours cannot be used; empty: another."""

    @property
    def seen(self) -> int:
        """Of HTTP, for people: it is beside `result`."""
        return self.answered or self.status


Answer: TypeAlias = Fetched | NotModified | Failed


@dataclass(frozen=True, slots=True)
class Download:
    """The answer, and what is to be remembered for the next fetch.

    memory: with the ETag of this answer. If its text is refused, `memory.without(url)` is kept: a
    304 must never stand for a text that is not in force.
    """

    answer: Answer
    memory: Memory
    warnings: tuple[str, ...] = ()
    """For people, as "the secret goes in clear over http"; each is to be logged once."""
