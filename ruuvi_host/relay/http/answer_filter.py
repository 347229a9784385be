"""Makes the head of a server's answer one that httpcore takes: the status line decides.

Who has said 2xx has the data: what is odd behind the status line must not make us send it again.
So lines that are no headers are left out, as curl and Python's http.client do. A body passes
through as it is; it is only watched, because a connection whose answer was not read to its end, or
with something behind it, may not be used again.
"""

import re

from ruuvi_host.logs import printable

MAX_HEAD = 128 * 1024
"""Bytes of all heads of an answer; no server that we know of sends more than 16 KiB."""

_STATUS_LINE = re.compile(rb"HTTP/(0\.9|1\.\S*)\s+(\d{3})(?:\s(.*))?", re.IGNORECASE | re.DOTALL)
_STATUS = re.compile(rb"\s{0,9}HTTP/(?:0\.9|1\.\S{0,9})\s{1,9}([2-9]\d{2})\s", re.IGNORECASE)
"""Of a status line that goes on. Bounded, as it is tried for each piece of a line."""
_BEGINNING = b"HTTP/"
_TOKEN = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_NOT_IN_A_VALUE = re.compile(rb"[\0\n\v\f\r]")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?", re.DOTALL)
_LENGTH = re.compile(rb"\d{1,18}")
_FRAMING = (b"content-length", b"transfer-encoding")
_SWITCHING_PROTOCOLS = 101
_WITHOUT_BODY = frozenset({204, 205, 304})


class NoAnswer(Exception):  # noqa: N818 - never leaves the room: it becomes a PostOutcome
    """What came is no HTTP answer. Its text says what came, made printable by whoever tells it."""


class AnswerFilter:
    """For the bytes of one answer, in any pieces; informational answers before it are left out."""

    def __init__(self) -> None:
        self.status = 0
        """Known before the status line is at its end."""
        self.phrase = b""
        self._old = False
        """Of a version that does not keep connections."""
        self._odd = False
        self._buffer = bytearray()
        self._taken = 0
        self._in_headers = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: _Body | None = None
        """From the end of the head on."""

    @property
    def reusable(self) -> bool:
        """The answer was regular, and has come to its end with nothing behind it."""
        body = self._body
        return bool(body and body.whole and not body.left_over and not self._odd)

    @property
    def left_over(self) -> bool:
        """Something has come behind it."""
        return bool(self._body and self._body.left_over)

    def feed(self, data: bytes) -> bytes:
        """What is to be passed on, perhaps nothing yet. Raises NoAnswer."""
        if self._body:
            self._body.follow(data)
            return data
        self._buffer += data
        while (line := self._line()) is not None:
            if not self._in_headers:
                self._before_headers(line)
            elif line:
                self._header(line)
            elif self.status:
                return self._head_ends()
            else:  # of an informational answer
                self._headers.clear()
                self._in_headers = False
        if not self._in_headers:
            start = bytes(self._buffer[:64]).lstrip()[: len(_BEGINNING)]
            if not _BEGINNING.startswith(start.upper()):
                raise NoAnswer(_beginning_of(self._buffer))
            if found := _STATUS.match(self._buffer):
                self.status = int(found[1])
        if self._taken + len(self._buffer) <= MAX_HEAD:
            return b""
        if not self.status:
            raise NoAnswer(f"more than {MAX_HEAD} bytes without a status")
        return self._head_ends_too_early()

    def end(self) -> bytes:
        """The connection has ended: so has the head."""
        last = bytes(self._buffer).strip()
        if not self._in_headers and _STATUS_LINE.fullmatch(last):
            self._before_headers(last)
        return self._head_ends_too_early() if self.status and not self._body else b""

    def _line(self) -> bytes | None:
        """The next line without its end."""
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        self._taken += end + 1
        return line

    def _before_headers(self, line: bytes) -> None:
        line = line.strip()
        if not line:
            self._odd = True
            return
        found = _STATUS_LINE.fullmatch(line)
        status = int(found[2]) if found else 0
        if not found or status < 100 or status == _SWITCHING_PROTOCOLS:
            raise NoAnswer(_beginning_of(line))
        if status >= 200:
            self.status = status
            self.phrase = _NOT_IN_A_VALUE.sub(b"", (found[3] or b"").strip())
            self._old = found[1] in (b"0.9", b"1.0")
        self._in_headers = True

    def _header(self, line: bytes) -> None:
        name, colon, value = line.partition(b":")
        if goes_on := line[:1] in (b" ", b"\t"):  # the older way to go on with a value
            name, before = self._headers.pop() if self._headers else (b"", b"")
            value = before + b" " + line.strip()
        stripped, value = name.strip(), value.strip()
        self._odd = self._odd or goes_on or not colon or stripped != name
        if (colon or goes_on) and _TOKEN.fullmatch(stripped):
            if _NOT_IN_A_VALUE.search(value):
                self._odd = True
            else:
                self._headers.append((stripped, value))

    def _head_ends_too_early(self) -> bytes:
        self._odd = True
        return self._head_ends()

    def _head_ends(self) -> bytes:
        """The whole head, and what of the body is already there."""
        codings = b",".join(self._values(b"transfer-encoding")).lower().split(b",")
        lengths = {v.strip() for h in self._values(b"content-length") for v in h.split(b",")}
        lines = [f"HTTP/1.{0 if self._old else 1} {self.status} ".encode() + self.phrase]
        lines += [n + b": " + v for n, v in self._headers if n.lower() not in _FRAMING]
        if self.status in _WITHOUT_BODY:
            self._body = _Body(0)
            lines.append(b"Content-Length: 0")
        elif codings[-1].strip() == b"chunked":
            self._odd = self._odd or bool(lengths)
            self._body = _Body(None, chunked=True)
            lines.append(b"Transfer-Encoding: chunked")
        elif len(lengths) == 1 and _LENGTH.fullmatch(length := lengths.pop()):
            self._body = _Body(int(length))
            lines.append(b"Content-Length: " + length)
        else:
            self._body = _Body(None)
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._body.follow(rest)
        return b"\r\n".join([*lines, b"", rest])

    def _values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self._headers if key.lower() == name]


class _Body:
    """Where a body ends.

    length: None if it is chunked, or goes on until the connection ends.
    """

    def __init__(self, length: int | None, *, chunked: bool = False) -> None:
        self.whole = length == 0
        self.left_over = False
        """Something has come behind it."""
        self._left = length or 0
        """Bytes of the body, or of its chunk with the line break behind it, still to come."""
        self._chunked = chunked
        self._endless = length is None and not chunked
        self._line = b""
        self._in_trailer = False

    def follow(self, data: bytes) -> None:
        at = 0
        while at < len(data) and not self._endless:
            if self.whole:
                self.left_over = True
                return
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                self.whole = not (self._left or self._chunked)
                continue
            end = data.find(b"\n", at)
            self._line += data[at : end if end >= 0 else len(data)]
            if len(self._line) > MAX_HEAD:
                self._endless = True
            if end < 0:
                return
            self._chunk_line(self._line.removesuffix(b"\r"))
            self._line = b""
            at = end + 1

    def _chunk_line(self, line: bytes) -> None:
        if self._in_trailer:
            self.whole = not line
        elif found := _CHUNK_SIZE.fullmatch(line):
            size = int(found[1], 16)
            self._in_trailer = not size
            self._left = size + len(b"\r\n") if size else 0
        else:  # httpcore will not understand it either
            self._endless = True


def _beginning_of(data: bytes | bytearray) -> str:
    """For people; long enough that a secret in it is recognised before it is cut."""
    return printable(bytes(data[:8192]).decode("latin-1"), 8192)
