"""Where batches go: one class for each kind of target, with its own settings.

`Target` is their union. Which module serves a kind is known to `relay/kinds.py` alone.
"""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import ClassVar, TypeAlias

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
class HttpTarget:
    """A server that gets batches, or statistics, by HTTP POST."""

    KIND: ClassVar[str] = "http"

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


Target: TypeAlias = HttpTarget
