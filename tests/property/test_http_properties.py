"""What passes our own checks of a request's parts is taken by the HTTP library, whatever it is."""

import h11
from hypothesis import example, given
from hypothesis import strategies as st

from ruuvi_host.relay.http.address import join, parse_address
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
