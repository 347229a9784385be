"""Reads the answer of an HTTP/1 server from its bytes: tolerant, since the status line decides.

Who has said 2xx has the data: what is odd behind the status line must not make us send it again.
So lines that are no headers are passed over, as curl and Python's http.client do, and an answer
that ends too early or goes on for ever is still one. Only a connection whose answer was read to
its end, with nothing odd in it and nothing behind it, may be used again.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from ruuvi_host.logs import printable

MAX_ANSWER = 64 * 1024
"""Bytes of an answer's body that are read. They have no meaning, but for people."""
MAX_HEAD = 128 * 1024
"""Bytes of all heads of an answer; no server that we know of sends more than 16 KiB."""

_STATUS_LINE = re.compile(rb"HTTP/(0\.9|1\.\S*)\s+(\d{3})(?:\s(.*))?", re.IGNORECASE | re.DOTALL)
_BEGINNING = b"HTTP/"
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?", re.DOTALL)
_LENGTH = re.compile(rb"\d{1,18}")
_SWITCHING_PROTOCOLS = 101
_WITHOUT_BODY = frozenset({204, 205, 304})

RawHeader = tuple[bytes, bytes]


class NoAnswer(Exception):  # noqa: N818 - never leaves the room: it becomes a PostOutcome
    """What came is no HTTP answer. Its text says what came, made printable by whoever tells it."""


class Head(NamedTuple):
    status: int
    phrase: str
    old: bool
    """Of a version that does not keep connections."""


class AnswerReader:
    """Takes the bytes of one answer, in any pieces; informational answers before it are passed
    over."""

    def __init__(self) -> None:
        self.head: Head | None = None
        """Known from the end of the status line on."""
        self.headers: list[RawHeader] = []
        self.headers_done = False
        self.content = bytearray()
        self.whole = False
        """The body has come to its end."""
        self._buffer = bytearray()
        self._step: Callable[[], bool] = self._status_line
        self._odd = False
        self._left = 0
        """Bytes of the body, or of its chunk, that are still to come."""
        self._head_bytes = 0

    @property
    def reusable(self) -> bool:
        """Another request may go over this connection."""
        head = self.head
        if not (self.whole and head and not head.old) or self._odd or self._buffer:
            return False
        return not any(
            token.strip().lower() == b"close"
            for value in self._values(b"connection")
            for token in value.split(b",")
        )

    @property
    def done(self) -> bool:
        """No more of it is wanted."""
        return self.whole or len(self.content) > MAX_ANSWER

    def feed(self, data: bytes | memoryview) -> None:
        """Raises NoAnswer."""
        self._buffer += data
        while not self.done and self._step():
            pass

    def end(self) -> None:
        """The connection has ended: so has a status line, and a body without a length."""
        last = bytes(self._buffer).strip()
        if self._step == self._status_line and _STATUS_LINE.fullmatch(last):
            self._read_status(last)
        if self._step == self._until_close:
            self.whole = True
            self._odd = True

    # --- the head; each step says whether it made progress

    def _line(self) -> bytes | None:
        """The next line without its end."""
        end = self._buffer.find(b"\n")
        self._count_head(end + 1 if end >= 0 else 0)
        if end < 0:
            return None
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return line

    def _count_head(self, taken: int) -> None:
        self._head_bytes += taken
        if self._head_bytes + (0 if taken else len(self._buffer)) <= MAX_HEAD:
            return
        if self.head is None:
            raise NoAnswer(f"more than {MAX_HEAD} bytes without a status")
        self._give_up()

    def _status_line(self) -> bool:
        start = bytes(self._buffer[:64]).lstrip()[: len(_BEGINNING)]
        if not _BEGINNING.startswith(start.upper()):
            raise NoAnswer(_beginning_of(self._buffer))
        line = self._line()
        if line is None:
            return False
        if line.strip():
            self._read_status(line.strip())
        else:
            self._odd = True
        return True

    def _read_status(self, line: bytes) -> None:
        found = _STATUS_LINE.fullmatch(line)
        status = int(found[2]) if found else 0
        if not found or status < 100 or status == _SWITCHING_PROTOCOLS:
            raise NoAnswer(_beginning_of(line))
        if status >= 200:
            phrase = (found[3] or b"").strip().decode("latin-1")
            self.head = Head(status, phrase, old=found[1] in (b"0.9", b"1.0"))
        self._step = self._header

    def _header(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if self.headers_done:  # the head was too long
            return True
        if not line:
            self._head_ends()
            return True
        if line[:1] in (b" ", b"\t"):
            self._odd = True
            if self.headers:  # the older way to go on with a value
                name, value = self.headers[-1]
                self.headers[-1] = name, value + b" " + line.strip()
            return True
        name, colon, value = line.partition(b":")
        stripped = name.strip()
        self._odd = self._odd or stripped != name or not colon
        if colon and stripped:
            self.headers.append((stripped, value.strip()))
        return True

    def _head_ends(self) -> None:
        if self.head is None:  # it was an informational answer
            self.headers.clear()
            self._step = self._status_line
            return
        self.headers_done = True
        codings = b",".join(self._values(b"transfer-encoding")).lower().split(b",")
        lengths = {v.strip() for h in self._values(b"content-length") for v in h.split(b",")}
        if self.head.status in _WITHOUT_BODY:
            self._finish()
        elif codings[-1].strip() == b"chunked":
            self._odd = self._odd or bool(lengths)
            self._step = self._chunk_size
        elif len(lengths) == 1 and _LENGTH.fullmatch(length := lengths.pop()):
            self._left = int(length)
            self._step = self._body
            if not self._left:
                self._finish()
        else:
            self._step = self._until_close

    def _values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]

    # --- the body

    def _body(self) -> bool:
        if not self._take():
            return False
        if not self._left:
            self._finish()
        return True

    def _until_close(self) -> bool:
        self._left = len(self._buffer)
        return self._take()

    def _chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        found = _CHUNK_SIZE.fullmatch(line)
        if not found:
            self._give_up()
            return False
        self._left = int(found[1], 16)
        self._step = self._chunk if self._left else self._trailer
        return True

    def _chunk(self) -> bool:
        if not self._take():
            return False
        if not self._left:
            self._step = self._chunk_end
        return True

    def _chunk_end(self) -> bool:
        line = self._line()
        if line is None:
            return False
        self._step = self._chunk_size
        if line:
            self._give_up()
        return not line

    def _trailer(self) -> bool:
        line = self._line()
        if line == b"":
            self._finish()
        return bool(line)

    def _take(self) -> bool:
        part = self._buffer[: self._left]
        del self._buffer[: self._left]
        self._left -= len(part)
        self.content += part
        return bool(part)

    def _finish(self) -> None:
        self.whole = True

    def _give_up(self) -> None:
        """Where it ends is not known any more; what was understood so far counts."""
        self.headers_done = True
        self._odd = True
        self._step = self._until_close


def _beginning_of(data: bytes | bytearray) -> str:
    """For people; long enough that a secret in it is recognised before it is cut."""
    return printable(bytes(data[:8192]).decode("latin-1"), 8192)
