"""The answer of an HTTP server, and what it means for the body that was posted."""

import re
from dataclasses import dataclass, field

from ruuvi_host.logs import printable
from ruuvi_host.relay.http.outcome import TOO_MANY_REQUESTS
from ruuvi_host.relay.http.request import without
from ruuvi_host.relay.sink import Verdict

_BODY_REFUSED = frozenset({400, 413, 422})
"""Statuses that are about this very body, so that sending it again cannot help."""
_PASSING = frozenset({408, 425, TOO_MANY_REQUESTS})
"""Statuses below 500 that go away by themselves. All other ones (401 or 404, say) stay until
somebody does something, and the data is worth keeping until then."""
_NOT_ABOUT_THE_BODY = re.compile(
    rb"No required SSL certificate was sent|The SSL certificate error"
    rb"|plain HTTP request was sent to HTTPS port|speaking plain HTTP to an SSL-enabled"
    rb"|sent an HTTP request to an HTTPS server"
)
"""What nginx, Apache and Go say with a 400 when it is the connection that they do not like: to
drop the data for it would be wrong."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    phrase: str
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    body: bytes = field(repr=False)
    """As it came, cut; never decompressed."""
    peer: str
    """The IP address that it came from."""

    def header(self, name: bytes) -> bytes | None:
        """The first one of that name, however it is written."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def verdict(self) -> Verdict:
        if 200 <= self.status < 300:
            return Verdict.ACCEPTED
        if self.status in _BODY_REFUSED and not _NOT_ABOUT_THE_BODY.search(self.body):
            return Verdict.REFUSED
        if self.status in _PASSING or self.status >= 500:
            return Verdict.LATER
        return Verdict.FIX

    def says(self, secrets: tuple[str, ...]) -> str:
        """What the server says in the body, for people: one line, none of our secrets, which some
        servers repeat."""
        text = self.body[:4096].decode("utf-8", "replace")
        if title := re.search(r"<title>(.*?)</title>", text, re.DOTALL | re.IGNORECASE):
            text = title[1]
        text = re.sub(r"<[^>]*>", " ", without(secrets, text))
        return printable(" ".join(text.split()))
