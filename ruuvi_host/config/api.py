"""The table [api]: where the local API listens, and under which names it may be asked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from ruuvi_host.errors import ConfigError

Network: TypeAlias = IPv4Network | IPv6Network

SYSTEMD = "systemd"
"""Stands for the socket that systemd has opened for us."""
_UNIX = "unix:"
_NAME = re.compile(r"[0-9A-Za-z_](?:[0-9A-Za-z_-]*[0-9A-Za-z_])?(?:\.[0-9A-Za-z_-]+)*\.?")


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen: one of a path, a host with a port, or the socket of systemd."""

    host: str = ""
    """A name or an address; empty: not on TCP."""
    port: int = 0
    path: str = ""
    """Of a Unix socket; empty: none."""

    @property
    def is_systemd(self) -> bool:
        return not (self.host or self.path)

    def __str__(self) -> str:
        if self.path:
            return _UNIX + self.path
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if host else SYSTEMD


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """The local API, if it is on."""

    listen: Listen
    names: frozenset[str] = frozenset()
    """In lower case: further names under which it may be asked."""
    proxies: tuple[Network, ...] = ()
    """Of whom the client's address is taken from what they forward."""
    check_local: bool = False
    """A check of settings may reach this machine and link-local addresses."""
    announce: bool = True
    """By mDNS, if others than this machine can reach it."""


def parse_listen(text: str) -> Listen:
    """HOST:PORT, unix:PATH or systemd. Raises ConfigError."""
    key = "api.listen"
    if text == SYSTEMD:
        return Listen()
    if text.startswith(_UNIX):
        if not (path := text.removeprefix(_UNIX)):
            raise ConfigError(key, "has no path behind unix:")
        return Listen(path=path)
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not (host and colon and port.isascii() and port.isdigit() and int(port) <= 65535):
        why = "must be HOST:PORT as 127.0.0.1:8080 or [::1]:8080, unix:PATH, or systemd"
        raise ConfigError(key, why)
    return Listen(host, int(port))


def parse_names(names: Sequence[str]) -> frozenset[str]:
    """Host names. Raises ConfigError."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigError("api.names", f"{name!r} is no host name; leave scheme and port out")
    return frozenset(name.lower().removesuffix(".") for name in names)


def parse_proxies(texts: Sequence[str]) -> tuple[Network, ...]:
    """Addresses or networks of proxies. Raises ConfigError."""
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigError(
            "api.proxies", f"{error}; name addresses, or networks as ::1/128"
        ) from error


def is_loopback(host: str) -> bool:
    """Does a listening address take only what comes from this machine?"""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
