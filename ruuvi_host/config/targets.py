"""Where batches go: one class for each kind of target, with its own settings.

`Target` is their union. HTTP targets are a gateway's; the other kinds are tables of their own,
[[target]]. Which module serves a kind is known to `relay/kinds.py` alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from ruuvi_host.config.keys import HostKey, choice, flag, path, text, whole
from ruuvi_host.errors import ConfigError

RUUVI, CUSTOM, STATISTICS = "ruuvi", "custom", "statistics"
"""The names of the targets of a gateway: two for batches, and one for statistics."""

DEFAULT_PERIOD = 10
"""Seconds between two posts."""
MAX_PERIOD = 3600

_RESERVED = (RUUVI, CUSTOM, STATISTICS, "status")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
"""It is used in the names of its spool's files, and in `target.NAME.KEY`."""


class DataFormat(Enum):
    """What a batch contains of each sensor. The values are those of `http_data_format`."""

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
    redirect_get: bool = False
    """A 2xx to the GET, to which a server redirects after the POST, is taken for delivered."""

    @property
    def address(self) -> str:
        """URL of the receiver; empty: the data stays on this machine."""
        return self.url


def _common(kind: str) -> tuple[HostKey, ...]:
    """The keys of every table [[target]]."""
    return (
        text(
            "name",
            "",
            "Its name in the log, in `status` and in `--set target.NAME.KEY=VALUE`; names its "
            "spool, too. Letters, digits, - and _.",
            required=f"my-{kind}",
        ),
        replace(choice("kind", (kind,), "What kind of target it is."), required=kind),
        whole("interval", DEFAULT_PERIOD, "Seconds between two batches.", 1, MAX_PERIOD),
    )


def checked_name(name: str) -> str:
    """`name` if a target of our user can be called so. Raises ConfigError."""
    if not _NAME.fullmatch(name):
        why = "must be 1 to 40 letters, digits, - and _, and begin with a letter or digit"
        raise ConfigError("name", why)
    if name in _RESERVED:
        raise ConfigError("name", f"{name} is a name of a gateway's own targets: take another one")
    return name


class Content(Enum):
    """What a file contains of each batch."""

    READINGS = "readings"
    """A line for each reading, decoded."""
    GATEWAY = "gateway"
    """A line for each batch: the body that a gateway posts."""


@dataclass(frozen=True, slots=True)
class FileTarget:
    """A folder that gets batches as JSON lines."""

    KIND: ClassVar[str] = "file"
    KEYS: ClassVar[tuple[HostKey, ...]] = (
        *_common(KIND),
        path(
            "folder",
            "",
            "Where the files are written; made if it is missing. The current one is NAME.jsonl.",
            required="/var/lib/ruuvi-host/log",
        ),
        choice(
            "content",
            ("readings", "gateway"),
            "A line for each reading, decoded; or a line for each batch, as a gateway posts it.",
        ),
        whole("max_mib", 64, "A file of this size is finished, and a new one begun.", 1, 1 << 20),
        whole("max_age_hours", 24, "So is one that was begun so long ago.", 1, 8760),
        flag("compress", False, "Compress finished files with gzip."),
    )

    name: str
    folder: Path
    period: int = DEFAULT_PERIOD
    """Seconds, 1..3600."""
    content: Content = Content.READINGS
    max_bytes: int = 64 << 20
    max_age: float = 24 * 3600.0
    """Seconds."""
    compress: bool = False

    @classmethod
    def from_table(cls, values: Mapping[str, Any]) -> "FileTarget":
        """What a table of those keys comes down to. Raises ConfigError naming the key."""
        given = {key.name: values.get(key.name, key.default) for key in cls.KEYS}
        return cls(
            name=checked_name(given["name"]),
            folder=given["folder"],
            period=given["interval"],
            content=Content(given["content"]),
            max_bytes=given["max_mib"] << 20,
            max_age=3600.0 * given["max_age_hours"],
            compress=given["compress"],
        )

    @property
    def address(self) -> str:
        """URL of the receiver; empty: the data stays on this machine."""
        return ""


Target: TypeAlias = HttpTarget | FileTarget
TABLE_KINDS = (FileTarget,)
"""The kinds that a table [[target]] can be."""
