"""The answer of an HTTP server, and what it means for the body that was posted."""

import re
from dataclasses import dataclass, field

from ruuvi_host.logs import printable
from ruuvi_host.relay.http.outcome import TOO_MANY_REQUESTS, Advice
from ruuvi_host.relay.http.refusals import advice_for
from ruuvi_host.relay.http.secrets import without
from ruuvi_host.relay.sink import Verdict

_BODY_REFUSED = frozenset({400, 413, 422})
"""Statuses that are about this very body, so that sending it again cannot help."""
_PASSING = frozenset({408, 425, TOO_MANY_REQUESTS})
"""Statuses below 500 that go away by themselves. All other ones (401 or 404, say) stay until
somebody does something, and the data is worth keeping until then."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TITLE = re.compile(r"<title>(.{0,1000}?)</title>", re.DOTALL | re.IGNORECASE)
_PAGE = re.compile(rb"\s{0,100}<(?:!doctype\s+html|html)\b", re.IGNORECASE)
"""How one begins, with a title or without."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    phrase: str
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    body: bytes = field(repr=False)
    """As it came, cut; never decompressed."""
    peer: str
    """The IP address that it came from."""
    path: str = field(default="", repr=False)
    """For which it was asked."""
    whole: bool = True
    """The body came to its end. False: cut by its sender, by us, or by the deadline."""

    def header(self, name: bytes) -> bytes | None:
        """The first one of that name, however it is written."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def advice(self) -> Advice | None:
        """If what stands in front of the server has answered."""
        return advice_for(self.status, self.headers, self.body, self.path)

    @property
    def verdict(self) -> Verdict:
        if 200 <= self.status < 300:
            return Verdict.ACCEPTED
        if self.status in _BODY_REFUSED and not self.advice:
            return Verdict.REFUSED
        if self.status in _PASSING or self.status >= 500:
            return Verdict.LATER
        return Verdict.FIX

    @property
    def page(self) -> str:
        """The title of a web page, if it is one."""
        kind = self.header(b"content-type") or b""
        if not kind.lower().startswith(b"text/html"):
            return ""
        title = _TITLE.search(self.body.decode("utf-8", "replace"))
        if title and title[1].strip():
            return " ".join(title[1].split())
        # Many a receiver's "OK" is said to be HTML, too.
        return "(no title)" if _PAGE.match(self.body) else ""

    def text(self, secrets: tuple[str, ...]) -> str:
        """The body as text without control characters and without our secrets."""
        text = _CONTROL.sub("", self.body.decode("utf-8", "replace"))
        return without(secrets, text)

    def says(self, secrets: tuple[str, ...]) -> str:
        """What the server says in the body, for people: one line, none of our secrets, which some
        servers repeat."""
        # Cut only when they are out: what is left of one that is cut is not recognised.
        text = without(secrets, self.body.decode("utf-8", "replace"))[:4096]
        if title := _TITLE.search(text):
            text = title[1]
        text = re.sub(r"<[^>]*>", " ", text)
        return printable(" ".join(text.split()))
