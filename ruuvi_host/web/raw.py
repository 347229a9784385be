"""Answers as bytes, for what goes past the application: refusals, and answers without an end."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

AS_IT_IS = "ruuvi_host.as_it_is"
"""In `extensions` of a scope: a function that sends bytes in place of an answer, and closes."""


def last_answer(status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
    """One after which the connection closes. headers: names in lower case, each once."""
    fields = [*headers, (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    lines = b"".join(b"%s: %s\r\n" % field for field in dict(fields).items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode() + lines + b"\r\n" + body


def send_as_it_is(cycle: Any, data: bytes) -> None:
    """cycle: uvicorn's, of the request that this answers."""
    cycle.transport.write(data)
    cycle.transport.close()
    cycle.disconnected = True  # for uvicorn: there is nothing left to be answered
    cycle.message_event.set()
