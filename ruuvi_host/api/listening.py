"""Where the local API may listen: what the network can reach needs a password or a key of its own.

Pure. Source: local API of a gateway, what a host must refuse, 14.1 and 14.4.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ruuvi_host.config.api import ApiSettings, Listen, is_loopback


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen, and what is to be said about it."""

    listen: Listen | None = None
    """None: nowhere."""
    fault: str = ""
    """Why it is not where the configuration wants it. Empty: it is."""
    is_inside: bool = False
    """What others can reach answers this machine only."""
    warnings: tuple[str, ...] = ()
    """What is dangerous about it: others than this machine reach it, themselves or by a proxy."""


def place(
    settings: ApiSettings | None, access: Mapping[str, Any], *, local_socket: bool, as_root: bool
) -> Place:
    """access: values of a gateway's keys, of which those of lan_auth count. local_socket: the one
    of systemd cannot be reached from other machines. as_root: this process may do everything."""
    if settings is None:
        return Place()
    listen = settings.listen
    kind = access["lan_auth_type"]
    warnings = tuple(f"{listen}: {why}" for why in _dangers(kind, as_root=as_root))
    if listen.path or is_loopback(listen.host) or (listen.is_systemd and local_socket):
        # What a proxy is for is to be reached by others.
        return Place(listen, warnings=warnings if settings.proxies else ())
    has_key = bool(access["lan_auth_api_key"] or access["lan_auth_api_key_rw"])
    if kind == "lan_auth_default" and not has_key:
        inside = listen if listen.is_systemd else replace(listen, host=_loopback(listen.host))
        instead = (
            "the API answers this machine only"
            if listen.is_systemd
            else f"the API listens on {inside} only"
        )
        why = "is open to the network, and there is no password or key of your own yet"
        fault = f"{listen} {why}: {instead}. Set one: ruuvi-host config password"
        return Place(inside, fault, is_inside=True)
    return Place(listen, warnings=warnings)


def _dangers(kind: str, *, as_root: bool) -> Iterator[str]:
    if kind == "lan_auth_allow":
        yield (
            "everybody in the network can read and change everything, because lan_auth_type is "
            "lan_auth_allow"
        )
    if kind == "lan_auth_default":
        yield (
            "the password is still the device id, which is on the gateway's label and known to "
            "its cloud. Set your own: ruuvi-host config password"
        )
    if as_root:
        yield "ruuvi-host runs as root: run it as a user of its own, as the service does"


def _loopback(host: str) -> str:
    return "::1" if ":" in host else "127.0.0.1"
