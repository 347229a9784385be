"""Whose request it is: the address of the client, also behind a proxy.

What a client says of itself (X-Forwarded-For) is believed only as far as it was written by a proxy
whose own address is configured: from its end backwards, up to the first address that is no proxy's.
"""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Any, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


def client_address(scope: Any, proxies: Sequence[Network] = ()) -> Address | None:
    """scope: of ASGI. None: the request came over a Unix socket, which has no addresses."""
    if not (peer := scope["client"]):
        return None
    address = _address(peer[0])
    if address is None:
        return None
    forwarded = b",".join(v for name, v in scope["headers"] if name == b"x-forwarded-for")
    for text in reversed(forwarded.decode("latin-1").split(",")):
        before = _address(text.strip())
        if before is None or not is_proxy(address, proxies):
            break
        address = before
    return address


def is_local(peer: tuple[str, int] | None) -> bool:
    """Is it this machine, or on a Unix socket?"""
    address = _address(peer[0]) if peer else None
    return peer is None or (address is not None and address.is_loopback)


def is_proxy(address: Address, proxies: Sequence[Network]) -> bool:
    return any(address in network for network in proxies)


def _address(text: str) -> Address | None:
    """An IPv4 address that is written as an IPv6 one is what it is."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
