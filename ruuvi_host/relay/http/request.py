"""What a post consists of: request line, headers, and the parts that come from files.

The functions on bytes are pure: the configuration is checked with the same ones.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_plus, urlsplit

from ruuvi_host.config.targets import HttpTarget
from ruuvi_host.config.url import Address
from ruuvi_host.relay.http.files import fault, read_file
from ruuvi_host.relay.http.secrets import longest_first

USER_AGENT = "Ruuvi Gateway HTTP Client/1.0"
MAX_EXTRA = 8192
"""Bytes of an extra file. As on the gateway."""

Header = tuple[str, str]


class Request(NamedTuple):
    """One request."""

    method: str
    target: str
    headers: list[Header]
    body: bytes = b""


_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_RESERVED = frozenset({"host", "content-length", "transfer-encoding"})
"""They decide to whom a request goes and where it ends."""


def header_lines(data: bytes) -> list[Header] | str:
    """The lines of a file of headers, or the problem with it.

    Each line is ended by CR LF. White space around a value is not part of it.
    """
    if problem := _not_text(data):
        return problem
    if not data.endswith(b"\r\n"):
        return "each line must be ended by CR LF, the last one, too (unix2dos makes it so)"
    headers = []
    for number, line in enumerate(data[:-2].decode("ascii").split("\r\n"), 1):
        if "\r" in line or "\n" in line:
            return f"line {number} has a CR or LF alone: lines are ended by both (unix2dos)"
        if not line.strip():
            return f"line {number} is blank, which would end the request's head"
        name, colon, value = line.partition(":")
        value = value.strip(" \t")
        if not colon or not _NAME.fullmatch(name):
            return f"line {number} is no header: it must be NAME: VALUE"
        if name.lower() in _RESERVED:
            return f"line {number}: {name} is not yours to set, it would break the request"
        if any(c == "\x7f" or (c < " " and c != "\t") for c in value):
            return f"line {number} has a control character in it"
        headers.append((name, value))
    return headers


def extra_part(data: bytes) -> str | None:
    """The problem with a file that holds an extra path or query, or None."""
    text = _without_line_end(data)
    if problem := _not_text(text):
        return problem
    for position, byte in enumerate(text, 1):
        if byte <= 0x20 or byte == 0x7F:
            return f"character {position} is white space or control: write it as %{byte:02X}"
        if byte == 0x23:
            return f"character {position} is a #, which no server gets to see: write it as %23"
    return None


def secret_problem(value: str) -> str | None:
    """Why a token or key cannot stand in a header, or None. The value is not in the sentence."""
    if not value.isascii():
        return "has characters in it that are not ASCII"
    if any(c < " " or c == "\x7f" for c in value):
        return "has a line break or another control character in it"
    return None


def user_problem(user: str) -> str | None:
    """Why a user name cannot be sent by basic authentication, or None."""
    return "must not have a colon in it: the password begins there" if ":" in user else None


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a target's requests that are settled before the body is known."""

    address: Address
    headers: tuple[Header, ...] = field(default=(), repr=False)
    """The extra ones."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What a server could repeat in its answer, and no log line may have."""


def read_parts(target: HttpTarget, address: Address, *, open_query: bool = False) -> Parts:
    """The parts as the files are now. May block. Raises NotDelivered naming the file.

    open_query: there is no secret in the address.
    """
    extra = target.extra
    url = urlsplit(target.url)
    path, _, query = address.target.partition("?")
    headers: list[Header] = []
    if extra.path:
        if url.path:
            raise fault(
                f"the path comes from {extra.path}, so the address must end behind the server's "
                "name, without even a /"
            )
        path = "/" + _read_extra(extra.path, "file of the extra path")
    if extra.query:
        if url.query:
            raise fault(f"the query comes from {extra.query}, so the address must have none")
        query = _read_extra(extra.query, "file of the extra query")
    if extra.headers:
        lines = header_lines(read_file(extra.headers, "file of extra headers"))
        if isinstance(lines, str):
            raise fault(f"the file of extra headers {extra.headers} cannot be used: {lines}")
        headers = lines
    authorization = target.authorization
    if authorization and (problem := secret_problem(authorization.value)):
        raise fault(f"the secret for the Authorization header {problem}")
    secrets = {value for _, value in headers} | (set() if open_query else _values(query))
    if authorization:
        secrets |= _spoken(authorization.value)
    if extra.path:
        secrets.add(path)
    whole = f"{path}?{query}" if query else path
    return Parts(replace(address, target=whole), tuple(headers), longest_first(secrets))


def signed(signature: str) -> tuple[Header, ...]:
    """What the head says of a gateway's body."""
    return ("Content-Type", "application/json"), ("Ruuvi-HMAC-SHA256", signature)


def request_headers(
    target: HttpTarget,
    parts: Parts,
    address: Address,
    body: bytes,
    about_body: Iterable[Header],
    *,
    own: bool,
) -> list[Header]:
    """In the gateway's order. about_body: what the head says of the body. own: `address` is of the
    target itself and not of another server, which gets neither authorization nor extra headers."""
    authorization = target.authorization if own else None
    headers = [("User-Agent", USER_AGENT), ("Host", address.server)]
    if authorization and not authorization.basic:
        headers.append(("Authorization", authorization.value.strip(" \t")))
    headers += about_body
    if authorization and authorization.basic:
        headers.append(("Authorization", authorization.value))
    headers.append(("Content-Length", str(len(body))))
    if own:
        headers += parts.headers
    return headers


def reading_headers(
    target: HttpTarget, parts: Parts, address: Address, *, own: bool
) -> list[Header]:
    """Those of a GET, to which a server redirects after the POST."""
    headers = [("User-Agent", USER_AGENT), ("Host", address.server)]
    if own and target.authorization:
        headers.append(("Authorization", target.authorization.value.strip(" \t")))
    return [*headers, *parts.headers] if own else headers


def _read_extra(path: Path, what: str) -> str:
    data = read_file(path, what)
    if problem := extra_part(data):
        raise fault(f"the {what} {path} cannot be used: {problem}")
    return _without_line_end(data).decode("ascii")


def _without_line_end(data: bytes) -> bytes:
    """Editors end the last line; it is not part of a path or query."""
    return data.removesuffix(b"\n").removesuffix(b"\r")


def _not_text(data: bytes) -> str | None:
    if not data:
        return "it is empty"
    if len(data) > MAX_EXTRA:
        return f"it has more than {MAX_EXTRA} bytes"
    for position, byte in enumerate(data, 1):
        if byte > 0x7F:
            return f"character {position} is not ASCII"
    return None


def _values(query: str) -> set[str]:
    values = {item.partition("=")[2] for item in query.split("&")}
    return {query} | values | {unquote_plus(value) for value in values}


def _spoken(authorization: str) -> set[str]:
    """An Authorization header, and what in it is secret."""
    secret = authorization.partition(" ")[2]
    secrets = {authorization, secret}
    with suppress(Base64Error, UnicodeDecodeError):
        secrets.add(b64decode(secret, validate=True).decode().partition(":")[2])
    return secrets
