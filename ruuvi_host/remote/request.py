"""What a request for a configuration says, and which servers may hear all of it. Pure.

Source: ruuvi.gateway_esp.c http_download.c, and the order of its esp_http_client.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address

from ruuvi_host.config.addresses import basic_authorization
from ruuvi_host.config.remote import RemoteSettings
from ruuvi_host.config.url import Address
from ruuvi_host.relay.http.request import Header, secret_problem, user_problem
from ruuvi_host.relay.http.secrets import longest_first
from ruuvi_host.remote.memory import Validators

USER_AGENT = "RuuviGateway"
ACCEPT = "text/html,application/octet-stream,*/*"
_SCHEMES = {"bearer": "Bearer ", "token": "Token ", "api_key": ""}
"""A configuration has the first; a check of the local API may ask for the others."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What authenticates us; it goes to the server of the address, and to no other."""

    value: str = field(default="", repr=False)
    """Of the header Authorization; empty: none is sent."""
    basic: bool = False
    """It stands at another place of the head then."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What a server could repeat, and nobody may be told."""


def credentials(settings: RemoteSettings, query: str) -> Credentials:
    """query: of the address; it may hold a secret. Raises ValueError: what is configured cannot
    stand in a header."""
    hidden = {query} | {part.partition("=")[2] for part in query.split("&")}
    if settings.auth == "basic" and settings.user:
        if problem := user_problem(settings.user):
            raise ValueError(f"remote_cfg_auth_basic_user {problem}")
        value = basic_authorization(settings.user, settings.password).value
        hidden |= {value, value.partition(" ")[2], settings.password}
        return Credentials(value, True, longest_first(hidden))
    if settings.auth in _SCHEMES and settings.token:
        if problem := secret_problem(settings.token):
            raise ValueError(f"remote_cfg_auth_bearer_token {problem}")
        hidden |= {settings.token}
        value = _SCHEMES[settings.auth] + settings.token.strip()
        return Credentials(value, False, longest_first(hidden))
    return Credentials(secrets=longest_first(hidden))


def headers(
    address: Address,
    mac: str,
    version: str,
    credentials: Credentials,
    validators: Validators | None,
    *,
    own: bool,
) -> list[Header]:
    """In the gateway's order; what is ours comes last.

    mac: "AA:CC:EE:00:11:22". own: `address` is on the server that is configured, and not one that a
    redirect leads to, which gets no Authorization. validators: of what we have; None: the request
    is unconditional.
    """
    authorization = [("Authorization", credentials.value)] if own and credentials.value else []
    lines = [("User-Agent", USER_AGENT), ("Host", address.server)]
    lines += authorization if not credentials.basic else []
    lines += [("ruuvi_gw_mac", mac.upper()), ("Accept", ACCEPT)]
    lines += authorization if credentials.basic else []
    if validators and validators.etag:
        lines.append(("If-None-Match", validators.etag))
    elif validators and validators.last_modified:
        lines.append(("If-Modified-Since", validators.last_modified))
    return [*lines, ("Ruuvi-Host-Version", version)]


def goes_in_clear(address: Address, peer: str, *, proxy: bool) -> bool:
    """Can others on the way read what is sent there? peer: the IP address that was connected to.

    Not what goes to this machine or into a private network. Behind a proxy nobody here knows the
    server's IP address, unless it is the name.
    """
    if address.scheme == "https":
        return False
    try:
        ip = ip_address((address.host if proxy else peer).partition("%")[0])
    except ValueError:
        return proxy
    return not (ip.is_loopback or ip.is_private or ip.is_link_local)
