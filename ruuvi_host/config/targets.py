"""Where batches go: one class for each kind of target, with its own settings.

`Target` is their union. HTTP targets are a gateway's, and one broker is; the others are tables of
their own, [[target]]. Which module serves a kind is known to `relay/kinds.py` alone.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from ruuvi_host.config.derived import derived_key, in_order
from ruuvi_host.config.influxdb import API_NAMES, SCHEMAS, Points, Schema, tags_of, write_url
from ruuvi_host.config.keys import HostKey, choice, flag, path, text, texts, whole
from ruuvi_host.config.mqtt_target import MqttTarget as MqttTarget
from ruuvi_host.config.target_parts import CUSTOM as CUSTOM
from ruuvi_host.config.target_parts import DEFAULT_PERIOD as DEFAULT_PERIOD
from ruuvi_host.config.target_parts import MAX_PERIOD as MAX_PERIOD
from ruuvi_host.config.target_parts import MQTT as MQTT
from ruuvi_host.config.target_parts import RUUVI as RUUVI
from ruuvi_host.config.target_parts import STATISTICS as STATISTICS
from ruuvi_host.config.target_parts import DataFormat as DataFormat
from ruuvi_host.config.target_parts import TlsFiles as TlsFiles
from ruuvi_host.config.target_parts import checked_name as checked_name
from ruuvi_host.config.target_parts import first_keys
from ruuvi_host.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Authorization:
    """The Authorization header of a target. Never logged."""

    value: str = field(repr=False)
    basic: bool = False
    """Of kind "basic": the gateway then writes the header behind the signature."""


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
    tls: TlsFiles = field(default_factory=TlsFiles)
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
        *first_keys(KIND),
        whole("interval", DEFAULT_PERIOD, "Seconds between two batches.", 1, MAX_PERIOD),
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
        derived_key(", with content readings"),
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
    derived: tuple[str, ...] = ()
    """Some of DERIVED, in their order there."""

    @classmethod
    def from_table(cls, values: Mapping[str, Any]) -> "FileTarget":
        """What a table of those keys comes down to. Raises ConfigError naming the key."""
        given = {key.name: values.get(key.name, key.default) for key in cls.KEYS}
        if given["derived"] and given["content"] != Content.READINGS.value:
            why = "goes with content readings: the body of a gateway stays as a gateway makes it"
            raise ConfigError("derived", why)
        return cls(
            name=checked_name(given["name"]),
            folder=given["folder"],
            period=given["interval"],
            content=Content(given["content"]),
            max_bytes=given["max_mib"] << 20,
            max_age=3600.0 * given["max_age_hours"],
            compress=given["compress"],
            derived=in_order(given["derived"]),
        )

    @property
    def address(self) -> str:
        """URL of the receiver; empty: the data stays on this machine."""
        return ""


@dataclass(frozen=True, slots=True)
class InfluxTarget:
    """A database that takes line protocol by HTTP: InfluxDB and what is compatible with it."""

    KIND: ClassVar[str] = "influxdb"
    KEYS: ClassVar[tuple[HostKey, ...]] = (
        *first_keys(KIND),
        whole("interval", DEFAULT_PERIOD, "Seconds between two batches.", 1, MAX_PERIOD),
        text(
            "url",
            "",
            "The database's address: http or https, host and port. The path of the write request "
            "is added to it.",
            required="http://localhost:8086",
        ),
        choice("api", API_NAMES, "`v1`: `/write` of InfluxDB 1.x; `v2`: `/api/v2/write` of 2.x."),
        text("database", "ruuvi", "With `v1`: the database. Empty: none is named."),
        text("retention", "", "With `v1`: the retention policy. Empty: the database's default."),
        text("org", "", "With `v2`: the organization, name or id."),
        text("bucket", "ruuvi", "With `v2`: the bucket."),
        text("token", "", "An API token, in place of `user` and `pass`.", secret=True),
        text("user", "", "A user of the database."),
        text("pass", "", "The password of `user`.", secret=True),
        choice("schema", SCHEMAS, "Names of tags and fields: ours, or those of another program."),
        text("measurement", "ruuvi_measurements", "The measurement (table) of the points."),
        texts("tags", "Tags of every point, each as `key=value`."),
        derived_key("; only with schema `ruuvi`, the others have theirs"),
        flag("gzip", True, "Compress what is sent."),
        path("srv_cert", "", "PEM; trust only these certificates. Empty: the system's."),
        path("cli_cert", "", "PEM; the client certificate."),
        path("cli_key", "", "PEM; its key."),
        text("client_key_password", "", "Password of an encrypted `cli_key`.", secret=True),
        text("proxy", "", "URL of an HTTP proxy on the way; may hold a user.", secret=True),
    )

    name: str
    server: HttpTarget
    """With the whole address of the write request."""
    points: Points = field(default_factory=Points)
    derived: tuple[str, ...] = ()
    """Some of DERIVED, in their order there."""
    compress: bool = True

    @classmethod
    def from_table(cls, values: Mapping[str, Any]) -> "InfluxTarget":
        """What a table of those keys comes down to. Raises ConfigError naming the key."""
        given = {key.name: values.get(key.name, key.default) for key in cls.KEYS}
        schema = Schema(given["schema"])
        if given["derived"] and schema is not Schema.RUUVI:
            why = f"goes with schema ruuvi: {schema.value} has its own computed values"
            raise ConfigError("derived", why)
        measurement: str = given["measurement"]
        first = measurement[:1]
        if not measurement.isprintable() or "\\" in measurement or first in ("", "_", "#"):
            why = "must have printable characters but no \\, and begin with none of _ and #"
            raise ConfigError("measurement", why)
        if bool(given["cli_cert"]) != bool(given["cli_key"]):
            missing, there = "cli_key", "cli_cert"
            if given[missing]:
                missing, there = there, missing
            raise ConfigError(missing, f"is missing: {there} needs it")
        name = checked_name(given["name"])
        return cls(
            name=name,
            server=HttpTarget(
                name,
                write_url(given),
                given["interval"],
                _credentials(given["token"], given["user"], given["pass"]),
                tls=TlsFiles(
                    given["cli_cert"] or None,
                    given["cli_key"] or None,
                    given["client_key_password"] or None,
                    given["srv_cert"] or None,
                ),
                proxy=given["proxy"] or None,
                keep_alive=True,
            ),
            points=Points(schema, given["measurement"], tags_of(given["tags"], schema)),
            derived=in_order(given["derived"]),
            compress=given["gzip"],
        )

    @property
    def period(self) -> int:
        """Seconds, 1..3600."""
        return self.server.period

    @property
    def address(self) -> str:
        """URL of the receiver; empty: the data stays on this machine."""
        return self.server.url


def _credentials(token: str, user: str, password: str) -> Authorization | None:
    """Raises ConfigError naming the key."""
    if token and (user or password):
        raise ConfigError("token", "stands in place of user and pass: give one of both")
    if password and not user:
        raise ConfigError("user", "is missing: there is a password")
    if ":" in user:
        raise ConfigError("user", "must not have a colon: the password begins there")
    if not (token.isascii() and (token.isprintable() or not token)) or token != token.strip():
        why = "must be printable ASCII without spaces at its ends: it goes into a header"
        raise ConfigError("token", why)
    if token:
        return Authorization(f"Token {token}")
    if not user:
        return None
    both = f"{user}:{password}".encode("utf-8", "surrogatepass")
    return Authorization(f"Basic {b64encode(both).decode('ascii')}", basic=True)


Target: TypeAlias = HttpTarget | FileTarget | InfluxTarget | MqttTarget
TABLE_KINDS = (FileTarget, InfluxTarget, MqttTarget)
"""The kinds that a table [[target]] can be."""
