"""Addresses of servers: which can be posted to, which are Ruuvi's, and the user named in one."""

from base64 import b64encode
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from ruuvi_host.config.targets import Authorization
from ruuvi_host.config.url import parse_address
from ruuvi_host.errors import ConfigError


def basic_authorization(user: str, password: str) -> Authorization:
    # A JSON file can hold halves of characters, which have no UTF-8.
    both = f"{user}:{password}".encode("utf-8", "surrogatepass")
    credentials = b64encode(both).decode("ascii")
    return Authorization(f"Basic {credentials}", basic=True)


def check_url(key: str, url: str) -> str:
    """`url` if a batch can be posted to it. Raises ConfigError naming `key`.

    key: the option or key as the user wrote it.
    """
    if any(c.isspace() or not c.isprintable() for c in url):
        raise ConfigError(key, "the address has white space or control characters in it")
    try:
        parts = urlsplit(url)
    except ValueError:  # its text may hold a password, so it is not repeated
        raise ConfigError(key, "the address cannot be read: its host name is malformed") from None
    if parts.scheme not in ("http", "https"):
        raise ConfigError(key, "the address must begin with http:// or https://")
    if not parts.hostname:
        raise ConfigError(key, "the address names no server, as in http://server:8000/record")
    try:
        usable = parts.port != 0
    except ValueError:  # likewise
        usable = False
    if not usable:
        raise ConfigError(
            key,
            "the port must be a number from 1 to 65535 (in a user name or password, write / as "
            "%2F and : as %3A)",
        )
    try:
        parse_address(url)
    except ValueError as error:
        raise ConfigError(key, f"the address cannot be used: {error}") from None
    return url


def refuse_ruuvi(url: str) -> None:
    """Simulated readings must not reach Ruuvi's own servers, however they are named."""
    if not url:
        return
    with suppress(ValueError):  # no address at all: nothing is sent there either
        host = parse_address(url).host
        if is_ruuvi(host):
            raise ConfigError("--simulate", f"simulated data is never sent to Ruuvi ({host})")


def is_ruuvi(host: str) -> bool:
    """Is it one of Ruuvi's own servers? host: ASCII, in lower case."""
    return f".{host.rstrip('.')}".endswith(".ruuvi.com")


def split_user(url: str) -> tuple[str, Authorization | None]:
    """A URL without its user information, and that information as basic authorization."""
    parts = urlsplit(url)
    user_info, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = user_info.partition(":")
    bare = parts._replace(netloc=host).geturl()
    return bare, basic_authorization(unquote(user), unquote(password)) if user else None
