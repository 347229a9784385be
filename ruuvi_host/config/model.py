"""The values that a configuration comes down to: what the rooms of the house are told.

Where they come from (a gateway's file, the host's own, environment, options) is not known here.
"""

import os
import re
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

from firmware_protocol.messages import SetAll
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.spool import SpoolSettings
from ruuvi_host.errors import ConfigError

RUUVI, CUSTOM, STATISTICS = "ruuvi", "custom", "statistics"
"""The names of the targets of a gateway: two for batches, and one for statistics."""

DEFAULT_PERIOD = 10
"""Seconds between two posts."""
MAX_PERIOD = 3600


class DataFormat(Enum):
    """What a batch tells of each tag. The values are those of `http_data_format`."""

    RAW = "ruuvi"
    """The advertising data, in hex."""
    RAW_AND_DECODED = "ruuvi_raw_and_decoded"
    DECODED = "ruuvi_decoded"


@dataclass(frozen=True, slots=True)
class Authorization:
    """The Authorization header of a target. Never logged."""

    value: str = field(repr=False)
    basic: bool = False
    """Of kind "basic": the gateway then writes the header behind the signature."""


class Profile(Enum):
    """Whose behaviour it is where ours is better than the gateway's: see `host` in the pages."""

    HOST = "host"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files of a server's TLS. They may change, appear and vanish while the host runs."""

    client_cert: Path | None = None
    """PEM, a chain is allowed; presented to the server. None: not wanted."""
    client_key: Path | None = None
    """PEM, the key of `client_cert`."""
    client_key_password: str | None = field(default=None, repr=False)
    server_cert: Path | None = None
    """PEM; the only trust anchor, in place of the system's authorities. None: not wanted."""


@dataclass(frozen=True, slots=True)
class ExtraFiles:
    """Files with parts of a request that are too long for the address. None: not wanted."""

    path: Path | None = None
    """The path, without its leading slash. The address must have none."""
    query: Path | None = None
    """The query, without its question mark. The address must have none."""
    headers: Path | None = None
    """Whole header lines, each ended by CR LF."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server that gets batches, or statistics."""

    name: str
    url: str = field(repr=False)
    """http or https, without user information. Its query may hold a secret: never logged."""
    period: int = DEFAULT_PERIOD
    """Seconds, 1..3600; the server may change it."""
    authorization: Authorization | None = None
    data_format: DataFormat = DataFormat.RAW
    tls: TlsFiles = TlsFiles()
    extra: ExtraFiles = ExtraFiles()
    proxy: str | None = field(default=None, repr=False)
    """URL of an HTTP proxy; may hold user information."""
    keep_alive: bool = False
    """Keep the connection for the next post; a gateway opens a new one each time."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that `run` needs to know; the defaults are the gateway's, without any target."""

    scan: SetAll = field(default_factory=SetAll)
    """What the coprocessor is configured with."""
    filter_addresses: frozenset[bytes] = frozenset()
    filter_allow: bool = False
    """True: only the listed addresses pass; False: all but these."""
    use_timestamps: bool = True
    """False: a running number in place of the time, as a gateway without NTP does."""
    coordinates: str = ""
    """At most 63 bytes."""
    targets: tuple[Target, ...] = ()
    statistics: Target | None = None
    profile: Profile = Profile.HOST
    spool: SpoolSettings = field(default_factory=SpoolSettings)
    max_sensors: int = 100
    """1..100,000."""
    trust_clock: bool = False
    signed_tx_power: bool = False
    nrf_firmware: str = ""
    """For statistics; empty: what the coprocessor's behaviour tells."""
    network_watchdog: float = 3600.0
    """Seconds without any answer to a batch that are an error."""
    exit_by_watchdog: bool = False
    coprocessors: tuple[CoprocessorSettings, ...] = ()
    """The first one's address names the gateway."""

    def without_ruuvi(self) -> "Config":
        """For simulated data, which nobody at Ruuvi wants."""
        statistics = self.statistics
        if statistics:
            try:
                refuse_ruuvi(statistics.url)
            except ConfigError:
                statistics = None
        others = tuple(target for target in self.targets if target.name != RUUVI)
        return replace(self, targets=others, statistics=statistics)


def basic_authorization(user: str, password: str) -> Authorization:
    credentials = b64encode(f"{user}:{password}".encode()).decode("ascii")
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
    if not _can_be_found(parts.netloc, parts.hostname):
        raise ConfigError(key, "the address names a server as none can be named")
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
    return url


def _can_be_found(netloc: str, host: str) -> bool:
    """Does `host` look like a name or an IP address? What does not would be refused by the HTTP
    library, and that too late."""
    try:
        if netloc.rpartition("@")[2].startswith("["):
            ip_address(host.replace("%25", "%", 1))
        elif re.fullmatch(r"[0-9]+(\.[0-9]+){3}", host):
            ip_address(host)
        elif not host.isascii():
            import idna  # as the HTTP library does

            idna.encode(host.lower())
    except ValueError:  # that of idna is one
        return False
    return True


def refuse_ruuvi(url: str) -> None:
    """Simulated readings must not reach Ruuvi's own servers, however they are named."""
    host = urlsplit(url).hostname or ""
    with suppress(UnicodeError):  # no host name at all: it will not be found either
        if is_ruuvi(host.encode("idna").decode("ascii")):
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


def state_directory(named: Path | None, *, simulated: bool) -> Path:
    """Where this instance keeps its state: as named, $STATE_DIRECTORY, $XDG_STATE_HOME, home.

    Raises ConfigError when there is none of them.

    A simulated coprocessor gets a folder of its own, unless one is named: its undelivered
    batches must never be posted by a real gateway.
    """
    if named:
        return named
    if systemd := os.environ.get("STATE_DIRECTORY"):
        path = Path(systemd.partition(":")[0])
    elif os.path.isabs(xdg := os.environ.get("XDG_STATE_HOME", "")):  # others do not count
        path = Path(xdg) / "ruuvi-host"
    else:
        try:
            path = Path.home() / ".local" / "state" / "ruuvi-host"
        except RuntimeError as error:
            raise ConfigError("--state-dir", "no home folder: name a folder to use") from error
    return path / "simulated" if simulated else path
