"""What passes our own checks of a request's parts is a request, and each answer is read."""

import io
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from random import Random
from typing import Any

import h11
from hypothesis import example, given
from hypothesis import strategies as st

from ruuvi_host.config.url import join, parse_address
from ruuvi_host.relay.http.answer_filter import AnswerFilter, NoAnswer
from ruuvi_host.relay.http.request import extra_part, header_lines, secret_problem

BASE = parse_address("http://server/a/b?c")
LINE = st.one_of(
    st.binary(max_size=30),
    st.builds(
        lambda name, value: name + b":" + value,
        st.from_regex(rb"[!-~]{0,8}", fullmatch=True),
        st.from_regex(rb"[ -~\t]{0,12}", fullmatch=True),
    ),
)


def sent(target: str, headers: list[tuple[str, str]]) -> bytes:
    base = [("Host", "server"), ("Content-Length", "0")]
    request = h11.Request(method="POST", target=target, headers=[*base, *headers])
    data = h11.Connection(h11.CLIENT).send(request)
    assert data is not None
    return data


@given(st.lists(LINE, max_size=4).map(lambda lines: b"".join(line + b"\r\n" for line in lines)))
@example(b"X: a:b\tc\r\n")
@example(b"Expect: 100-continue\r\nConnection: close\r\n")
def test_header_lines(data: bytes) -> None:
    lines = header_lines(data)
    if not isinstance(lines, str):
        head = sent("/", lines)
        assert head.count(b"\r\n") == 4 + len(lines)
        assert len(lines) == data.count(b"\r\n")


@given(st.binary(max_size=60))
def test_extra_parts(data: bytes) -> None:
    if extra_part(data) is None:
        text = data.removesuffix(b"\n").removesuffix(b"\r").decode("ascii")
        assert sent(f"/{text}?{text}", []).startswith(b"POST /")


@given(st.text(max_size=40))
def test_secrets(value: str) -> None:
    if secret_problem(value) is None:
        assert sent("/", [("Authorization", value.strip(" \t"))])


@given(st.text(max_size=60) | st.from_regex(r"https?://[!-~]{0,40}", fullmatch=True))
@example("http://[::1%25x]/")
@example("//\u2100/")
@example("http://\u00df.example/")
def test_addresses(text: str) -> None:
    """ValueError or a request that can be made."""
    for parse in (parse_address, lambda text: join(BASE, text)):
        try:
            address = parse(text)
        except ValueError:
            continue
        assert sent(address.target, [("X-Host", address.server)])
        assert address.host.isascii()


ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    b"HTTP/1.0 302 Found\nLocation: /x\n\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nok\r\n0\r\n\r\n",
)
BITS = (b"\r\n", b"\n", b" ", b"\t", b":", b"\0", b"\xff", b"x", b"9", b"-", b";", b"\r", b"")


class _Socket:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self.data)


def read_by_python(data: bytes) -> int:
    """The status that http.client reads; 0: none."""
    response = HTTPResponse(_Socket(data), method="POST")  # type: ignore[arg-type]
    try:
        response.begin()
    except (HTTPException, ValueError):
        return 0
    return response.status


def read(*pieces: bytes) -> tuple[AnswerFilter, bytes] | None:
    """The filter, and all that it passes on. None: it is no answer."""
    answer, passed = AnswerFilter(), b""
    try:
        for piece in pieces:
            passed += answer.feed(piece)
        passed += answer.end()
    except NoAnswer:
        return None
    return (answer, passed) if answer.status else None


def damaged(randomly: Random) -> bytes:
    data = bytearray(randomly.choice(ANSWERS))
    for _ in range(randomly.randint(1, 3)):
        # The version stays: http.client looks at its beginning only.
        at = randomly.randrange(len("HTTP/1.1"), len(data) + 1)
        data[at : at + randomly.choice([0, 0, 1, 1, 5])] = randomly.choice(BITS)
    return bytes(data)


@given(st.integers(0, 1 << 32))
def test_who_is_understood_by_python_is_understood_here(seed: int) -> None:
    """A 200 that others see and we do not is sent again and again."""
    randomly = Random(seed)
    for _ in range(30):
        data = damaged(randomly)
        status = read_by_python(data)
        if 200 <= status < 300:
            found = read(data)
            assert found, data
            assert found[0].status == status, data


@given(st.integers(0, 1 << 32))
def test_h11_takes_each_head_that_is_passed_on(seed: int) -> None:
    """And when it finds the end of the answer where the filter does, nothing is left over."""
    randomly = Random(seed)
    for _ in range(30):
        data = damaged(randomly)
        if not (found := read(data)):
            continue
        answer, passed = found
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="POST", target="/", headers=[("Host", "server")]))
        client.send(h11.EndOfMessage())
        client.receive_data(passed)
        response = client.next_event()
        assert isinstance(response, h11.Response), data
        assert response.status_code == answer.status, data
        # The connection is kept only when both have found the end.
        with suppress(h11.RemoteProtocolError):
            while isinstance(event := client.next_event(), h11.Data):
                pass
            if answer.reusable and isinstance(event, h11.EndOfMessage):
                assert client.trailing_data == (b"", False), data


@given(st.integers(0, 1 << 32), st.integers(0, 80), st.integers(0, 80))
def test_in_how_many_pieces_an_answer_comes_is_all_the_same(seed: int, one: int, two: int) -> None:
    data = damaged(Random(seed))
    first, second = sorted((one, two))
    whole, cut = read(data), read(data[:first], data[first:second], data[second:])
    assert bool(whole) == bool(cut)
    if whole and cut:
        assert whole[1] == cut[1]
        assert whole[0].status == cut[0].status
        assert whole[0].reusable == cut[0].reusable
