"""What targets of several kinds have in common: names, data formats, files of TLS."""

import re
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from ruuvi_host.config.keys import HostKey, choice, text
from ruuvi_host.errors import ConfigError

RUUVI, CUSTOM, STATISTICS, MQTT = "ruuvi", "custom", "statistics", "mqtt"
"""The names of the targets of a gateway: three for batches, and one for statistics."""

DEFAULT_PERIOD = 10
"""Seconds between two posts."""
MAX_PERIOD = 3600

_RESERVED = (RUUVI, CUSTOM, STATISTICS, MQTT, "status")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
"""It is used in the names of its spool's files, and in `target.NAME.KEY`."""


class DataFormat(Enum):
    """What a batch contains of each sensor. The values are those of `http_data_format`."""

    RAW = "ruuvi"
    """The advertising data, in hex."""
    RAW_AND_DECODED = "ruuvi_raw_and_decoded"
    DECODED = "ruuvi_decoded"


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


def first_keys(kind: str) -> tuple[HostKey, ...]:
    """The first keys of every table [[target]]."""
    return (
        text(
            "name",
            "",
            "Its name in the log, in `status` and in `--set target.NAME.KEY=VALUE`; names its "
            "spool, too. Letters, digits, - and _.",
            required=f"my-{kind}",
        ),
        replace(choice("kind", (kind,), "What kind of target it is."), required=kind),
    )


def checked_name(name: str) -> str:
    """`name` if a target of our user can be called so. Raises ConfigError."""
    if not _NAME.fullmatch(name):
        why = "must be 1 to 40 letters, digits, - and _, and begin with a letter or digit"
        raise ConfigError("name", why)
    if name in _RESERVED:
        raise ConfigError("name", f"{name} is a name of a gateway's own targets: take another one")
    return name
