"""Reads requests with h11, and refuses those that it lets through: unknown versions, heads and
bodies that are too large, bodies without a length.

h11 takes any version of one digit, a dot and one digit, a head of any size that comes in one piece,
and chunks.
"""

import re
from dataclasses import dataclass
from typing import Any

import h11

from ruuvi_host.web.limits import Limits

VERSIONS = (b"1.0", b"1.1")
_REQUEST_LINE = re.compile(rb"\S+ \S+ HTTP/(\S*)\r?\n")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not taken: an HTTP status, and a reason for people."""

    status: int
    reason: str


_OTHER_VERSION = Refusal(505, "HTTP/1.0 and HTTP/1.1 are spoken here")
_NO_LENGTH = Refusal(411, "a body needs a Content-Length")


class Parser(h11.Connection):
    """h11's server side of a connection. `refusal` says why `next_event` has raised."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(h11.SERVER, limits.head)
        self._limits = limits
        self.refusal = Refusal(400, "no HTTP request")

    @property
    def is_between(self) -> bool:
        """No byte of the next request has come."""
        return self.their_state is h11.IDLE and not self.trailing_data[0]

    @property
    def awaits_head(self) -> bool:
        return self.their_state is h11.IDLE

    @property
    def awaits_body(self) -> bool:
        return self.their_state is h11.SEND_BODY

    def next_event(self) -> Any:
        """As h11's. Raises h11.RemoteProtocolError for what is refused."""
        held = self.trailing_data[0] if self.awaits_head else b""
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            self.refusal = self._why(held, error.error_status_hint)
            raise
        if isinstance(event, h11.Request):
            size = len(held) - len(self.trailing_data[0])
            if refusal := self._look(event, size):
                self.refusal = refusal
                raise h11.RemoteProtocolError(refusal.reason)
        return event

    def _why(self, held: bytes, hint: int) -> Refusal:
        if hint == 431:
            return self._too_large()
        if hint == 501:
            return _NO_LENGTH
        said = _REQUEST_LINE.match(held)
        if said and said[1] not in VERSIONS:
            return _OTHER_VERSION
        return Refusal(400, "no HTTP request")

    def _look(self, request: h11.Request, size: int) -> Refusal | None:
        """size: bytes of its head."""
        if size > self._limits.head:
            return self._too_large()
        if request.http_version not in VERSIONS:
            return _OTHER_VERSION
        if self._limits.body is None:
            return None
        fields = dict(request.headers)
        if b"transfer-encoding" in fields:
            return _NO_LENGTH
        if int(fields.get(b"content-length", b"0")) > self._limits.body:
            return Refusal(413, f"a body over {self._limits.body} bytes")
        return None

    def _too_large(self) -> Refusal:
        return Refusal(431, f"a head over {self._limits.head} bytes")
