"""How near an IP address is to us: this machine, a neighbour on the wire, or farther away."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

THIS_MACHINE, NEIGHBOUR, FARTHER = 0, 1, 2
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""Of NAT64: the IPv4 address is at its end."""


def distance(address: str) -> int:
    """THIS_MACHINE, NEIGHBOUR (link-local) or FARTHER. address: of IPv4 or IPv6, perhaps with a
    zone. An IPv4 address inside of one of IPv6 counts as what it leads to."""
    ip = _meant(ip_address(address))
    # All of 0.0.0.0/8 is "this host"; 0.0.0.0 itself connects to this machine.
    if ip.is_loopback or ip.is_unspecified or (ip.version == 4 and ip.packed[0] == 0):
        return THIS_MACHINE
    return NEIGHBOUR if ip.is_link_local else FARTHER


def is_near(address: str) -> bool:
    """Only this machine and its neighbours on the wire reach it."""
    return distance(address) < FARTHER


def is_at_home(address: str) -> bool:
    """This machine, a neighbour on the wire, or a private network (RFC 1918, fc00::/7)."""
    ip = _meant(ip_address(address))
    return is_near(address) or any(
        ip in network for network in _PRIVATE if ip.version == network.version
    )


def _meant(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _TRANSLATED or (int(ip) >> 32 == 0 and int(ip) > 1):  # ::a.b.c.d, of old
        return IPv4Address(ip.packed[-4:])
    return ip.ipv4_mapped or ip.sixtofour or ip
