"""Under which names the API may be asked, and from which pages: what keeps other web sites out."""

import re
from collections.abc import Iterable
from ipaddress import ip_address

_HOST = re.compile(r"(?: \[ ([0-9A-Fa-f:.%][^\]]*) \] | ([^:\[\]]*) ) (?: : [0-9]* )?", re.VERBOSE)

SAME = ("same-origin", "none")
"""What a browser says of a request of our own page, and of one that a person typed."""


def own_names(system: str, gateway: str, named: Iterable[str]) -> frozenset[str]:
    """The names of this host, in lower case. system: its host name."""
    short = system.partition(".")[0]
    alone = {name.lower() for name in (system, short, gateway) if name}
    return frozenset({"localhost", *alone, *(f"{name}.local" for name in alone), *named})


def name_of(host: str) -> str:
    """The name or address in a Host field, in lower case; empty: there is none."""
    found = _HOST.fullmatch(host)
    if found is None:
        return ""
    return (found[1] or found[2]).lower().removesuffix(".")


def is_own(host: str, names: frozenset[str]) -> bool:
    """Does a Host field name this host? An address does: no other web site can have its name."""
    name = name_of(host)
    if name in names:
        return True
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def is_same_site(host: str | None, origins: Iterable[str], fetch_sites: Iterable[str]) -> bool:
    """Does a request come from our own page, or from no page at all?

    host, origins, fetch_sites: what its Host (None: none), Origin and Sec-Fetch-Site say.
    """
    own = {f"{scheme}://{host.lower()}" for scheme in ("http", "https")} if host else set()
    return all(origin.lower() in own for origin in origins) and all(
        site in SAME for site in fetch_sites
    )
