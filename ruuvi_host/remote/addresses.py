"""The files that a remote configuration is looked for in, from its address. Pure.

Source: ruuvi.gateway_esp.c http_server_cb.c (the order of the files), http_download.c.
"""

from dataclasses import dataclass, field

from ruuvi_host.config.url import Address, parse_address

COMMON = "gw_cfg.json"
"""The file of all gateways that have none of their own."""
SHORTEST = 3
"""Characters of an address."""
_TOO_SHORT, _BAD = 500, 400


class BadAddressError(ValueError):
    """Nothing can be fetched from this address; the message says why, without a secret."""

    def __init__(self, reason: str, status: int = _BAD) -> None:
        super().__init__(reason)
        self.status = status
        """Of HTTP, as a gateway tells it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file on a server."""

    url: str
    """For people, and as a name: scheme and host in lower case, without the query."""
    query: str = field(repr=False)
    """May hold a secret."""
    address: Address

    @property
    def whole(self) -> str:
        """With its query."""
        return f"{self.url}?{self.query}" if self.query else self.url

    @property
    def signature(self) -> "Place":
        """The file beside it that has its signature."""
        return _place(f"{self.url}.sig", self.query)


@dataclass(frozen=True, slots=True)
class Places:
    """Where to look. own: the gateway's own file, or the one that is named. common: the file for
    all, which counts when there is no own one; None: one file is named."""

    own: Place
    common: Place | None = None


def places(url: str, mac: str) -> Places:
    """The files for an address. mac: "AA:CC:EE:00:11:22". Raises BadAddressError.

    An address whose path ends in .json is a file; every other one is a folder.
    """
    if not url:
        raise BadAddressError("remote_cfg_url is empty", _TOO_SHORT)
    if len(url) < SHORTEST or any(c.isspace() or not c.isprintable() for c in url):
        raise BadAddressError(
            "remote_cfg_url is no address: it must be like https://cfg.example.com/gw/"
        )
    scheme, _, rest = url.partition("://")
    if not rest or scheme.lower() not in ("http", "https"):
        raise BadAddressError("remote_cfg_url must begin with http:// or https://")
    url = f"{scheme.lower()}://{rest}"
    if "#" in url:
        raise BadAddressError(
            "remote_cfg_url has a # in it, and no server gets to see what follows"
        )
    base, question, query = url.partition("?")
    own = _place(base, query)  # so that a fault of the address is told before what it means
    if base.removeprefix(f"{scheme.lower()}://{_server(base)}").endswith(".json"):
        return Places(own)
    if question:
        raise BadAddressError(
            "remote_cfg_url has a ? in it, and names a folder: only an address whose path ends in "
            ".json may have a query"
        )
    folder = base.removesuffix("/")
    return Places(
        _place(f"{folder}/{mac.replace(':', '').upper()}.json", ""),
        _place(f"{folder}/{COMMON}", ""),
    )


def problem_of(url: str) -> str | None:
    """Why nothing can be fetched from this address, or None."""
    try:
        places(url, "00:00:00:00:00:00")
    except BadAddressError as error:
        return str(error)
    return None


def _place(base: str, query: str) -> Place:
    if "@" in _server(base):
        raise BadAddressError(
            "remote_cfg_url has a user in it: use remote_cfg_auth_type, with its user and password"
        )
    try:
        address = parse_address(f"{base}?{query}" if query else base)
    except ValueError as error:
        raise BadAddressError(f"remote_cfg_url cannot be used: {error}") from None
    return Place(base, query, address)


def _server(base: str) -> str:
    return base.partition("://")[2].partition("/")[0]
