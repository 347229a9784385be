"""An http or https address, taken apart and checked: to all others a request can be made.

The configuration and the redirects of servers are checked here, by the same rules.
"""

import re
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import urljoin, urlsplit

PORTS = {"http": 80, "https": 443}

_HOST = re.compile(r"(?=.{1,254}\Z)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
"""Of labels, none of them empty or longer than DNS has them."""
_IN_BRACKETS = re.compile(
    r"([0-9a-f:.]+)(?:%25([A-Za-z0-9_.-]{1,15})|%([A-Za-z][A-Za-z0-9_.-]{0,14}))?"
)
"""An IPv6 address, and perhaps its zone: the name or number of a network interface."""
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_NOT_SENT_AS_IT_IS = re.compile(rb"[^\x21-\x7e]")
_LONGEST = 16 * 1024
"""Characters of an address. Few servers take more than 8 KiB of request line."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address that a request can be made for."""

    scheme: str
    host: str
    """ASCII, in lower case; an IPv6 address without brackets, its zone behind a %."""
    port: int
    target: str = field(repr=False)
    """Path and query as they stand in the request line. May hold a secret."""

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def server(self) -> str:
        """Host and port as people are told, and as in the Host header: the port is left out when
        it is 80 or 443, whatever the scheme. So the gateway does it."""
        host = self.host.partition("%")[0]
        host = f"[{host}]" if ":" in host else host
        return host if self.port in (80, 443) else f"{host}:{self.port}"


def parse_address(url: str) -> Address:
    """An address, user information and fragment left away. Raises ValueError with the problem.

    The path and the query stay as they are, but for what no request line can hold.
    """
    if len(url) > _LONGEST or any(c <= " " or c == "\x7f" for c in url):
        raise ValueError("it is too long, or has white space or control characters in it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text may hold a password
        raise ValueError("its host or port is malformed") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("it names no HTTP server")
    if port == 0:
        raise ValueError("its port is 0")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = _host(parts.hostname, in_brackets=parts.netloc.rpartition("@")[2].startswith("["))
    return Address(parts.scheme, host, port or PORTS[parts.scheme], _printable(target))


def join(address: Address, location: str) -> Address:
    """What `location` means in an answer of `address`. Raises ValueError."""
    if len(location) > _LONGEST or any(c < " " or c == "\x7f" for c in location):
        raise ValueError("it is too long, or has control characters in it")
    host = address.host.replace("%", "%25")
    host = f"[{host}]" if ":" in host else host
    base = f"{address.scheme}://{host}:{address.port}{address.target}"
    try:
        joined = urljoin(base, location.strip())
    except ValueError:  # its text repeats what stands there
        raise ValueError("its host or port is malformed") from None
    return parse_address(joined)


def public_url(url: str) -> str:
    """A URL as it may be logged: without user information and query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _host(host: str, *, in_brackets: bool) -> str:
    if in_brackets:
        return _in_brackets(host)
    ascii_host = host if host.isascii() else _international(host)
    if not _HOST.fullmatch(ascii_host):
        raise ValueError("its host is no name")
    # Systems read 127.1 or 0x7f000001 as addresses, too; nobody means one who writes so.
    if _NUMBER.fullmatch(ascii_host.rstrip(".").rpartition(".")[2]):
        try:
            IPv4Address(ascii_host)
        except AddressValueError:
            raise ValueError("its host is no IPv4 address") from None
    return ascii_host


def _in_brackets(host: str) -> str:
    found = _IN_BRACKETS.fullmatch(host)
    if not found and "%" in host:
        raise ValueError("its host has something behind the % that is no network interface")
    try:
        address = str(IPv6Address(found[1] if found else host))
    except AddressValueError:
        raise ValueError("its host is no IPv6 address") from None
    zone = found and (found[2] or found[3])
    return f"{address}%{zone}" if zone else address


def _international(host: str) -> str:
    import idna

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError:
        raise ValueError("its host is no name") from None


def _printable(target: str) -> str:
    data = target.encode("utf-8", "replace")
    return _NOT_SENT_AS_IT_IS.sub(lambda match: b"%%%02X" % match[0][0], data).decode("ascii")
