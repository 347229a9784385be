"""Pure parts of a request: addresses, redirects, files of headers, paths and queries."""

import pytest

from ruuvi_host.config.url import join, parse_address
from ruuvi_host.relay.http.redirects import leads_inward
from ruuvi_host.relay.http.request import extra_part, header_lines, secret_problem, user_problem


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://server", "/"),
        ("http://server?a=b", "/?a=b"),
        ("http://server/a/../b//c;d?e=%41&f='\"<>|{}", "/a/../b//c;d?e=%41&f='\"<>|{}"),
        ("http://u:p@server/a#fragment", "/a"),
        ("http://server/ä?ö", "/%C3%A4?%C3%B6"),
    ],
)
def test_path_and_query_stay_as_they_are(url: str, target: str) -> None:
    assert parse_address(url).target == target


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTP://SERVER", ("http", "server", 80)),
        ("https://server", ("https", "server", 443)),
        ("https://server.:8443", ("https", "server.", 8443)),
        ("http://1.2.3.4", ("http", "1.2.3.4", 80)),
        ("http://[::1]:8000", ("http", "::1", 8000)),
        ("http://[0:0::1]", ("http", "::1", 80)),
        ("http://[fe80::1%25eth0]", ("http", "fe80::1%eth0", 80)),
        ("http://[FE80::1%eth0.5]", ("http", "fe80::1%eth0.5", 80)),
        ("http://stra\xdfe.example", ("http", "xn--strae-oqa.example", 80)),
    ],
)
def test_origin(url: str, origin: tuple[str, str, int]) -> None:
    assert parse_address(url).origin == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "server",
        "ftp://server",
        "http://",
        "http:///path",
        "http://server:0",
        "http://server:65536",
        "http://server:x",
        "http://[::1",
        "http://[zz]",
        "http://1.2.3.400",
        "http://127.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://a b",
        "http://a\nb",
        "http://ser%76er",
        "http://\x80",
        "http://[fe80::1%25\xe9]/",
        "http://[fe80::1%25]/",
        "http://[fe80::1%25a%2fb]/",
        "http://[fe80::1%25\r\nX: y]/",
        "http://[fe80::1%25" + "x" * 16 + "]/",
        "http://[::%31]/",
        "http://[v1.x]/",
        "http://\ud800/",
        "http://xn--\xe9/",
        "http://" + "a" * 300,
        "http://" + "a" * 64 + ".example",
        "http://" + "a." * 127 + "a",
        "http://a..b",
        "http://.b",
        "http://.",
        "http://b..",
        "http://server/" + "x" * 20_000,
    ],
)
def test_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"^it"):
        parse_address(url)


def test_a_redirect_on_a_link_local_server_keeps_its_zone() -> None:
    for zone in ("eth0", "3"):
        there = join(parse_address(f"http://[fe80::1%25{zone}]:8000/a"), "b")
        assert (there.host, there.port, there.target) == (f"fe80::1%{zone}", 8000, "/b")


@pytest.mark.parametrize(
    ("location", "there"),
    [
        ("/x?y", "http://server:8000/x?y"),
        ("x", "http://server:8000/a/x"),
        ("?x", "http://server:8000/a/b?x"),
        ("//other/x", "http://other:80/x"),
        (" https://other/x ", "https://other:443/x"),
    ],
)
def test_join(location: str, there: str) -> None:
    address = join(parse_address("http://server:8000/a/b?c"), location)
    scheme, host, port = address.origin
    assert f"{scheme}://{host}:{port}{address.target}" == there


@pytest.mark.parametrize(
    ("before", "after", "inward"),
    [
        ("198.51.100.1", "127.0.0.1", True),
        ("198.51.100.1", "127.8.9.10", True),
        ("198.51.100.1", "::1", True),
        ("198.51.100.1", "::ffff:127.0.0.1", True),
        ("198.51.100.1", "0.0.0.0", True),
        ("198.51.100.1", "::", True),
        ("198.51.100.1", "169.254.169.254", True),
        ("2001:db8::1", "fe80::1%eth0", True),
        ("2001:db8::1", "::ffff:169.254.1.1", True),
        ("192.168.1.2", "127.0.0.1", True),
        ("169.254.1.1", "127.0.0.1", True),
        ("::ffff:198.51.100.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", False),
        ("::1", "127.0.0.1", False),
        ("127.0.0.1", "169.254.1.1", False),
        ("169.254.1.1", "fe80::1", False),
        ("127.0.0.1", "198.51.100.1", False),
        ("198.51.100.1", "203.0.113.1", False),
        ("198.51.100.1", "192.168.1.2", False),
    ],
)
def test_a_redirect_never_leads_inward(before: str, after: str, inward: bool) -> None:
    assert leads_inward(before, after) is inward


def test_header_lines() -> None:
    data = b"X-A: 1\r\nx-b:  two words \r\nX-C:\r\nX-A: again\r\nX-D: a:b\tc\r\n"
    assert header_lines(data) == [
        ("X-A", "1"),
        ("x-b", "two words"),
        ("X-C", ""),
        ("X-A", "again"),
        ("X-D", "a:b\tc"),
    ]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "it is empty"),
        (b"X: y", "each line must be ended by CR LF"),
        (b"X: y\n", "each line must be ended by CR LF"),
        (b"X: y\r", "each line must be ended by CR LF"),
        (b"X: y\nZ: 1\r\n", "line 1 has a CR or LF alone"),
        (b"X: y\rZ: 1\r\n", "line 1 has a CR or LF alone"),
        (b"X: y\r\r\n", "line 1 has a CR or LF alone"),
        (b"X: y\r\n\r\n", "line 2 is blank"),
        (b"\r\nX: y\r\n", "line 1 is blank"),
        (b" \t\r\n", "line 1 is blank"),
        (b"A: 1\r\n folded\r\n", "line 2 is no header"),
        (b"nonsense\r\n", "line 1 is no header"),
        (b": x\r\n", "line 1 is no header"),
        (b"X : y\r\n", "line 1 is no header"),
        (b"X(: y\r\n", "line 1 is no header"),
        (b"A: 1\r\nHost: x\r\n", "line 2: Host is not yours to set"),
        (b"hOST: x\r\n", "line 1: hOST is not yours to set"),
        (b"Content-Length: 1\r\n", "line 1: Content-Length is not yours to set"),
        (b"transfer-encoding: chunked\r\n", "line 1: transfer-encoding is not yours to set"),
        (b"X: \0\r\n", "line 1 has a control character"),
        (b"X: \x7f\r\n", "line 1 has a control character"),
        ("X: é\r\n".encode(), "character 4 is not ASCII"),
        (b"X: " + b"y" * 8190 + b"\r\n", "it has more than 8192 bytes"),
    ],
)
def test_headers_that_cannot_be_sent(data: bytes, problem: str) -> None:
    found = header_lines(data)
    assert isinstance(found, str)
    assert found.startswith(problem)


@pytest.mark.parametrize("data", [b"v2/record", b"a=b&c=%20", b"x\n", b"x\r\n", b"x" * 8192])
def test_an_extra_path_or_query(data: bytes) -> None:
    assert extra_part(data) is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"a b", "character 2 is white space or control: write it as %20"),
        (b"a\r\nb", "character 2 is white space or control: write it as %0D"),
        (b"a\n\n", "character 2 is white space or control: write it as %0A"),
        (b"a#b", "character 2 is a #"),
        (b"\xff", "character 1 is not ASCII"),
        (b"x" * 8193, "it has more than 8192 bytes"),
    ],
)
def test_an_extra_path_or_query_that_cannot_be_sent(data: bytes, problem: str) -> None:
    assert (extra_part(data) or "").startswith(problem)


def test_secrets() -> None:
    assert secret_problem("abc 123 +/=") is None
    for value in ("a\r\nb", "a\nb", "a\0", "\x7f", "é"):
        assert (secret_problem(value) or "").startswith("has ")
        assert value not in (secret_problem(value) or "")
    assert user_problem("me") is None
    assert user_problem("a:b")
