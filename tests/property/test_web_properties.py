"""Requests as the network cuts them: what is read does not depend on where a packet ends."""

from collections.abc import Sequence
from dataclasses import replace

import h11
from hypothesis import example, given
from hypothesis import strategies as st

from ruuvi_host.web.limits import Limits
from ruuvi_host.web.parser import Parser

LIMITS = replace(Limits(), head=200, body=50)
LINES = [
    *(
        b"GET /history HTTP/1.1",
        b"POST /ruuvi.json HTTP/1.0",
        b"GET /a?b HTTP/2",
        b"GET / HTTP/1.2",
    ),
    *(b"GET /", b"", b"hello", b"GET  / HTTP/1.1", b"\x16\x03\x01", b"DELETE * HTTP/1.1"),
]
FIELDS = [
    *(b"Host: x", b"host: y", b"Content-Length: 5", b"Content-Length: 51", b"Content-Length: x"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Expect: 100-continue"),
    *(b"Connection: close", b"X: " + b"y" * 150, b"no field", b" folded", b"X\x00: y", b": z"),
]
ENDS = [b"\r\n", b"\n"]


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    lines = [
        draw(st.sampled_from(LINES)),
        *draw(st.lists(st.sampled_from(FIELDS), max_size=4)),
        b"",
    ]
    return b"".join(line + draw(st.sampled_from(ENDS)) for line in lines)


def read(pieces: Sequence[bytes]) -> list[str]:
    """What a server is told of."""
    parser = Parser(LIMITS)
    told: list[str] = []
    body = 0
    for piece in filter(None, pieces):
        parser.receive_data(piece)
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError:
                return [*told, str(parser.refusal.status)]
            if event is h11.NEED_DATA or event is h11.PAUSED:
                break
            if isinstance(event, h11.Request):
                told.append(f"{event.method!r} {event.target!r}")
            elif isinstance(event, h11.Data):
                body += len(event.data)
            elif isinstance(event, h11.EndOfMessage):
                told.append(f"{body} bytes")
    return told


@given(raw=st.one_of(heads(), st.binary(max_size=300)), body=st.binary(max_size=60), data=st.data())
@example(raw=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", body=b"", data=None)
def test_where_a_packet_ends_does_not_matter(raw: bytes, body: bytes, data: st.DataObject) -> None:
    whole = raw + body
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=8))) if data else [3]
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    at_once, cut = read([whole]), read(pieces)
    if at_once == cut:
        return
    # What is wrong and too large is told as the one or the other.
    assert len(raw) > LIMITS.head
    assert at_once[:-1] == cut[:-1]
    assert {at_once[-1], cut[-1]} <= {"400", "431", "505", "411", "413"}


@given(st.binary(max_size=400))
def test_whatever_comes_is_a_request_or_refused(raw: bytes) -> None:
    """Never another error: that would be one of ours."""
    for line in read([raw]):
        assert line in ("400", "431", "505", "411", "413") or " " in line


@given(st.integers(1, 400))
def test_the_size_of_a_head_decides(size: int) -> None:
    begun = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
    size = max(size, len(begun) + 4)
    raw = begun + b"y" * (size - len(begun) - 4) + b"\r\n\r\n"
    assert len(raw) == size
    expected = ["b'GET' b'/'", "0 bytes"] if size <= LIMITS.head else ["431"]
    assert read([raw]) == expected
    assert read([bytes([byte]) for byte in raw]) == expected
