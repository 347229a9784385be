"""An HTTP proxy on the way to a server."""

from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ruuvi_host.config.url import Address, parse_address
from ruuvi_host.relay.http.secrets import longest_first


@dataclass(frozen=True, slots=True)
class Proxy:
    address: Address
    auth: tuple[bytes, bytes] | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """As in a target's Parts: what the proxy could repeat."""
        if not self.auth:
            return ()
        header = b64encode(b":".join(self.auth)).decode()
        return longest_first({header, self.auth[1].decode("utf-8", "replace")})


def parse_proxy(url: str) -> Proxy:
    """`http://user:password@host:port`. Raises ValueError with the problem."""
    address = parse_address(url)
    if address.scheme != "http":
        raise ValueError("it must begin with http://")
    user_info, at, _ = urlsplit(url).netloc.rpartition("@")
    if not at:
        return Proxy(address)
    user, _, password = user_info.partition(":")
    return Proxy(address, (unquote(user).encode(), unquote(password).encode()))
